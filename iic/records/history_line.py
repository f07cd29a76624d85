"""One line of ``history.jsonl``, as a model: what a reader of the file can rely on."""

from __future__ import annotations

from pydantic import Field

from iic.params.base import Model


class HistoryLine(Model):
    """One epoch; epoch 0 is the untrained network."""

    epoch: int = Field(ge=0)
    head: list[str]
    """The heads trained in this epoch, one per pass; empty in epoch 0."""
    loss: list[float] | None
    """Mean loss of each of these passes; null where nothing was trained."""
    chance: float | None = None
    """Loss of who answers without looking; only of methods that ask the network questions."""
    accuracy: list[float] | None
    """Percent, per sub-head of the main head; null in epochs that are not evaluated, and where
    there are no labels."""
    steps: int = Field(ge=0)
    """Optimiser steps so far."""
    seconds: float = Field(ge=0)
    """Time of the epoch. With `pairs_per_second` all that differs between two runs of a seed."""
    pairs_per_second: float | None
    """Null where nothing was trained."""
