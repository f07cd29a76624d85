"""Settings of the training engine: pairs, heads, schedule and precision (spec section 3.0)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from iic.params.base import Model
from iic.params.datasets import Dataset
from iic.params.method import Problem


class PairSettings(Model):
    """How a batch of pairs is drawn."""

    batch_pairs: int = Field(700, ge=1)
    """n: pairs in a batch, ``repeats`` times the number of distinct images in it."""
    repeats: int = Field(5, ge=1)
    """r: transformed versions of each image in a batch (paper, section 4.1)."""
    order: Literal["dataset", "shuffled"] = "dataset"
    """The released code never shuffles: every epoch has the same batches, in dataset order."""

    @property
    def batch_images(self) -> int:
        """Distinct images in a batch, n / r."""
        return self.batch_pairs // self.repeats

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether the batch divides into the repeats, and the dataset has as many images."""
        if self.batch_images > dataset.count:
            yield Problem(
                "pairs.batch_pairs",
                f"{self.batch_pairs} pairs in {self.repeats} repeats are {self.batch_images} "
                f"distinct images a batch, but {dataset.title} has {dataset.count}",
                f"at most {dataset.count * self.repeats}",
            )
        if self.batch_pairs % self.repeats:
            yield Problem(
                "pairs.batch_pairs",
                f"{self.batch_pairs} pairs do not divide into {self.repeats} repeats",
                f"a multiple of repeats = {self.repeats}",
            )


class HeadSettings(Model):
    """One head: its clusters, its objective and its share of an epoch."""

    k: int = Field(ge=2)
    """Output clusters of every sub-head."""
    lam: float = Field(1.0, ge=1.0)
    """Entropy coefficient lambda (supplement, section 5)."""
    passes: int = Field(1, ge=1)
    """Passes over the training data in each epoch."""


class OptimiserSettings(Model):
    """Adam, as in all experiments of the paper; constant learning rate."""

    learning_rate: float = Field(1e-4, gt=0)
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    epsilon: float = Field(1e-8, gt=0)


class ScheduleSettings(Model):
    """How long to train, and how often to save and look."""

    epochs: int = Field(ge=0)
    max_steps: int | None = Field(None, ge=1)
    """Stop after so many optimiser steps, whatever `epochs` says; for tests of the workflow."""
    evaluation_batch: int = Field(700, ge=1)
    """Images in a batch of evaluation; part of the result where BatchNorm has no running
    statistics, since evaluation then normalises by each batch (issue 49 of the released code)."""
    evaluate_every: int = Field(1, ge=1)
    """Epochs between evaluations; the first and the last epoch are always evaluated."""
    checkpoint_seconds: float = Field(60.0, gt=0, json_schema_extra={"no_influence": True})
    """Seconds between checkpoints of an unfinished run. Has no influence on the result."""
    snapshot_steps: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Optimiser steps at which all predictions are stored, for the figure of the progression."""


class ComputeSettings(Model):
    """How the arithmetic is done. The result depends on it, so it is never probed."""

    precision: Literal["float32", "bfloat16"] = "float32"
    """``bfloat16`` is autocast with a float32 loss and float32 weights."""
    channels_last: bool = False
    compile: bool = False
    """Use ``torch.compile``; pays off on a GPU for long runs."""
