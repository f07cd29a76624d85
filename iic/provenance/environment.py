"""What the receipts say of the machine, the packages and the code that a job ran with.

Nothing heavy is imported for it: versions come from the packages' metadata, and a GPU is asked
about only where the job itself has used one.
"""

from __future__ import annotations

import logging
import os
import platform
import re
import sys
from importlib import metadata
from pathlib import Path

import psutil

from iic.provenance import git
from iic.provenance.lock_file import LOCK, lock_hash
from iic.provenance.machine import described, machine
from iic.records.receipt import Code, Environment

log = logging.getLogger(__name__)

PACKAGES = (
    "matplotlib",
    "numpy",
    "pandas",
    "pillow",
    "pyarrow",
    "pydantic",
    "safetensors",
    "scikit-learn",
    "scipy",
    "tifffile",
    "torch",
    "torchvision",
)
"""Packages whose version can change a number, a table or a picture."""

# Whatever else is in the clone (results, notes, drafts) says nothing about the code of a job.
CODE_PATHS = ("iic", "params", "workflow", "Snakefile", "pyproject.toml", str(LOCK))


def package_versions() -> dict[str, str]:
    """Versions of those `PACKAGES` that are installed."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def minor(version: str) -> str:
    """``3.11.7`` -> ``3.11``; patches of Python change no number."""
    return ".".join(version.split(".")[:2])


def environment(threads: int, root: Path = Path()) -> Environment:
    """The machine and its software as they are now.

    Args:
        threads: CPU threads that the job was given.
        root: Root of the clone.
    """
    gpu, cuda = _gpu()
    return Environment(
        lock=lock_hash(root),
        python=platform.python_version(),
        packages=package_versions(),
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=_cpu(),
        machine=machine(),
        cpu_count=os.cpu_count() or 1,
        threads=threads,
        memory_bytes=psutil.virtual_memory().total,
        gpu=gpu,
        cuda=cuda,
        driver=_driver() if gpu else None,
    )


def code_state(root: Path = Path()) -> Code:
    """Commit of the clone, and whether its code differs from it; nulls where git does not know.

    That it does not know is logged, with the reason.
    """
    try:
        commit = git.ask(root, "rev-parse", "--verify", "HEAD").strip()
        return Code(commit=commit, dirty=bool(git.differing(root, *CODE_PATHS)))
    except git.GitUnknown as reason:
        log.warning("commit of the code: unknown, and noted as such (%s)", reason)
        return Code(commit=None, dirty=None)


def uncommitted_code(root: Path = Path()) -> list[str] | None:
    """Files of code, settings and lock that no commit has as they are; None where git fails."""
    try:
        return git.differing(root, *CODE_PATHS)
    except git.GitUnknown:
        return None


def tracked_files(root: Path, *folders: str) -> frozenset[str]:
    """Files below `folders` that git tracks, relative to `root`.

    Raises:
        GitUnknown: `root` is no git clone, or git does not answer for it.
    """
    listed = git.ask(root, "ls-files", "-z", "--", *folders)
    return frozenset(filter(None, listed.split("\0")))


def kept_in_git(path: Path, root: Path = Path(), *, measured: bool) -> bool:
    """Whether git tracks a file; where git does not know, whether it is one that git would have.

    Args:
        path: The file, relative to `root`.
        root: Root of the clone.
        measured: Whether the file is of results that are committed, as those of real data are.
    """
    try:
        return path.as_posix() in tracked_files(root, path.as_posix())
    except git.GitUnknown:
        return measured and (root / path).exists()


def tracked_content(path: Path, root: Path = Path()) -> bytes | None:
    """What git keeps of a file: staged, else of the last commit; None where it has no such."""
    try:
        return git.read(root, "cat-file", "blob", f":./{path.as_posix()}")
    except git.GitUnknown:
        return None


def _cpu() -> str:
    name = described().get("model name")
    return name or platform.processor() or platform.machine() or "unknown"


def _gpu() -> tuple[str | None, str | None]:
    """Name of the GPU in use and CUDA's version; nulls where this process has used none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None, None
    return str(torch.cuda.get_device_name()), str(torch.version.cuda)


def _driver() -> str | None:
    try:
        text = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    match = re.search(r"Kernel Module.*?\s(\d+(?:\.\d+)+)\s", text)
    return match[1] if match else None
