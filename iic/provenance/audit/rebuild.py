"""Does each table, built again from the files on disk, come out byte by byte the same?"""

from __future__ import annotations

import contextlib
import resource
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import takewhile

from iic.params.errors import IICError
from iic.provenance.audit.report import Finding
from iic.provenance.audit.tree import Tree
from iic.provenance.jobs import Job
from iic.publish.tables import build
from iic.records import paths


class Rebuild:
    """Builds every table of a tree again."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.rebuilt = 0

    def check(self) -> Iterator[Finding]:
        """Files of tables that are not what the evaluations and published numbers give."""
        for job, receipt in self.tree.present:
            if job.rule == "tabulate":
                yield from self._table(job, self.tree.differs(job, receipt))

    def _table(self, job: Job, stale: bool) -> Iterator[Finding]:
        name, scale = job.wildcards["name"], job.wildcards["scale"]
        remedy = f"delete it and run: iic run --scale {scale} {name}"
        missing = [
            path
            for path in map(paths.prepared_manifest, self.tree.plan.table_datasets(name))
            if not self.tree.exists(str(path))
        ]
        if missing:
            yield Finding(
                level="note",
                kind="rebuild",
                path=str(job.receipt),
                message=f"{name} is computed from prepared data that are not here "
                f"({', '.join(map(str, missing))}), so it was not built again",
                remedy=f"iic restore --scale {scale}",
            )
            return
        try:
            with _torch_or_none():
                files = build(self.tree.plan, name, self.tree.root).files(paths.table(scale, name))
        except IICError as error:
            yield Finding(
                level="drift" if stale else "failure",
                kind="rebuild",
                path=str(job.receipt),
                message=f"{name} cannot be built again: {error}",
                remedy=remedy,
            )
            return
        except ImportError as error:
            if (error.name or "").partition(".")[0] == "iic":
                raise
            # such as torch, of which a listing counts layers, under a limit of memory
            yield Finding(
                level="note",
                kind="rebuild",
                path=str(job.receipt),
                message=f"{name} was not built again: a package cannot be loaded here ({error})",
                remedy="audit where requirements.lock is installed, with memory to load it",
            )
            return
        self.rebuilt += 1
        for path, content in files.items():
            if not self.tree.exists(str(path)):
                continue  # said by the check of integrity
            written = (self.tree.root / path).read_bytes()
            if written != content:
                why = " (its code, definition or published numbers have changed since)"
                yield Finding(
                    level="drift" if stale else "failure",
                    kind="rebuild",
                    path=str(path),
                    message="differs from what its sources give: "
                    + first_difference(written, content)
                    + (why if stale else ""),
                    remedy=remedy,
                )


@contextlib.contextmanager
def _torch_or_none() -> Iterator[None]:
    """Make the import of torch raise where it would end the process, as it does in too little room.

    Nothing but the table of the networks' layers needs it.
    """
    if (
        "torch" in sys.modules
        or resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY
    ):
        yield
        return
    if not _torch_loads():
        sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if sys.modules.get("torch") is None:
            sys.modules.pop("torch", None)


@cache
def _torch_loads() -> bool:
    return not subprocess.run(
        [sys.executable, "-c", "import torch"], capture_output=True
    ).returncode


def first_difference(written: bytes, rebuilt: bytes) -> str:
    """Number and text of the first line that differs."""
    old = written.decode(errors="replace").splitlines()
    new = rebuilt.decode(errors="replace").splitlines()
    for number, (before, other) in enumerate(zip(old, new, strict=False), start=1):
        if before != other:
            start = _shared(before, other)
            return (
                f"line {number}: {_around(before, start)!r} there, "
                f"{_around(other, start)!r} rebuilt"
            )
    if len(old) != len(new):
        return f"{len(old)} lines there, {len(new)} rebuilt"
    return "line ends or encoding"


def _around(line: str, column: int) -> str:
    start = max(0, column - 30)
    return ("..." if start else "") + line[start : column + 30]


def _shared(before: str, other: str) -> int:
    """Length of the beginning that both have."""
    return sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, other, strict=False))
    )
