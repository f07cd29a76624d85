"""Settings of training: pairs, heads, schedule, precision (docs/spec/images.md#training)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from iic.params.base import Model, Problem
from iic.params.datasets import Dataset
from iic.params.learning_rates import LearningRateSettings
from iic.params.splits import image_count, split_problems


class PairSettings(Model):
    """How a batch of pairs is drawn."""

    batch_pairs: int = Field(700, ge=1)
    """n: pairs in a batch, ``repeats`` times the number of distinct images in it."""
    repeats: int = Field(5, ge=1)
    """r: transformed versions of each image in a batch (paper, section 4.1)."""
    order: Literal["dataset", "interleaved", "shuffled"] = "dataset"
    """The released code never shuffles: every epoch has the same batches, in dataset order. For
    STL10 it interleaves: one labelled image, 20 unlabelled ones, and so on; `interleaved` does so
    wherever a head is trained on the splits train and unlabeled, the first two of its list."""

    originals: Literal["once", "repeated"] = "once"
    """How often each original of a batch goes through the network: `once`, since repeats would give
    the same outputs, or as often as it is `repeated`, as in the released code. Losses, gradients
    and statistics are the same but for rounding; tests prove it."""

    @property
    def batch_images(self) -> int:
        """Distinct images in a batch, n / r."""
        return self.batch_pairs // self.repeats

    def copies(self, batchnorm_parts: int) -> int:
        """How often each original goes through the network for a batch.

        As often as it is repeated, whatever `originals` says, where BatchNorm normalises parts of
        the batch apart: a part may have more copies of one original than of another.
        """
        once = self.originals == "once" and batchnorm_parts == 1
        return 1 if once else self.repeats

    def problems(self, dataset: Dataset, *splits: tuple[str, ...]) -> Iterator[Problem]:
        """Whether the batch divides into the repeats, and there are as many images.

        Args:
            dataset: The dataset.
            *splits: Splits of each head; empty for the whole dataset.
        """
        for used in splits or ((),):
            available = image_count(used, dataset)
            if 0 < available < self.batch_images:
                part = f"{dataset.title} ({', '.join(used)})" if used else dataset.title
                yield Problem(
                    "pairs.batch_pairs",
                    f"{self.batch_pairs} pairs in {self.repeats} repeats are {self.batch_images} "
                    f"distinct images a batch, but {part} has {available}",
                    f"at most {available * self.repeats}",
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
    splits: tuple[str, ...] = ()
    """Splits that this head is trained on, in this order; empty: the whole dataset."""

    def problems(self, key: str, dataset: Dataset) -> Iterator[Problem]:
        """Whether the dataset has the splits.

        Args:
            key: Key of this head in the settings.
            dataset: The dataset.
        """
        yield from split_problems(f"{key}.splits", self.splits, dataset)


class OptimiserSettings(Model):
    """Adam, as in all experiments of the paper."""

    learning_rate: float = Field(1e-4, gt=0)
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    epsilon: float = Field(1e-8, gt=0)


class ScheduleSettings(Model):
    """How long to train, and how often to save and look."""

    epochs: int = Field(ge=0)
    published_epochs: int | None = Field(None, ge=1, json_schema_extra={"no_influence": True})
    """What the published command asks for; the authors stopped long before
    (docs/spec/released_code.md#epochs)."""
    max_steps: int | None = Field(None, ge=1)
    """Stop after so many optimiser steps, whatever `epochs` says; for tests of the workflow."""
    learning_rate: LearningRateSettings = LearningRateSettings()
    """How the optimiser's learning rate changes on the way."""
    evaluation_batch: int = Field(700, ge=1)
    """Images in a batch of evaluation; part of the result where BatchNorm has no running
    statistics, since evaluation then normalises by each batch (issue 49 of the released code)."""
    evaluate_every: int = Field(1, ge=1)
    """Epochs between evaluations; the first and the last epoch are always evaluated."""
    double_evaluation: bool = False
    """Before each evaluation, pass the evaluated images through the network in training mode, which
    moves BatchNorm's running statistics towards them: the released code's ``double_eval``, used for
    STL10, whose unlabelled images come from another distribution
    (docs/spec/images.md#batchnorm-in-evaluation)."""
    checkpoint_seconds: float = Field(60.0, gt=0, json_schema_extra={"no_influence": True})
    """Seconds between checkpoints of an unfinished run. Has no influence on the result."""
    snapshot_steps: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Optimiser steps at which all predictions are stored, for the figure of the progression."""


class ComputeSettings(Model):
    """How the arithmetic is done. The result depends on it, so it is never probed."""

    precision: Literal["float32", "bfloat16"] = "float32"
    """``bfloat16`` is autocast with a float32 loss and float32 weights."""
    heads_precision: Literal["float32", "autocast"] = "float32"
    """Of the heads of IIC under ``bfloat16``: `float32`, or `autocast`, which is bfloat16 too. Its
    logits have eight bits, and on MNIST sub-heads differ by 0.06 % in loss."""
    channels_last: bool = False
    compile: bool = False
    """Use ``torch.compile``; pays off on a GPU for long runs."""
    denormals: Literal["flushed", "kept"] = "flushed"
    """What a CPU does with floats below 1.2e-38: `flushed`, they become zeros; or `kept`, which
    makes late steps two to three times as slow (docs/performance.md). A GPU keeps them."""
