"""Models of ``params/scales/*.yaml``: what each scale covers and what it changes."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from iic.params.base import Model
from iic.params.experiments import ID, repeated
from iic.params.explain import show

RunPattern = Annotated[str, Field(pattern=r"^[a-z0-9_*?\[\]]+/[a-z0-9_*?\[\]-]+$")]
"""``<dataset>/<run>`` with ``*`` for any text, ``?`` for any sign, ``[2-9]`` for one of these."""
Names = Literal["all"] | tuple[str, ...]
"""Those that are named, in this order, or all that there are."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""What every random generator in use takes."""


class Scale(Model):
    """One scale. The DAG is the same at every scale; only what stands here differs."""

    name: str = Field(pattern=ID)
    extends: str | None = Field(None, pattern=ID)
    """A scale whose values hold where this file gives none."""
    description: str
    machine: str
    """What it is meant to run on, as the tables' captions say it."""
    real: bool
    """Whether the paper's own datasets run, so that published numbers stand beside ours."""
    datasets: dict[str, str]
    """The paper's dataset -> the dataset that runs in its place (itself at real scales)."""
    tables: Names
    """With `figures` and `listings`: what it shows. `Plan` has them by name."""
    figures: Names
    listings: Names = ()
    leave_out: tuple[str, ...] = ()
    """Tables, figures and listings that ``all`` does not mean here."""
    skip: tuple[RunPattern, ...] = ()
    """Patterns of the runs that this scale leaves out (too long for its machine)."""
    skip_reason: str | None = None
    seeds: dict[str, Annotated[tuple[Seed, ...], Field(min_length=1)]]
    """Seeds by ``<dataset>/<run>``; ``default`` for all others."""
    defaults: dict[RunPattern, dict[str, Any]] = {}
    """Settings changed at this scale for all runs that a pattern fits, e.g. ``stl10/iic*``, and
    whose method has them; of two patterns that fit, the later holds. What makes a run another than
    the one that it starts from is changed under `changes` alone."""
    changes: dict[str, dict[str, Any]] = {}
    """Settings changed at this scale, by ``<dataset>/<run>``, on top of the paper's values and of
    `defaults`."""
    notes: dict[str, str] = {}
    """What a reader of the table must know about a run here, by run; where the paper's own datasets
    run, fewer epochs than the paper's are noted without it."""

    def skips(self, run: str) -> bool:
        """Whether the run ``<dataset>/<run>`` is left out."""
        return any(fnmatchcase(run, pattern) for pattern in self.skip)

    def chosen(self, names: Names, everything: Iterable[str]) -> tuple[str, ...]:
        """The names that one of `tables`, `figures` and `listings` means.

        Args:
            names: One of the three.
            everything: What ``all`` means, in order.
        """
        if names == "all":
            return tuple(name for name in everything if name not in self.leave_out)
        return tuple(names)

    @field_validator("tables", "figures", "listings", mode="before")
    @classmethod
    def _word_or_list(cls, names: Any) -> Any:
        # told here, since an error of a union is told once for each of its members
        if names == "all":
            return names
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"{show(names)} is neither the word all nor a list of names")
        return tuple(names)

    @field_validator("seeds")
    @classmethod
    def _complete_seeds(cls, seeds: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        if "default" not in seeds:
            raise ValueError("default is missing: the seeds of every run that is not named")
        for name, values in seeds.items():
            if len(set(values)) < len(values):
                raise ValueError(f"{name}: {list(values)} has a seed twice")
        return seeds

    @model_validator(mode="after")
    def _consistent(self) -> Scale:
        if twice := repeated(self.datasets.values()):
            raise ValueError(
                f"datasets: {twice!r} runs in place of two, and its runs would have one name"
            )
        kinds = (self.tables, self.listings, self.figures)
        lists = [names for names in kinds if names != "all"]
        if twice := repeated(name for names in lists for name in names):
            raise ValueError(f"{twice!r} stands twice among tables, listings and figures")
        if twice := repeated(self.leave_out):
            raise ValueError(f"leave_out: {twice!r} stands twice")
        if self.leave_out and len(lists) == len(kinds):
            raise ValueError("leave_out: no list says all, so there is nothing to leave out of it")
        for paper, dataset in self.datasets.items():
            if self.real and paper != dataset:
                raise ValueError(
                    f"real: true, but {dataset!r} runs in place of {paper!r}, so published numbers "
                    "cannot stand beside ours\n  allowed: real: false"
                )
        if self.skip and not self.skip_reason:
            raise ValueError("skip_reason: missing, and the table has to say why runs are skipped")
        return self
