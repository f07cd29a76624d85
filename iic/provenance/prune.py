"""``iic prune``: files that no job of today's plan makes, and their removal.

Outputs persist when a run, a seed, a table or a figure is taken out of params/, and DVC hashes
their folders with everything in them, as if all of it were current (trap H7).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from iic.params.base import Model
from iic.params.errors import IICError
from iic.params.runs import Plan, load_plan, scale_names
from iic.provenance.audit.orphans import TEMPORARY, strangers
from iic.provenance.audit.tree import Tree
from iic.provenance.audit.workshop import PREFIX
from iic.provenance.environment import tracked_files
from iic.provenance.git import GitUnknown
from iic.provenance.jobs import log_of
from iic.provenance.snakemake_lock import refuse_while_busy
from iic.records import paths
from iic.records.files import Readable

Place = Literal["results", "scratch", "logs", "re-runs", "data"]
"""``re-runs``: a whole folder in which an audit trained again, and was killed."""

LOGGED = ("train", "evaluate", "tabulate", "draw")
"""Rules with a log of their own for each job, in a folder of the scale called as the rule."""
MARKERS = frozenset({".snakemake_timestamp"})
"""What Snakemake puts into a folder that it made, and what goes with that folder."""


class PruneError(IICError):
    """A file could not be deleted."""


class LeftOver(Model):
    """One file that no job makes, or one folder of a killed audit."""

    path: Readable
    """Relative to the root of the clone."""
    place: Place
    bytes: int
    """Size of the file, or of all files in the folder; of a link, that of the link itself, since no
    more than it is deleted."""
    in_git: bool | None
    """None where git does not say."""
    """Whether git tracks it, so that deleting it is a change to commit."""


class Pruned(Model):
    """Answer of ``iic prune``."""

    scale: str
    deleted: bool
    """False where the files were only looked for."""
    bytes: int
    files: tuple[LeftOver, ...]
    """By place, then by path."""


def prune(plan: Plan, root: Path = Path(), *, data: bool = False, delete: bool = False) -> Pruned:
    """Look for files that no job of the plan makes, and delete them where asked.

    Looked at are the results of this scale, its checkpoints and its logs; never those of another
    scale. Of the results, it is what the audit calls orphans, and the partial forms of tables
    that are there or in no plan. The folders of killed audits belong to no scale.

    Args:
        plan: The scale's plan.
        root: Root of the clone; settings are those of the working directory.
        data: Also datasets, raw and prepared, that no scale uses. Of those in use, what a later
            download or preparation goes on from stays.
        delete: Delete what was found.

    Returns:
        What was found, deleted or not.

    Raises:
        Busy: `delete`, while a Snakemake holds the clone.
        PruneError: A file could not be deleted; those before it are.
    """
    if delete:
        refuse_while_busy(root, "prune deletes nothing")
    tree = Tree(plan, root)
    left_over: list[tuple[Place, str]] = [("results", name) for name in strangers(tree)]
    left_over += [("results", name) for name in _partial(tree)]
    left_over += [("scratch", name) for name in _scratch(tree)]
    left_over += [("logs", name) for name in _logs(tree)]
    left_over += [("re-runs", name) for name in _workshops(root)]
    if data:
        left_over += [("data", name) for name in _data(root)]
    tracked = _tracked(root, {name.split("/")[0] for _, name in left_over}) if left_over else None
    files = tuple(
        LeftOver(
            path=name,
            place=kind,
            bytes=_bytes(root / name),
            in_git=None if tracked is None else name in tracked,
        )
        for kind, name in left_over
    )
    if delete:
        for _, name in left_over:
            _delete(root, Path(name))
    return Pruned(
        scale=plan.scale.name,
        deleted=delete,
        bytes=sum(file.bytes for file in files),
        files=files,
    )


def _tracked(root: Path, folders: set[str]) -> frozenset[str] | None:
    try:
        return tracked_files(root, *folders)
    except GitUnknown:
        return None


def _partial(tree: Tree) -> Iterator[str]:
    """Partial tables that stand for nothing: the table is there, or the scale has none."""
    scale = tree.scale
    open_ones = {
        name for name in tree.plan.tables if not tree.exists(str(paths.table(scale, name)))
    }
    for name in _files(tree.root, paths.partial_table(scale, "").parent):
        if name.rpartition("/")[2].split(".")[0] not in open_ones:
            yield name


def _scratch(tree: Tree) -> Iterator[str]:
    """Checkpoints of trainings that are not in the plan."""
    expected = {
        paths.RunPaths(tree.scale, run.id, seed).scratch.as_posix()
        for run in tree.plan.runs.values()
        for seed in run.seeds
    }
    for name in _files(tree.root, paths.SCRATCH / tree.scale):
        # scratch/<scale>/<dataset>/<run>/seed<N>/...
        if "/".join(name.split("/")[:5]) not in expected:
            yield name


def _logs(tree: Tree) -> Iterator[str]:
    """Logs and checks of jobs that are not in the plan; logs where a rule has one for each job."""
    stems = {log_of(job).with_suffix("").as_posix() for job in tree.jobs}
    for rule in LOGGED:
        for name in _files(tree.root, paths.LOGS / tree.scale / rule):
            folder, _, file = name.rpartition("/")
            if f"{folder}/{file.split('.')[0]}" not in stems:
                yield name
    checks = {paths.check_of(job.receipt).as_posix() for job in tree.jobs}
    for name in _files(tree.root, paths.check_of(paths.RESULTS / tree.scale)):
        if name not in checks:
            yield name


def _workshops(root: Path) -> Iterator[str]:
    """Folders in which an audit repeated trainings; one that is not killed deletes its own."""
    for workshop in sorted((root / paths.SCRATCH).glob(f"{PREFIX}*")):
        # a scale may be called so, and that would be the folder of its checkpoints
        if workshop.is_dir() and not workshop.is_symlink() and workshop.name not in scale_names():
            yield workshop.relative_to(root).as_posix()


def _data(root: Path) -> Iterator[str]:
    """Files of datasets that no scale uses, their logs, and of others what nobody goes on from.

    ``<file>.part`` of a dataset in use is a download, or an array, that a later try completes;
    what a killed `atomic_file` left has a name that begins with a dot.
    """
    used = {name for scale in scale_names() for name in load_plan(scale).datasets}
    for folder in (paths.RAW, paths.PREPARED):
        for name in _files(root, folder):
            inside = name.split("/")[2:]
            dead = inside[-1].startswith(".") and inside[-1].endswith(TEMPORARY)
            if dead or (len(inside) > 1 and inside[0] not in used):
                yield name
    for rule in ("download", "prepare"):
        for name in _files(root, paths.data_log(rule, "").parent):
            if name.rpartition("/")[2].split(".")[0] not in used:
                yield name


def _files(root: Path, folder: Path) -> Iterator[str]:
    """Every file below `folder`, sorted; links to folders are not followed."""
    for folder_path, folders, names in os.walk(root / folder):
        folders.sort()
        for name in sorted(names):
            yield (Path(folder_path) / name).relative_to(root).as_posix()


def _bytes(path: Path) -> int:
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    return sum((path / name).lstat().st_size for name in _files(path, Path()))


def _delete(root: Path, path: Path) -> None:
    """Delete a file, and the folders that it leaves empty, up to that of its scale or kind.

    Of a folder, all that is in it; links are removed and never followed.
    """
    try:
        if (root / path).is_dir() and not (root / path).is_symlink():
            shutil.rmtree(root / path)
            return
        (root / path).unlink(missing_ok=True)
        # parts 0 and 1 are such as results/mini, scratch/mini, data/raw
        for above in list(path.parents)[: len(path.parts) - 3]:
            left = {entry.name for entry in (root / above).iterdir()}
            if left - MARKERS:
                break
            for name in left:
                (root / above / name).unlink()
            (root / above).rmdir()
    except OSError as error:
        raise PruneError(
            f"{path}: cannot be deleted: {error.strerror}; what was listed before it is deleted"
        ) from error
