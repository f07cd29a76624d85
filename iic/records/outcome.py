"""What a training found out beyond its files; ``outcome`` in its receipt ``run.json``."""

from __future__ import annotations

from pydantic import Field

from iic.params.base import Model


class CheckpointOutcome(Model):
    """One checkpoint of a run."""

    epoch: int = Field(ge=0)
    losses: tuple[float, ...] | None
    """Objective of each sub-head over the data, which sub-heads are compared by; null where the
    method has none."""


class TrainOutcome(Model):
    """Everything that the evaluation needs besides the assignments."""

    k_clusters: int = Field(ge=1)
    k_classes: int = Field(ge=0)
    """0 without labels."""
    steps: int = Field(ge=0)
    """Optimiser steps."""
    checkpoints: dict[str, CheckpointOutcome]
