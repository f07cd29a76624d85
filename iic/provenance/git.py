"""What git says of a clone; where it says nothing, that and the reason: unknown is not no."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from iic.params.errors import IICError

SECONDS = 30
"""How long git may take; many jobs may ask at once, on a file system far away."""


class GitUnknown(IICError):
    """Git does not answer for this folder, which says nothing about what the answer would be."""


def ask(root: Path, *arguments: str) -> str:
    """What git prints in the clone at `root`; bytes that are not UTF-8 as Python's paths hold them.

    Raises:
        GitUnknown: There is no git, or no clone of its own at `root`; or git refuses.
    """
    top = _git(root, "rev-parse", "--show-toplevel").removesuffix("\n")
    # a copy of the tree inside some other repository must not be taken for that repository
    if Path(top).resolve() != root.resolve():
        raise GitUnknown(f"{root.resolve()}: no git clone, but a folder inside that of {top}")
    return _git(root, *arguments)


def _git(root: Path, *arguments: str) -> str:
    # a git hook exports these, and they would point git at another tree than `root`
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    # who runs the code of somebody else's clone trusts it already
    trusted = f"safe.directory={root.resolve()}"
    try:
        done = subprocess.run(
            # many jobs ask at once: do not fight over the lock of the index
            ["git", "--no-optional-locks", "-c", trusted, *arguments],
            cwd=root,
            env={**inherited, "LC_ALL": "C"},
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitUnknown(f"{root.resolve()}: git cannot be asked: {error}") from error
    if done.returncode:
        said = os.fsdecode(done.stderr).strip().splitlines() or [f"exit status {done.returncode}"]
        raise GitUnknown(f"{root.resolve()}: git cannot be asked: {said[0]}")
    return os.fsdecode(done.stdout)
