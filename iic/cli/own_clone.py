"""The clone that one stands in is the one that is judged, by its own code.

An environment holds the package of one clone. In a worktree, or in a copy of the clone, its ``iic``
would compare this clone's results with the other one's code.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from iic.params.errors import IICError

PACKAGE = Path(__file__).resolve().parents[1]


class OtherClone(IICError):
    """The code that runs is not that of the clone in the working directory."""


def require_clone() -> None:
    """Refuse to go on outside a clone: settings, results and the workflow are found from its root.

    Raises:
        IICError: The working directory is not the root of a clone, and no help was asked for; or
            something in ``params/`` would hang whoever reads it.
    """
    outside = not Path("params").is_dir() or not Path("workflow").is_dir()
    if outside and "--help" not in sys.argv[1:]:
        raise IICError(
            f"{Path.cwd()}: no params/ and workflow/ here: run iic in the root of the clone"
        )
    for path in Path("params").rglob("*"):
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise IICError(f"{path}: is a pipe or a device, and no file of settings: delete it")


def use_own_code() -> None:
    """Start again with the package of the clone in the working directory, if it has another.

    Raises:
        OtherClone: Python gives another clone's package even so.
    """
    here = Path.cwd() / "iic"
    if not (here / "cli" / "app.py").is_file() or here.samefile(PACKAGE):
        return
    if Path(sys.argv[0]).name != "iic":
        raise OtherClone(
            f"{Path.cwd()}: this clone would be judged by the code of another, {PACKAGE.parent}\n"
            "  remedy: python -m iic ... in the root of this clone, without PYTHONSAFEPATH and -P"
        )
    # -m takes the package of the working directory before any installed one
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "iic", *sys.argv[1:]])
