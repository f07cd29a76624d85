"""Models of ``params/scales/*.yaml``: what each scale covers and what it changes."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from iic.params.base import Model
from iic.params.experiments import ID


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
    tables: tuple[str, ...]
    figures: tuple[str, ...]
    listings: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    """Runs, as ``<dataset>/<run>``, that this scale leaves out (too long for its machine)."""
    skip_reason: str | None = None
    seeds: dict[str, tuple[int, ...]]
    """Seeds by ``<dataset>/<run>``; ``default`` for all others."""
    changes: dict[str, dict[str, Any]] = {}
    """Settings changed at this scale, by ``<dataset>/<run>``, on top of the paper's values."""
    notes: dict[str, str] = {}
    """What a reader of the table must know about a run here (e.g. reduced epochs), by run."""
