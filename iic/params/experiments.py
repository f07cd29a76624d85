"""Models of ``params/experiments/*.yaml``, one file a paper table, and ``params/figures.yaml``."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from iic.params.base import Model

ID = r"^[a-z0-9_]+$"
RUN = r"^[a-z0-9_]+(-[a-z0-9_]+)?$"
RUN_OF_DATASET = r"^[a-z0-9_]+/[a-z0-9_]+(-[a-z0-9_]+)?$"
DOTTED = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$"

Selection = Literal["as_published", "as_published_mean", "label_free", "mean_head"]
Fidelity = Literal["as_published", "corrected", "own"]
Kind = Literal["iic", "baseline"]
"""Whose a method is: IIC itself (finetuning of its clusterings included), or another's."""
Reads = Literal["history", "assignments", "probabilities", "snapshots", "data"]
"""What a figure can read of each of its runs besides the evaluation."""
FILE = r"^[A-Za-z0-9_]+(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$"


def repeated(names: Iterable[str]) -> str | None:
    """The first name that stands more than once, or None."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


class Column(Model):
    """One column of a table, as the paper heads it: a dataset, or a share of the labels."""

    paper: str
    dataset: str | None = Field(None, pattern=ID)
    """The dataset that it stands for."""
    fraction: float | None = Field(None, gt=0, le=1)
    """Share of the labels that clusters are mapped with; each row then gives its dataset."""

    @model_validator(mode="after")
    def _one_kind(self) -> Column:
        if (self.dataset is None) == (self.fraction is None):
            raise ValueError(f"column {self.paper!r}: give dataset or fraction, one of the two")
        return self


class Row(Model):
    """One row of a table.

    A row that gives `method` (or `like`) defines a run; a row with `run` alone refers to a run
    defined elsewhere; a row without `run` has only its published number, or is not run yet.
    """

    row: str
    """The paper's name of the row."""
    run: str | None = Field(None, pattern=RUN)
    """``<method>[-<variant>]``."""
    method: str | None = Field(None, pattern=DOTTED)
    """Dotted path of the method's module."""
    kind: Kind | None = Field(None, json_schema_extra={"no_influence": True})
    """Beside `method`: whether target ``train`` or ``baselines`` has its runs; baseline without."""
    like: str | None = Field(None, pattern=RUN)
    """A run, of this file or else of another, whose method and settings this run starts from."""
    dataset: str | None = Field(None, pattern=ID)
    """The paper's dataset, in a table whose columns are shares of labels."""
    folds: int | None = Field(None, ge=2)
    """The row is the mean over so many runs, ``<run>0``, ``<run>1``, ..., each with its `fold`."""
    settings: dict[str, Any] = {}
    """Settings on every dataset."""
    datasets: dict[str, dict[str, Any]] = {}
    """Settings by dataset, on top of `settings`; a run exists on the datasets named here."""
    selections: Annotated[tuple[Selection, ...], Field(min_length=1)] = ("label_free",)
    """How the reported model is picked; one line of the table each."""
    fidelity: Fidelity = "as_published"
    status: Literal["not_run", "published_only"] | None = None
    reason: str | None = None
    """Why the row is not run."""

    @model_validator(mode="after")
    def _complete(self) -> Row:
        if self.run is None and (self.status is None or not self.reason):
            raise ValueError(f"row {self.row!r} without a run needs a status and a reason")
        if self.run is None and (self.method or self.like or self.settings or self.datasets):
            raise ValueError(f"row {self.row!r} gives settings but no run")
        if self.run is not None and (self.status or self.reason):
            raise ValueError(f"row {self.row!r} has a run, so status and reason are measured")
        if self.kind and not self.method:
            raise ValueError(f"row {self.row!r}: kind belongs beside the method that it is about")
        if self.method and self.like:
            raise ValueError(f"row {self.row!r}: give method or like, not both")
        if (self.settings or self.datasets) and not self.defines:
            raise ValueError(f"row {self.row!r} refers to run {self.run!r} and cannot change it")
        if self.folds is not None and (self.run is None or "-" not in self.run):
            raise ValueError(f"row {self.row!r} has folds, so its run needs a variant: x-fold")
        return self

    @property
    def runs(self) -> tuple[str, ...]:
        """Names of its runs: none, one, or one a fold."""
        if self.run is None:
            return ()
        if self.folds is None:
            return (self.run,)
        return tuple(f"{self.run}{fold}" for fold in range(self.folds))

    @property
    def defines(self) -> bool:
        """Whether this row defines its run (rather than refers to it)."""
        return self.method is not None or self.like is not None


class Table(Model):
    """One table of the paper: rows x columns -> method and settings, at the paper's values."""

    name: str = Field(pattern=ID)
    title: str
    caption: str
    position: int | None = Field(None, ge=1, json_schema_extra={"no_influence": True})
    """Its place where a scale shows all tables; those without one are last, by name."""
    kind: Literal["ablation"] | None = Field(None, json_schema_extra={"no_influence": True})
    """An ablation's runs are those of target ``ablations``."""
    metric: Literal["acc", "miou"] = "acc"
    """What its cells hold: accuracy, or in segmentation the mean intersection over union."""
    columns: tuple[Column, ...] = Field(min_length=1)
    rows: tuple[Row, ...] = Field(min_length=1)

    @property
    def by_fraction(self) -> bool:
        """Whether its columns are shares of the labels, and its rows give the datasets."""
        return self.columns[0].fraction is not None

    @property
    def datasets(self) -> tuple[str, ...]:
        """The paper's datasets that it shows, each once."""
        places = self.rows if self.by_fraction else self.columns
        return tuple(dict.fromkeys(entry.dataset for entry in places if entry.dataset is not None))

    def dataset_of(self, row: Row, column: Column) -> str:
        """The paper's dataset of a cell."""
        dataset = row.dataset if self.by_fraction else column.dataset
        assert dataset is not None
        return dataset

    @model_validator(mode="after")
    def _distinct_columns(self) -> Table:
        for kind, names in {
            "heads": [column.paper for column in self.columns],
            "datasets": [column.dataset for column in self.columns if column.dataset],
        }.items():
            if twice := repeated(names):
                raise ValueError(f"columns: {twice!r} stands twice among the {kind}")
        if len({column.fraction is None for column in self.columns}) > 1:
            raise ValueError("columns: datasets and shares of labels in one table")
        for row in self.rows:
            if (row.dataset is not None) != self.by_fraction:
                raise ValueError(
                    f"row {row.row!r}: dataset is given exactly where columns are shares of labels"
                )
            if self.by_fraction and row.defines:
                raise ValueError(f"row {row.row!r}: refers to a run of another table here")
        return self


class Named(Model):
    """What a display calls the methods and datasets that it shows."""

    methods: dict[str, str] = {}
    """Pattern of runs' names, such as ``iic_star*`` -> the paper's name of their method."""
    datasets: dict[Annotated[str, Field(pattern=ID)], str] = {}
    """The paper's dataset -> its name in print."""

    def method_of(self, run: str) -> str | None:
        """The paper's name of the method of a run, by the run's name without its dataset."""
        return next(
            (name for pattern, name in self.methods.items() if fnmatchcase(run, pattern)), None
        )


class Figure(Named):
    """One figure: the module that draws it and what it draws from."""

    title: str
    caption: str
    module: str = Field(pattern=DOTTED)
    runs: tuple[Annotated[str, Field(pattern=RUN_OF_DATASET)], ...] = ()
    """Runs it is drawn from, as ``<paper's dataset>/<run>``."""
    main: tuple[Annotated[str, Field(pattern=RUN_OF_DATASET)], ...] = ()
    """Of `runs`, those that stand for their datasets where a panel has one run a dataset; of other
    datasets it is the first."""
    seeds: Literal["first", "all"] = "first"
    reads: tuple[Reads, ...] = ()
    """What it reads of each of these runs besides the evaluation; `data` are prepared images and
    labels."""
    files: tuple[Annotated[str, Field(pattern=FILE)], ...] = ()
    """Files of this repository whose text or numbers it shows, by their path from the root."""

    @model_validator(mode="after")
    def _declared_once(self) -> Figure:
        for key, names in (("reads", self.reads), ("files", self.files)):
            if twice := repeated(names):
                raise ValueError(f"{key}: {twice!r} stands twice")
        if self.reads and not self.runs:
            raise ValueError("reads: there are no runs to read it of")
        if other := sorted({*self.main} - {*self.runs}):
            raise ValueError(f"main: {other[0]!r} is none of runs")
        return self


class Listing(Named):
    """A table that is computed from the code, the settings or the data, not from runs' results."""

    title: str
    caption: str
    module: str = Field(pattern=DOTTED)
    runs: tuple[Annotated[str, Field(pattern=RUN_OF_DATASET)], ...] = ()
    """Runs whose settings at the paper's values it lists, as ``<paper's dataset>/<run>``."""
    data: Literal["images", "maps"] | None = None
    """Datasets of the scale whose prepared data it is computed from, if any: those with one label
    an image, or with label maps."""


class Displays(Model):
    """Content of ``params/figures.yaml``: figures, and tables that no run feeds."""

    figures: dict[str, Figure]
    listings: dict[str, Listing]
