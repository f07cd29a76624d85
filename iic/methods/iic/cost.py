"""Cost of IIC's trainings on images and on maps (torch-free); see `iic.params.cost`.

Every image of a batch goes through the network r times transformed, and once as the original, or r
times where BatchNorm has parts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from iic.methods.iic.map_settings import SegmentationSettings
from iic.methods.iic.settings import TOGETHER, ClusteringSettings
from iic.params.cost import Cost, evaluated_images, scheduled
from iic.params.datasets import Dataset
from iic.params.operations import Count, NetworkPass, Operations
from iic.params.splits import image_count
from iic.params.training import HeadSettings, PairSettings, ScheduleSettings

REPORTED = "B"
"""Head that assignments come from, in all methods."""


def clustering_cost(
    settings: ClusteringSettings, schedule: ScheduleSettings, dataset: Dataset, count: Count
) -> Cost:
    """Cost of clustering images.

    Args:
        settings: The method's settings.
        schedule: Epochs, evaluations, snapshots.
        dataset: Entry of the catalogue, for how many images the splits have.
        count: Gives the operations of a network's pass.
    """
    heads, pairs = settings.heads, settings.pairs
    operations = _operations("iic.networks.build.build", settings, count)
    steps, images = _passes(settings.turns(0), heads, pairs, operations, dataset)
    epoch = images * _seen(settings, pairs)
    # sub-heads are compared by one pass over the reported head's pairs, at the last and best epoch
    comparisons = 2 if steps and schedule.epochs else 1
    compared = comparisons * image_count(heads[REPORTED].splits, dataset)
    forward = operations[REPORTED].forward
    return scheduled(
        schedule,
        settings.compute,
        steps,
        epoch,
        predicting=forward * evaluated_images(settings.evaluation, dataset),
        finishing=forward * compared * _seen(settings, pairs),
    )


def segmentation_cost(
    settings: SegmentationSettings,
    schedule: ScheduleSettings,
    pairs: PairSettings,
    dataset: Dataset,
    count: Count,
) -> Cost:
    """Cost of segmentation.

    The objective over all shifts is not counted; nor is it that whole images, where they are
    evaluated, are larger than crops.

    Args:
        settings: The method's settings.
        schedule: Epochs and evaluations.
        pairs: Pairs of a batch and repeats r.
        dataset: Entry of the catalogue.
        count: Gives the operations of a network's pass.
    """
    operations = _operations("iic.networks.segmentation.build_segmentation", settings, count)
    # heads may have their turns in two epochs: each counts half of both
    turns = [*settings.turns(0), *settings.turns(1)]
    steps, images = _passes(turns, settings.heads, pairs, operations, dataset)
    epoch = images * _seen(settings, pairs)
    test = settings.evaluation.test or dataset.splits
    # figures show images of the last split that is scored
    last = [name for name in dataset.splits if name in test][-1:]
    shown = min(settings.maps.examples, sum(dataset.splits[name] for name in last))
    forward = operations[REPORTED].forward
    return scheduled(
        schedule,
        settings.compute,
        math.ceil(steps / 2),
        epoch / 2,
        predicting=forward * evaluated_images(settings.evaluation, dataset),
        finishing=forward * shown,
    )


def _operations(
    builder: str, settings: ClusteringSettings | SegmentationSettings, count: Count
) -> dict[str, Operations]:
    """Those of the network with each of the heads, and with all of them."""
    clusters = {name: head.k for name, head in settings.heads.items()}
    # heads on the same features are one matrix product, as of one head with all their clusters
    clusters[TOGETHER] = sum(clusters.values())
    named = settings.turns(0) + settings.turns(1) + [REPORTED]
    return {
        name: count(
            NetworkPass(
                builder,
                settings.network,
                {"heads": {REPORTED: clusters[name]}, "sub_heads": settings.sub_heads},
            )
        )
        for name in sorted({*settings.heads, *named})
    }


def _passes(
    turns: Sequence[str],
    heads: Mapping[str, HeadSettings],
    pairs: PairSettings,
    operations: Mapping[str, Operations],
    dataset: Dataset,
) -> tuple[int, int]:
    """Steps of passes over some heads' data, one name a pass; operations of each image once."""
    images = {name: image_count(head.splits, dataset) for name, head in heads.items()}
    images[TOGETHER] = images[REPORTED]
    steps = sum(math.ceil(images[name] / pairs.batch_images) for name in turns)
    return steps, sum(images[name] * operations[name].training for name in turns)


def _seen(settings: ClusteringSettings | SegmentationSettings, pairs: PairSettings) -> int:
    """How often an image of a batch goes through the network."""
    return pairs.copies(settings.network.batchnorm_parts) + pairs.repeats
