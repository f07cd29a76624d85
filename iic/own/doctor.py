"""``iic doctor``: what works on this machine, and what would make the rest work."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import timeit
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

import psutil

from iic.provenance.machine import usable_processors

MEMORY = 4 << 30
DISK = 5 << 30
PACKAGES = {
    "snakemake": "the workflow",
    "dvc": "results of others",
    "onnx": "iic export onnx",
    "tensorboard": "iic fit --log tensorboard",
    "umap-learn": "iic fit --umap",
}
"""Packages of extras, and what they are for."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "firefox", "chrome")


class Check(NamedTuple):
    """One thing that was looked at."""

    level: Literal["works", "slow", "absent", "fails"]
    name: str
    text: str
    remedy: str | None = None


def doctor(folder: Path) -> list[Check]:
    """Look at everything that `iic` can use.

    Args:
        folder: Where results would be written.
    """
    checks = [_python(), _threads(), _memory(), _disk(folder)]
    try:
        checks += _torch()
    except ImportError as error:
        checks.append(Check("fails", "torch", str(error), "pip install torch torchvision"))
    for name, use in PACKAGES.items():
        checks.append(_package(name, use))
    checks.append(_program("git", ("git",), "commits in receipts"))
    checks.append(_program("browser", BROWSERS, "tests of pages"))
    return checks


def healthy(checks: list[Check]) -> bool:
    """Whether own images can be clustered here."""
    return not any(check.level == "fails" for check in checks)


def _python() -> Check:
    version = platform.python_version()
    if sys.version_info < (3, 11):  # noqa: UP036 (asked of whatever Python runs this)
        return Check("fails", "Python", version, "Python 3.11 or later")
    return Check("works", "Python", version)


def _threads() -> Check:
    usable, all_of_them = usable_processors(), os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS")
    text = f"{usable} of {all_of_them} processors"
    return Check("works", "threads", text if limit is None else f"{text}, OMP_NUM_THREADS={limit}")


def _memory() -> Check:
    memory = psutil.virtual_memory()
    text = f"{memory.available >> 20:,} MiB of {memory.total >> 20:,} MiB are free"
    if memory.available < MEMORY:
        return Check("slow", "memory", text, "close other programs, or take a smaller --size")
    return Check("works", "memory", text)


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    text = f"{free >> 20:,} MiB are free in {folder.resolve()}"
    if not os.access(folder, os.W_OK):
        return Check("fails", "disk", f"{folder.resolve()} cannot be written to", "another folder")
    if free < DISK:
        return Check("slow", "disk", text, "make room: images are kept at the working size")
    return Check("works", "disk", text)


def _torch() -> list[Check]:
    import torch

    checks = [Check("works", "torch", str(torch.__version__))]
    plain, half = (_milliseconds(dtype) for dtype in (torch.float32, torch.bfloat16))
    text = f"a layer takes {half:.1f} ms, {plain:.1f} ms in float32"
    slow = half > plain
    remedy = "none needed: `iic fit` measures both and takes the faster" if slow else None
    checks.append(Check("slow" if slow else "works", "bfloat16", text, remedy))
    if torch.cuda.is_available():
        checks.append(Check("works", "GPU", torch.cuda.get_device_name()))
    else:
        checks.append(Check("absent", "GPU", "torch sees none", "none needed for small images"))
    return checks


def _milliseconds(dtype: object) -> float:
    import torch

    layer = torch.nn.Conv2d(16, 32, 5, padding=2).to(memory_format=torch.channels_last)
    images = torch.zeros(350, 16, 12, 12).to(memory_format=torch.channels_last)

    bfloat16 = dtype is torch.bfloat16
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
        return 1000 * min(timeit.repeat(lambda: layer(images), number=1, repeat=4))


def _package(name: str, use: str) -> Check:
    try:
        return Check("works", name, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check("absent", name, f"not installed; for {use}", f"pip install {name}")


def _program(name: str, commands: tuple[str, ...], use: str) -> Check:
    path = next(filter(None, map(shutil.which, commands)), None)
    if path is None:
        return Check("absent", name, f"not installed; for {use}", f"install one of {commands[0]}")
    return Check("works", name, path)
