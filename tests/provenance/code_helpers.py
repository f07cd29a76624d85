from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from iic.provenance.code.identity import Code, Identity

ROOT = Path(__file__).resolve().parents[2]


def write(source: Path, **modules: str) -> Path:
    """A package `iic` of these modules; ``room__a`` is ``iic.room.a``."""
    (source / "iic").mkdir(parents=True, exist_ok=True)
    (source / "iic/__init__.py").touch()
    for name, text in modules.items():
        path = source / "iic" / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(text)
    return source


def identity(
    source: Path, *roots: str, given: tuple[str, ...] = (), uncounted: tuple[str, ...] = ()
) -> Identity:
    """The code below `source` as it is now."""
    return Code(source, uncounted).identity(roots or ("iic.a.f",), given)


def interpreters() -> list[str]:
    """This Python and the others from 3.11 on that are to be found."""
    found = [shutil.which(f"python3.{minor}") for minor in (11, 12, 13, 14)]
    found += [str(one) for one in Path.home().glob(".pyenv/versions/3.1[1-4].*/bin/python")]
    working = [sys.executable]
    for python in dict.fromkeys(one for one in found if one):
        version = "import sys; sys.exit(sys.version_info < (3, 11))"
        if subprocess.run([python, "-c", version], capture_output=True).returncode == 0:
            working.append(python)
    return working
