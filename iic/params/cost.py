"""What a training costs, before it has run: operations counted, hours estimated from them.

Counted are the networks with their heads, forward and backward, and every forward pass of the
evaluations (`iic.params.operations`); of methods without a network, what k-means or a search for
neighbours does. The random transforms, BatchNorm, the loss, the optimiser and the reading of data
are not in it. How many operations a machine does in a second is an assumption, stated here; so
hours are an *estimate*, and are called so wherever they are shown. Small networks and small batches
take longer than estimated, since there the uncounted parts are most of the work.

Nothing here has influence on a result, and nothing here imports torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from iic.params.datasets import Dataset
from iic.params.evaluation import EvaluationSettings
from iic.params.splits import UNLABELLED, image_count
from iic.params.training import ComputeSettings, ScheduleSettings

GPU_RATES = {"bfloat16": 100e12, "float32": 25e12}
"""Operations in a second that one data-centre GPU really does on these networks, assumed
and not measured: in float32 a quarter of what bfloat16 reaches (TF32 is switched off)."""
CORE_RATES = {"bfloat16": 0.205e12, "float32": 0.0994e12}
"""Those of one CPU core, measured: training network B as for MNIST (n 700, r 5, unique originals
once) took 640 and 310 pairs a second on two idle cores of an AVX-512 processor (design, 7)."""
CLUSTERING_RATE = 0.02e12
"""Those of one CPU core in k-means and in a search for neighbours, as `iic.params.cost` counts
them: within a factor of 2.3 of what k-means and spectral clustering took at scale laptop."""


@dataclass(frozen=True)
class Cost:
    """Operations of one training, a multiplication and an addition counted as two."""

    training: float = 0.0
    """Of all optimiser steps."""
    evaluation: float = 0.0
    """Of the evaluations on the way and at the end, and of the snapshots."""
    steps: int = 0
    """Optimiser steps."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """As `ComputeSettings.precision`: the rate depends on it."""
    clustering: float = 0.0
    """Of k-means or a search for neighbours, where a method is nothing else."""

    def hours(self, gpu: bool) -> float:
        """The estimate: hours of one GPU, or of one CPU core."""
        rate = (GPU_RATES if gpu else CORE_RATES)[self.precision]
        seconds = (self.training + self.evaluation) / rate + self.clustering / CLUSTERING_RATE
        return seconds / 3600


def evaluated_images(evaluation: EvaluationSettings, dataset: Dataset) -> int:
    """Images that get assignments: those with a label that are mapped from or scored."""
    parts = (evaluation.mapping or tuple(dataset.splits), evaluation.test or tuple(dataset.splits))
    splits = {name for part in parts for name in part if name != UNLABELLED}
    return image_count(sorted(splits), dataset) if splits else 0


def scheduled(
    schedule: ScheduleSettings,
    compute: ComputeSettings,
    epoch_steps: int,
    epoch: float,
    *,
    predicting: float,
    finishing: float,
) -> Cost:
    """Epochs and evaluations of a run, from the operations of one of each.

    Args:
        schedule: The run's schedule.
        compute: Its precision.
        epoch_steps: Optimiser steps of an epoch.
        epoch: Operations of its optimiser steps.
        predicting: Operations of one prediction of all evaluated images.
        finishing: Operations after the last epoch, apart from the last prediction.
    """
    planned = schedule.epochs * epoch_steps
    steps = min(planned, schedule.max_steps or planned)
    epochs = math.ceil(steps / epoch_steps) if epoch_steps else 0
    every = schedule.evaluate_every
    # before the first epoch, after every so many, and after the last
    evaluations = 1 + epochs // every + bool(epochs % every)
    snapshots = sum(step <= steps for step in schedule.snapshot_steps)
    predictions = evaluations * (2 if schedule.double_evaluation else 1) + snapshots + 1
    return Cost(
        training=epoch * steps / epoch_steps if epoch_steps else 0.0,
        evaluation=predictions * predicting + finishing,
        steps=steps,
        precision=compute.precision,
    )


def kmeans_operations(
    points: int, length: int, k: int, *, restarts: int = 1, iterations: int = 1
) -> float:
    """Operations of distances to all centres, if no start of k-means ends before its time.

    Args:
        points: Points that are clustered.
        length: Numbers of a point.
        k: Clusters.
        restarts: Starts.
        iterations: Most iterations of each.
    """
    return 2.0 * points * length * k * restarts * iterations
