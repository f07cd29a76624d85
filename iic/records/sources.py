"""``<name>.sources.json``: from a table's cells, or a figure's series, to receipts."""

from __future__ import annotations

from pydantic import Field

from iic.params.base import Model
from iic.params.experiments import Fidelity, Selection
from iic.records.receipt import FileRecord, ParentRecord

SCHEMA_VERSION = 1


class SeedSource(Model):
    """One seed's share of a cell or a series."""

    run: str
    """``<dataset>/<method>[-<variant>]``."""
    seed: int
    file: FileRecord
    """What the numbers were read from."""
    receipt: ParentRecord
    """The receipt of the job that wrote `file`."""


class Cell(Model):
    """One line of the tidy csv and the evaluations that it is the mean of."""

    row: str
    column: str
    """The dataset that ran."""
    paper_column: str
    """The paper's head of the column."""
    selection: Selection | None
    fidelity: Fidelity | None
    seeds: list[SeedSource]
    """One a seed, and a fold where the cell is a mean over folds; empty where nothing was run."""
    published: str | None
    """Where the published number stands."""


class Series(Model):
    """One curve, panel or listing of a figure."""

    name: str
    seeds: list[SeedSource] = Field(default_factory=list)
    modules: list[str] = Field(default_factory=list)
    """Modules of this package that it is computed from; the receipt's fingerprint has their
    hashes."""
    files: list[FileRecord] = Field(default_factory=list)
    """Descriptions of prepared data that it is computed from; the receipt names them as inputs."""


class Sources(Model):
    """The whole file; a table has cells, a figure or a listing has series."""

    schema_version: int = Field(SCHEMA_VERSION, ge=1, le=SCHEMA_VERSION)
    scale: str
    name: str = Field(pattern=r"^[a-z0-9_]+$")
    cells: list[Cell] = Field(default_factory=list)
    series: list[Series] = Field(default_factory=list)
