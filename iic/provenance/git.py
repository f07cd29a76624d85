"""What git says of a clone; where it says nothing, that and the reason: unknown is not no.

Somebody else may have prepared the clone. Its ``.git/config`` and attributes can name programs for
git to run (``core.fsmonitor``, filters, diffs, hooks, the transport of a missing object), so git
never reads them: it is given a folder of its own in place of ``.git``, which links to the clone's
objects, refs and index and holds two settings. Files of the clone are compared here and not by
``git status``, which believes the index and looks into submodules.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iic.params.errors import IICError

SECONDS = 30
"""How long git may take; many jobs may ask at once, on a file system far away."""
LINKED = ("objects", "refs", "packed-refs", "reftable", "shallow")
"""What is linked to, of that which all worktrees of a clone share."""
EXTENSIONS = {"objectformat": ("sha1", "sha256"), "refstorage": ("files", "reftable")}
"""How a clone may keep its objects and refs; git has to be told."""
ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",  # many jobs ask at once: do not fight over the lock of the index
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
COMMAND = ("git", "--no-pager", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")
LINK, FILE, SUBMODULE = "120000", ("100644", "100755"), "160000"
"""Modes of a tree's entries."""


class GitUnknown(IICError):
    """Git does not answer for this folder, which says nothing about what the answer would be."""


def ask(root: Path, *arguments: str, given: bytes = b"") -> str:
    """What git prints in the clone at `root`; bytes that are not UTF-8 as Python's paths hold them.

    Args:
        root: Root of the clone.
        arguments: A command that only reads, and its arguments; paths in it are no patterns.
        given: Its standard input.

    Raises:
        GitUnknown: There is no git, or no clone of its own at `root`; or git refuses.
    """
    return os.fsdecode(read(root, *arguments, given=given))


def read(root: Path, *arguments: str, given: bytes = b"") -> bytes:
    """The same as bytes."""
    with _private_folder(root) as (folder, index):
        places = {"GIT_DIR": folder, "GIT_WORK_TREE": root.resolve(), "GIT_INDEX_FILE": index}
        return _run(root, [*COMMAND, *arguments], given, {k: str(v) for k, v in places.items()})


def committed(root: Path, *paths: str, commit: str = "HEAD") -> dict[str, tuple[str, str]]:
    """Files of a commit below `paths`: path -> its mode and the hash of its content.

    The commit and the trees that say so are hashed here, so that they are those of its name.

    Args:
        root: Root of the clone.
        paths: Files or folders; all of the commit if there are none.
        commit: Name of the commit, by default the last one.

    Raises:
        GitUnknown: As `ask`; or an object is not what its name says.
    """
    commit = commit_of(root, commit)
    top = ask(root, "rev-parse", "--verify", f"{commit}^{{tree}}").strip()
    listed = ask(root, "ls-tree", "-r", "-t", "-z", "--full-tree", commit, "--", *paths)
    entries: dict[str, tuple[str, str]] = {}
    trees = [commit, top]
    for line in filter(None, listed.split("\0")):
        (mode, kind, name), path = line.partition("\t")[0].split(), line.partition("\t")[2]
        if kind == "tree":
            trees.append(name)
        else:
            entries[path] = mode, name
    for _ in _proved(root, trees):
        pass
    return entries


def commit_of(root: Path, name: str) -> str:
    """The hash of the commit that a branch, a tag or a part of a hash names.

    Raises:
        GitUnknown: There is none; or as `ask`.
    """
    words = ("rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}")
    return ask(root, *words).strip().splitlines()[-1]


def write_files(root: Path, commit: str, folder: Path) -> None:
    """Write the files of a commit into an empty folder, as a worktree with the clone's history.

    Nothing is written in the clone. Attributes and filters have no say: each file is the object
    that the commit names, and has its hash.

    Args:
        root: Root of the clone.
        commit: Hash of the commit.
        folder: Where the files go.

    Raises:
        GitUnknown: As `committed`; or a file of the commit would lie elsewhere than in `folder`.
    """
    entries = committed(root, commit=commit)
    modes = {path: mode for path, (mode, _) in entries.items() if mode != SUBMODULE}
    contents = _proved(root, [entries[path][1] for path in modes])
    links = {}
    for (path, mode), content in zip(modes.items(), contents, strict=True):
        if {"", ".", "..", ".git"} & set(path.lower().split("/")):
            raise GitUnknown(f"{root.resolve()}: commit {commit[:12]} has a file {path!r}")
        if mode == LINK:
            links[folder / path] = content
            continue
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    for place, target in links.items():  # last, so that nothing is written through one
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(os.fsdecode(target))
    own = _git_folder(root)
    shared = own / _text(own / "commondir") if (own / "commondir").is_file() else own
    (folder / ".git").mkdir()
    (folder / ".git/HEAD").write_text(f"{commit}\n", encoding="utf-8")
    (folder / ".git/commondir").write_text(f"{shared.resolve()}\n", encoding="utf-8")


def differing(root: Path, *paths: str) -> list[str]:
    """Files below `paths` that are not as the last commit has them, or that it lacks; sorted.

    Neither the index nor any list of files to ignore has a say in it. Hidden files and bytecode in
    its own folders are nobody's code.

    Raises:
        GitUnknown: As `committed`.
    """
    entries = committed(root, *paths)
    changed = {path for path, entry in entries.items() if not _same(root / path, *entry)}
    return sorted(changed | (set(_present(root, paths)) - entries.keys()))


def _same(path: Path, mode: str, name: str) -> bool:
    """Whether a file is the one of the commit; a submodule, with commits of its own, never is."""
    try:
        if path.is_symlink():
            return mode == LINK and _object_name("blob", os.fsencode(path.readlink()), name) == name
        # never opened: what is no file, such as a pipe
        if mode not in FILE or not path.is_file():
            return False
        return _object_name("blob", path.read_bytes(), name) == name
    except OSError:
        return False


def _present(root: Path, paths: tuple[str, ...]) -> Iterator[str]:
    """Whatever lies below `paths`, folders aside."""
    for path in paths:
        top = root / path
        if top.is_symlink() or not top.is_dir():
            if os.path.lexists(top):
                yield path
            continue
        for folder, folders, files in os.walk(top):
            linked = [name for name in folders if os.path.islink(os.path.join(folder, name))]
            folders[:] = [
                name
                for name in folders
                if name[0] != "." and name != "__pycache__" and not name.endswith(".egg-info")
            ]
            for name in (*files, *linked):
                if name[0] != ".":
                    yield os.path.relpath(os.path.join(folder, name), root)


def _proved(root: Path, names: list[str]) -> Iterator[bytes]:
    """Content of each object, which has the hash that is its name."""
    rest = read(root, "cat-file", "--batch", given="".join(f"{name}\n" for name in names).encode())
    for name in names:
        head, _, rest = rest.partition(b"\n")
        parts = head.decode(errors="replace").split()
        if len(parts) != 3 or not parts[2].isdigit():
            raise GitUnknown(f"{root.resolve()}: git cannot be asked: object {name} is missing")
        size = int(parts[2])
        if _object_name(parts[1], rest[:size], name) != name:
            raise GitUnknown(
                f"{root.resolve()}: git cannot be asked: object {name} is not what its name says: "
                "take the clone anew"
            )
        yield rest[:size]
        rest = rest[size + 1 :]


def _object_name(kind: str, content: bytes, like: str) -> str:
    """Git's name of an object, by the hash that made the name `like`."""
    method = hashlib.sha256 if len(like) == 64 else hashlib.sha1
    return method(f"{kind} {len(content)}\0".encode() + content).hexdigest()


@contextmanager
def _private_folder(root: Path) -> Iterator[tuple[Path, Path]]:
    """A folder that git takes for ``.git``, and the clone's index."""
    own = _git_folder(root)
    common = own
    if (own / "commondir").is_file():  # a worktree
        common = own / _text(own / "commondir")
    settings = ["[core]", "repositoryformatversion = 1", "bare = false", "[extensions]"]
    settings += [f"{key} = {value}" for key, value in _extensions(root, common / "config")]
    with tempfile.TemporaryDirectory(prefix="iic-git-") as name:
        folder = Path(name)
        (folder / "config").write_text("\n".join(settings) + "\n", encoding="utf-8")
        (folder / "HEAD").write_text(_text(own / "HEAD") + "\n", encoding="utf-8")
        shared = [common / part for part in LINKED]
        for path in (*shared, *own.glob("sharedindex.*")):
            if path.is_dir() or path.is_file():
                (folder / path.name).symlink_to(path)
        index = own / "index"
        yield folder, index if index.is_file() else folder / "index"


def _git_folder(root: Path) -> Path:
    """Where a clone keeps what git knows of it: ``.git``, or what that file names."""
    own = root.resolve() / ".git"
    if own.is_file() and (named := re.fullmatch(r"gitdir: (.+)", _text(own))):
        own = root.resolve() / named[1]
    if own.is_dir() and (own / "HEAD").is_file():
        return own
    # a copy of the tree inside some other repository must not be taken for that repository
    above = next((top for top in root.resolve().parents if (top / ".git").exists()), None)
    why = "it is no git repository" + (f", but a folder inside that of {above}" if above else "")
    raise GitUnknown(f"{root.resolve()}: git cannot be asked: {why}")


def _extensions(root: Path, config: Path) -> Iterator[tuple[str, str]]:
    """Those `EXTENSIONS` that the clone has; `--file` follows no ``include.path``."""
    if not config.is_file() or "extensions" not in _text(config).lower():
        return
    command = [*COMMAND, "config", "--file", str(config), "--get-regexp", r"^extensions\."]
    try:
        lines = os.fsdecode(_run(root, command, b"", {"GIT_DIR": os.devnull})).splitlines()
    except GitUnknown:
        return  # none
    for key, _, value in (line.partition(" ") for line in lines):
        if value in EXTENSIONS.get(key.removeprefix("extensions."), ()):
            yield key.removeprefix("extensions."), value


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape").strip()
    except OSError as error:
        raise GitUnknown(f"{path}: cannot be read: {error.strerror}") from error


def _run(root: Path, command: list[str], given: bytes, places: dict[str, str]) -> bytes:
    # a git hook exports these, and they would point git at another tree than `root`
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    try:
        done = subprocess.run(
            command,
            cwd=root,
            env={**inherited, **ENVIRONMENT, **places},
            input=given,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitUnknown(f"{root.resolve()}: git cannot be asked: {error}") from error
    if done.returncode:
        said = os.fsdecode(done.stderr).strip().splitlines() or [f"exit status {done.returncode}"]
        raise GitUnknown(f"{root.resolve()}: git cannot be asked: {said[0]}")
    return done.stdout
