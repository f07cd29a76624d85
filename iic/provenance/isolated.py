"""A Python that runs nothing of the environment and of the clone but what it is asked to.

An ordinary start runs every ``.pth`` file and ``sitecustomize`` of the environment, believes the
bytecode that lies beside a source, and finds ``numpy.py`` of the working directory before NumPy.
Each of them could make an audit say what its author likes. So the audit starts again: isolated
(``-I``), without ``site`` (``-S``), with the folders of packages alone, with bytecode of packages
in a folder of the user's own, and with the project's modules compiled from their source each time.

Standard library only, at the top: this is called before anything else is imported.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
"""Folder that holds the package."""
EXPECTED = ("distutils-precedence.pth", "__editable__.iic-", "_virtualenv.pth")
"""How names of ``.pth`` files begin that every environment of this project has."""
NEEDED = ("numpy", "pydantic", "typer")
"""Packages without which nothing runs."""
START = """
import importlib.machinery as machinery, os, sys
root, number, module = sys.argv[1], int(sys.argv[2]), sys.argv[3]
packages, arguments = sys.argv[4 : 4 + number], sys.argv[4 + number :]
class Source(machinery.SourceFileLoader):
    def get_code(self, fullname):
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)
finder = machinery.FileFinder.path_hook((Source, machinery.SOURCE_SUFFIXES))
def own(path):
    if not path.startswith(os.path.join(root, "iic")) and (path != root or root in packages):
        raise ImportError
    return finder(path)
sys.path_hooks.insert(0, own)
sys.path += [*packages, root]
sys.argv = ["iic", *arguments]
import importlib
importlib.import_module(module).main()
"""
"""The clone comes last, so that no file in its root stands for a package."""


def active() -> bool:
    """Whether this process was started so."""
    return bool(sys.flags.isolated and sys.flags.no_site and sys.pycache_prefix)


def command(
    arguments: Sequence[str], source: Path = SOURCE, module: str = "iic.cli.app"
) -> list[str]:
    """The command line of ``iic`` in such a process.

    Args:
        arguments: Those of ``iic``.
        source: Folder that holds the package.
        module: Whose ``main`` is called.
    """
    packages = package_folders()
    flags = ["-I", "-S", "-X", f"pycache_prefix={bytecode()}"]
    head = [sys.executable, *flags, "-c", START, str(source), str(len(packages)), module]
    return [*head, *packages, *arguments]


def another(
    module: str, arguments: Sequence[str], folder: Path, source: Path | None = None
) -> tuple[list[str], dict[str, str]]:
    """The command line and variables of a process that is as clean as this one.

    Args:
        module: Whose ``main`` it calls.
        arguments: What that finds in ``sys.argv``.
        folder: Where it is started.
        source: Folder that holds the package; `folder` by default.
    """
    # the package of that folder, which Python finds in its working directory, and no other
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if active():
        return command(arguments, source or folder, module), variables
    if source is not None and source.resolve() != folder.resolve():
        variables["PYTHONPATH"] = str(source)
    start = f"from {module} import main; main()"
    return [sys.executable, "-c", start, *arguments], variables


def restart() -> None:
    """Start this command again in such a process; return where this is one, or none can be had.

    None can be had where the packages are not in the environment's own folder. That is logged.
    """
    if active():
        return
    folders = [Path(folder) for folder in package_folders()]
    if not all(any((folder / name).is_dir() for folder in folders) for name in NEEDED):
        logging.getLogger(__name__).warning(
            "this audit runs whatever the environment of %s runs at its start, since packages lie "
            "elsewhere than in it; to avoid that: make setup",
            sys.executable,
        )
        return
    sys.stdout.flush()
    sys.stderr.flush()
    line = command(sys.argv[1:])
    os.execv(line[0], line)


def package_folders() -> list[str]:
    """Where this environment's packages lie; what else is on the path may be anybody's."""
    if active():  # where nobody has told Python of the environment
        return [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    folders = [sysconfig.get_path(name) for name in ("purelib", "platlib")]
    return [path for path in dict.fromkeys(folders) if os.path.isdir(path)]


def bytecode() -> str:
    """A folder that is this user's alone, for the bytecode of packages; else one that is not there.

    What is not there is not made: Python then compiles each time.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = os.path.join(cache, "iic", "bytecode")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        state = os.lstat(folder)
    except OSError:
        return os.devnull
    own = stat.S_ISDIR(state.st_mode) and state.st_uid == os.geteuid() and not state.st_mode & 0o022
    return folder if own else os.devnull


def start_files() -> Iterator[str]:
    """What an ordinary start of this environment would run, and no project of this kind brings."""
    for folder in package_folders():
        for name in sorted(os.listdir(folder)):
            customised = name.split(".")[0] in ("sitecustomize", "usercustomize")
            if customised or (name.endswith(".pth") and not name.startswith(EXPECTED)):
                yield os.path.join(folder, name)
