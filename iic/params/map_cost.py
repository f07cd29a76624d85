"""What a training of segmentation costs: see `iic.params.cost`, whose assumptions hold here too."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from iic.params.cost import (
    FORWARD,
    REPORTED,
    TRAINING,
    Cost,
    evaluated_images,
    scheduled,
)
from iic.params.datasets import Dataset
from iic.params.evaluation import EvaluationSettings
from iic.params.segmentation import MapSettings, SegmentationNetworkSettings
from iic.params.splits import image_count
from iic.params.training import ComputeSettings, HeadSettings, PairSettings, ScheduleSettings


def segmentation_cost(
    dataset: Dataset,
    *,
    network: SegmentationNetworkSettings,
    heads: Mapping[str, HeadSettings],
    passes: Sequence[str],
    share: float,
    sub_heads: int,
    pairs: PairSettings,
    maps: MapSettings,
    evaluation: EvaluationSettings,
    schedule: ScheduleSettings,
    compute: ComputeSettings,
) -> Cost:
    """Cost of `iic.methods.iic.run_maps.train_segmentation` under the same settings.

    The objective over all shifts is not counted; nor is it that whole images, where they are
    evaluated, are larger than crops.

    Args:
        dataset: Entry of the catalogue.
        network: Network C.
        heads: Clusters and splits of each head by name.
        passes: Passes over the data after which every head has had its turn.
        share: Part of `passes` that one epoch has: a half where each trains one head.
        sub_heads: h, for every head.
        pairs: Pairs of a batch and repeats r.
        maps: How many images' maps are kept.
        evaluation: Which images are evaluated.
        schedule: Epochs and evaluations.
        compute: Precision.
    """
    trunk, positions = segmentation_macs(network), network.map_side**2
    features = network.channels[-1]
    macs = {name: trunk + positions * features * sub_heads * head.k for name, head in heads.items()}
    images = {name: image_count(head.splits, dataset) for name, head in heads.items()}
    seen = 1 + pairs.repeats
    steps = sum(math.ceil(images[name] / pairs.batch_images) for name in passes)
    epoch = TRAINING * seen * sum(images[name] * macs[name] for name in passes)
    forward = FORWARD * macs[REPORTED]
    # figures show images of the last split that is scored
    scored = [name for name in dataset.splits if name in (evaluation.test or dataset.splits)]
    shown = min(maps.examples, dataset.splits[scored[-1]]) if scored else 0
    return scheduled(
        schedule, compute, math.ceil(share * steps), share * epoch,
        predicting=forward * evaluated_images(evaluation, dataset),
        finishing=forward * shown,
    )  # fmt: skip


def segmentation_macs(network: SegmentationNetworkSettings) -> int:
    """Multiplications with a weight of one image's pass through network C's trunk.

    The two dilated convolutions take two pixels each from the map's side on both ends together.
    """
    side, half = network.input_size, network.input_size // 2
    a, b, c, d = network.channels
    return 9 * (
        side**2 * (network.in_channels * a + a * b)
        + half**2 * (b * c + c * c)
        + (half - 2) ** 2 * c * d
        + (half - 4) ** 2 * d * d
    )
