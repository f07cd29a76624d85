"""Models of ``params/experiments/*.yaml``, one file a paper table, and ``params/figures.yaml``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from iic.params.base import Model

ID = r"^[a-z0-9_]+$"
RUN = r"^[a-z0-9_]+(-[a-z0-9_]+)?$"
RUN_OF_DATASET = r"^[a-z0-9_]+/[a-z0-9_]+(-[a-z0-9_]+)?$"
DOTTED = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$"

Selection = Literal["as_published", "as_published_mean", "label_free", "mean_head"]
Fidelity = Literal["as_published", "corrected"]


def repeated(names: Iterable[str]) -> str | None:
    """The first name that stands more than once, or None."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


class Column(Model):
    """One column of a table, as the paper heads it, and the dataset that it stands for."""

    paper: str
    dataset: str = Field(pattern=ID)


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
    like: str | None = Field(None, pattern=RUN)
    """A run of the same file whose method and settings this run starts from."""
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
        if self.method and self.like:
            raise ValueError(f"row {self.row!r}: give method or like, not both")
        if (self.settings or self.datasets) and not self.defines:
            raise ValueError(f"row {self.row!r} refers to run {self.run!r} and cannot change it")
        return self

    @property
    def defines(self) -> bool:
        """Whether this row defines its run (rather than refers to it)."""
        return self.method is not None or self.like is not None


class Table(Model):
    """One table of the paper: rows x columns -> method and settings, at the paper's values."""

    name: str = Field(pattern=ID)
    title: str
    caption: str
    metric: Literal["acc"] = "acc"
    columns: tuple[Column, ...] = Field(min_length=1)
    rows: tuple[Row, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct_columns(self) -> Table:
        for kind, names in {
            "heads": [column.paper for column in self.columns],
            "datasets": [column.dataset for column in self.columns],
        }.items():
            if twice := repeated(names):
                raise ValueError(f"columns: {twice!r} stands twice among the {kind}")
        return self


class Figure(Model):
    """One figure: the module that draws it and what it draws from."""

    title: str
    caption: str
    module: str = Field(pattern=DOTTED)
    runs: tuple[Annotated[str, Field(pattern=RUN_OF_DATASET)], ...] = ()
    """Runs it is drawn from, as ``<paper's dataset>/<run>``."""
    seeds: Literal["first", "all"] = "first"


class Listing(Model):
    """A table that is computed from the code or the data, not from runs."""

    title: str
    caption: str
    module: str = Field(pattern=DOTTED)


class Displays(Model):
    """Content of ``params/figures.yaml``: figures, and tables that no run feeds."""

    figures: dict[str, Figure]
    listings: dict[str, Listing]
