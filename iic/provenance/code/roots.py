"""What each kind of job runs: the roots from which its code is found.

Names of this list are followed into whatever they use. What they call by a name in a string (a
method's module, a dataset's reader, a figure) is a root of its own. Objects that a job is given,
settings above all, count by value; of their classes, the methods that the job uses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from iic.params.datasets import Dataset
from iic.params.errors import IICError
from iic.provenance.code.identity import Code, Identity
from iic.provenance.code.modules import CodeError as UnreadableCode

SOURCE = Path(__file__).resolve().parents[3]
"""Folder that holds the package: the root of the clone where it is installed as editable."""
_elsewhere: ContextVar[Path | None] = ContextVar("elsewhere", default=None)

BOOKKEEPING = {
    "iic.cli.job": "checks what a job reads, and writes its receipt",
    "iic.cli.logs": "shows what a job says",
    "iic.params.escaping": "makes text fit to be shown",
    "iic.records.checksums": "verifies what an unfinished run has left",
    "iic.records.files": "reads and writes files, each whole or not at all, and hashes them",
    "iic.records.parquet_footer": "tells how large tables are, of which too large ones are refused",
    "iic.records.paths": "says where files lie",
    "iic.records.receipt": "describes jobs",
    "iic.engine.progress": "shows how far a training is",
    "iic.data.progress": "shows how far a preparation is",
}
"""Code that no result depends on, and why; it is not followed. A test compares it with what
runs."""

CATALOGUE_ENTRY = "iic.params.datasets.Dataset"
PLAN = (
    "iic.params.runs.Plan", "iic.params.resolve.Run", "iic.params.scales.Scale",
    "iic.params.experiments.Table", "iic.params.experiments.Figure",
    "iic.params.experiments.Listing", "iic.params.definitions.Definition", CATALOGUE_ENTRY,
)  # fmt: skip
"""Classes of what tables, figures and pages are given."""


class CodeError(IICError):
    """Code that a job needs does not exist or is no valid Python."""


def preparation(entry: Dataset, source: Path | None = None) -> Identity:
    """The code that prepares a dataset: what all have in common, and its reader.

    Args:
        entry: The dataset.
        source: Folder that holds the package; `SOURCE` by default.
    """
    if entry.maps is not None:
        roots = ["iic.data.prepare_maps.prepare_maps", f"{entry.module}.open_maps"]
    else:
        roots = ["iic.data.prepare.prepare", f"{entry.module}.read"]
        if _defines(entry.module, "folds", source):
            roots.append(f"{entry.module}.folds")
    return _identity(tuple(roots), (CATALOGUE_ENTRY,), source)


def training(methods: Iterable[str], entry: Dataset, source: Path | None = None) -> Identity:
    """The code of a training, and of the preparation of its data.

    Args:
        methods: Module of the method, and of the one whose weights it starts from, if any.
        entry: The dataset.
        source: Folder that holds the package; `SOURCE` by default.
    """
    methods = tuple(methods)
    kind = "images" if entry.maps is None else "maps"
    roots = (*(f"{method}.train" for method in methods), f"iic.cli.training.train_{kind}")
    settings = (f"{method}.Settings" for method in methods)
    own = _identity(roots, (*settings, CATALOGUE_ENTRY), source)
    data = preparation(entry, source)
    value = hashlib.sha256(f"{own.value}\n{data.value}".encode()).hexdigest()
    return Identity(value, dict(sorted({**data.definitions, **own.definitions}.items())))


def evaluation() -> Identity:
    """The code that scores a run."""
    given = ("iic.params.evaluation.EvaluationSettings", CATALOGUE_ENTRY)
    return _identity(("iic.evaluate.run.evaluate_run",), given)


def table(methods: Iterable[str]) -> Identity:
    """The code that writes a table of runs of these methods."""
    return _display(("iic.publish.tables.write",), methods)


def listing(module: str, methods: Iterable[str]) -> Identity:
    """The code that writes a listing: ``build`` of `module`."""
    return _display((f"{module}.build", "iic.publish.built.write_files"), methods)


def figure(module: str, methods: Iterable[str]) -> Identity:
    """The code that draws a figure: ``draw`` of `module`."""
    return _display((f"{module}.draw", "iic.publish.figures.saving.write"), methods)


def audit(methods: Iterable[str]) -> Identity:
    """The code of the audit."""
    return _display(("iic.provenance.audit.run.audit", "iic.provenance.audit.run.write"), methods)


def report(methods: Iterable[str]) -> Identity:
    """The code that makes the report page."""
    roots = ("iic.publish.report.page.write", "iic.provenance.audit.page.view")
    return _display(roots, methods)


@contextmanager
def code_in(folder: Path | None) -> Iterator[None]:
    """Inside, identities are those of the code in another folder; None changes nothing."""
    token = _elsewhere.set(folder)
    try:
        yield
    finally:
        _elsewhere.reset(token)


def forget() -> None:
    """Read all files anew from now on, in a process that has seen them change."""
    _code.cache_clear()
    _identity_in.cache_clear()


def _defines(module: str, name: str, source: Path | None) -> bool:
    try:
        defined = _code(source or _elsewhere.get() or SOURCE).module(module)
    except UnreadableCode as error:
        raise CodeError(str(error)) from None
    return defined is not None and name in defined.definitions


def _display(roots: tuple[str, ...], methods: Iterable[str]) -> Identity:
    settings = (f"{method}.Settings" for method in dict.fromkeys(methods))
    return _identity(roots, (*settings, *PLAN))


def _identity(
    roots: tuple[str, ...], given: tuple[str, ...], source: Path | None = None
) -> Identity:
    return _identity_in(roots, given, source or _elsewhere.get() or SOURCE)


@cache
def _identity_in(roots: tuple[str, ...], given: tuple[str, ...], source: Path) -> Identity:
    try:
        return _code(source).identity(roots, given)
    except UnreadableCode as error:
        raise CodeError(str(error)) from None


@cache
def _code(source: Path) -> Code:
    return Code(source, BOOKKEEPING)
