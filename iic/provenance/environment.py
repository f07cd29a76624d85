"""What the receipts say of the machine, the packages and the code that a job ran with.

Nothing heavy is imported for it: versions come from the packages' metadata, and a GPU is asked
about only where the job itself has used one.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import psutil

from iic.provenance.lock_file import LOCK, lock_hash
from iic.records.receipt import Code, Environment

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
        cpu_count=os.cpu_count() or 1,
        threads=threads,
        memory_bytes=psutil.virtual_memory().total,
        gpu=gpu,
        cuda=cuda,
        driver=_driver() if gpu else None,
    )


def code_state(root: Path = Path()) -> Code:
    """Commit of the clone, and whether its code differs from it; nulls outside a git clone."""
    top = _git(root, "rev-parse", "--show-toplevel")
    # a copy of the tree inside some other repository must not be taken for that repository
    if top is None or Path(top.strip()).resolve() != root.resolve():
        return Code(commit=None, dirty=None)
    commit = _git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    changed = uncommitted_code(root)
    return Code(
        commit=commit.strip() if commit else None,
        dirty=None if changed is None else bool(changed),
    )


def uncommitted_code(root: Path = Path()) -> list[str] | None:
    """Files of code, settings and lock that no commit has as they are; None where git fails."""
    present = [path for path in CODE_PATHS if (root / path).exists()]
    found = _git(root, "status", "--porcelain", "--untracked-files=normal", "--", *present)
    return None if found is None else [line[3:] for line in found.splitlines()]


def tracked_files(root: Path, *folders: str) -> frozenset[str]:
    """Files below `folders` that git tracks, relative to `root`; none outside a git clone."""
    if code_state(root).commit is None:
        return frozenset()
    listed = _git(root, "ls-files", "-z", "--", *folders)
    return frozenset(filter(None, (listed or "").split("\0")))


def tracked_content(path: Path, root: Path = Path()) -> bytes | None:
    """What git keeps of a file: staged, else of the last commit; None where it tracks no such."""
    return _git_bytes(root, "cat-file", "blob", f":./{path.as_posix()}")


def _git(root: Path, *arguments: str) -> str | None:
    said = _git_bytes(root, *arguments)
    # names of files need not be UTF-8
    return None if said is None else os.fsdecode(said)


def _git_bytes(root: Path, *arguments: str) -> bytes | None:
    # a git hook exports these, and they would point git at another tree than `root`
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    try:
        done = subprocess.run(
            # many jobs ask at once: do not fight over the lock of the index
            ["git", "--no-optional-locks", *arguments],
            cwd=root,
            env=inherited,
            capture_output=True,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, flags=re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine() or "unknown"


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
    found = re.search(r"Kernel Module.*?\s(\d+(?:\.\d+)+)\s", text)
    return found[1] if found else None
