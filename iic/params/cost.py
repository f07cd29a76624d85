"""What a training costs, before it has run: multiplications counted, hours estimated from them.

The count is exact up to what is small: networks with their heads, forward and backward, and every
forward pass of the evaluations. The random transforms, BatchNorm, the loss, the optimiser and the
reading of data are not in it. How many of them a machine does in a second is an assumption, stated
in `GPU_RATES` and measured once in `MEASURED_PAIRS`; so hours are an *estimate*, and are called so
wherever they are shown. Small networks and small batches take longer than estimated, since there
the uncounted parts are most of the work.

Nothing here has influence on a result, and nothing here imports torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from iic.params.datasets import Dataset
from iic.params.evaluation import EvaluationSettings
from iic.params.networks import NetworkSettings
from iic.params.splits import UNLABELLED, image_count
from iic.params.training import ComputeSettings, HeadSettings, PairSettings, ScheduleSettings

FORWARD = 2
"""Operations for each multiplication with a weight: it, and the addition that follows."""
TRAINING = 3 * FORWARD
"""Forward and backward: the gradients of weights and of inputs cost a forward pass each."""
CROPS = 10
"""Forward passes of a test image where logits are averaged over ten crops."""
FOLD_SHARE = 0.2
"""Part of the labelled images in a predefined fold: 1,000 of 5,000 in STL10, the one that has any;
the catalogue does not say."""

GPU_RATES = {"bfloat16": 100e12, "float32": 25e12}
"""Operations in a second that one data-centre GPU really does on these networks, assumed
and not measured: in float32 a quarter of what bfloat16 reaches (TF32 is switched off)."""

MEASURED_PAIRS = {"bfloat16": 640.0, "float32": 310.0}
"""Pairs in a second in training network B as for MNIST (n 700, r 5, unique originals once), on
`MEASURED_CORES` idle cores of an AVX-512 processor (design, section 7)."""
MEASURED_CORES = 2
MEASURED_NETWORK = NetworkSettings(family="B", input_size=24, in_channels=1)
MEASURED_REPEATS = 5


@dataclass(frozen=True)
class Cost:
    """Operations of one training, a multiplication and an addition counted as two."""

    training: float
    """Of all optimiser steps."""
    evaluation: float
    """Of the evaluations on the way and at the end, and of the snapshots."""
    steps: int
    """Optimiser steps."""
    precision: str
    """As `ComputeSettings.precision`: the rate depends on it."""

    def hours(self, gpu: bool) -> float:
        """The estimate: hours of one GPU, or of one CPU core."""
        rate = GPU_RATES[self.precision] if gpu else core_rate(self.precision)
        return (self.training + self.evaluation) / rate / 3600


@cache
def core_rate(precision: str) -> float:
    """Operations in a second that one CPU core does, from what was measured with network B.

    Args:
        precision: As `ComputeSettings.precision`.
    """
    images = MEASURED_PAIRS[precision] * (1 + 1 / MEASURED_REPEATS)
    return images * trunk_macs(MEASURED_NETWORK) * TRAINING / MEASURED_CORES


def trunk_macs(network: NetworkSettings, *, last_stage: bool = True) -> int:
    """Multiplications with a weight of one image's forward pass, heads not included.

    The same number as `iic.networks.describe` reads off the network itself.

    Args:
        network: The trunk.
        last_stage: Whether its last stage is run; without it (family A) the features are the
            penultimate ones.
    """
    return sum(macs for macs, _ in _stages(network, last_stage))


def feature_count(network: NetworkSettings, *, last_stage: bool = True) -> int:
    """Length of a feature vector: pooled for A, the flattened map for B and penultimate ones."""
    *_, (_, side) = _stages(network, last_stage)
    channels = network.stage_channels[-1 if last_stage else -2]
    return channels if network.family == "A" and last_stage else channels * side**2


REPORTED = "B"
"""Head that assignments come from, in all methods."""


def clustering_cost(
    dataset: Dataset,
    *,
    network: NetworkSettings,
    heads: Mapping[str, HeadSettings],
    passes: Sequence[str],
    sub_heads: int,
    pairs: PairSettings,
    evaluation: EvaluationSettings,
    schedule: ScheduleSettings,
    compute: ComputeSettings,
) -> Cost:
    """Cost of `iic.methods.iic.run.train_clustering` under the same settings.

    Every image of a batch goes through the network once as the original and r times transformed.

    Args:
        dataset: Entry of the catalogue, for how many images the splits have.
        network: Trunk.
        heads: Clusters and splits of each head by name.
        passes: Heads that one epoch trains, one name a pass.
        sub_heads: h, for every head.
        pairs: Pairs of a batch and repeats r.
        evaluation: Which images get assignments.
        schedule: Epochs, evaluations, snapshots.
        compute: Precision.
    """
    trunk, features = trunk_macs(network), feature_count(network)
    macs = {name: trunk + features * sub_heads * head.k for name, head in heads.items()}
    images = {name: image_count(head.splits, dataset) for name, head in heads.items()}
    seen = 1 + pairs.repeats
    steps = sum(math.ceil(images[name] / pairs.batch_images) for name in passes)
    epoch = TRAINING * seen * sum(images[name] * macs[name] for name in passes)
    # sub-heads are compared by one pass over the reported head's pairs, at the last and best epoch
    comparisons = (2 if steps and schedule.epochs else 1) * images[REPORTED] * seen
    forward = FORWARD * macs[REPORTED]
    return scheduled(
        schedule, compute, steps, epoch,
        predicting=forward * evaluated_images(evaluation, dataset),
        finishing=forward * comparisons,
    )  # fmt: skip


def classification_cost(
    dataset: Dataset,
    *,
    network: NetworkSettings,
    penultimate: bool,
    hidden: int | None,
    splits: Sequence[str],
    fold: bool,
    batch_images: int,
    ten_crop: bool,
    evaluation: EvaluationSettings,
    schedule: ScheduleSettings,
    compute: ComputeSettings,
) -> Cost:
    """Cost of `iic.methods.finetune.run.train_classifier` under the same settings.

    Args:
        dataset: Entry of the catalogue.
        network: Trunk.
        penultimate: Whether its last stage is left out.
        hidden: Width between the two layers of the head; None for a single layer.
        splits: Splits that are trained on.
        fold: Whether only one of the dataset's predefined folds is.
        batch_images: Images in a batch.
        ten_crop: Whether an image is scored on ten crops.
        evaluation: Which images are scored.
        schedule: Epochs and evaluations.
        compute: Precision.
    """
    classes = len(dataset.classes)
    features = feature_count(network, last_stage=not penultimate)
    head = features * classes if hidden is None else (features + classes) * hidden
    macs = trunk_macs(network, last_stage=not penultimate) + head
    scored = evaluated_images(evaluation, dataset) * (CROPS if ten_crop else 1)
    images = round(image_count(splits, dataset) * (FOLD_SHARE if fold else 1))
    steps = math.ceil(images / batch_images)
    return scheduled(
        schedule, compute, steps, TRAINING * macs * images,
        predicting=FORWARD * macs * scored, finishing=0,
    )  # fmt: skip


def evaluated_images(evaluation: EvaluationSettings, dataset: Dataset) -> int:
    """Images that get assignments: those with a label that are mapped from or scored."""
    parts = (evaluation.mapping or tuple(dataset.splits), evaluation.test or tuple(dataset.splits))
    wanted = {name for part in parts for name in part if name != UNLABELLED}
    return image_count(sorted(wanted), dataset) if wanted else 0


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
    whole = schedule.epochs * epoch_steps
    steps = min(whole, schedule.max_steps or whole)
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


def _stages(network: NetworkSettings, last_stage: bool) -> list[tuple[int, int]]:
    """Multiplications of each stage, and the side of its map in pixels; A's stem counts as one."""
    width, side = network.in_channels, network.input_size
    channels = network.stage_channels
    if network.family == "B":
        stages = []
        for index, wide in enumerate(channels):
            side //= 2 if index else 1
            stages.append((side**2 * wide * width * 25, side))
            width = wide
        return stages
    stages = [(side**2 * channels[0] * width * 9, side // 2 + 1)]
    width, side = channels[0], side // 2 + 1
    for index, (wide, blocks) in enumerate(zip(channels, network.stage_blocks, strict=True)):
        stride = 2 if index else 1
        side = (side - 1) // stride + 1
        # two 3x3 convolutions a block, and a 1x1 in the shortcut where shapes change
        weights = 9 * width * wide + (2 * blocks - 1) * 9 * wide * wide
        weights += width * wide if stride > 1 or width != wide else 0
        stages.append((side**2 * weights, side))
        width = wide
    return stages if last_stage else stages[:-1]
