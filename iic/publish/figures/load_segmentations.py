"""A run's segmentations, read from its files and checked against each other.

The sub-head is the one that is chosen without labels: of lowest loss at the last epoch. As for
whole images (`predictions`), the files must agree before anything is drawn: in every image that is
shown, the most probable clusters must meet the classes as often as the assignments count, and the
accuracy must be the one in the evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iic.data.load_maps import PreparedMaps, load_maps
from iic.evaluate.matching import correct
from iic.params.datasets import Dataset
from iic.params.runs import Plan, Run
from iic.params.segmentation import SKY, MapSettings
from iic.publish.evidence import evaluation_source, training_source
from iic.publish.figures.chosen import (
    Chosen,
    check_accuracy,
    chosen,
    evaluate_again,
    restore,
    train_again,
)
from iic.publish.figures.palettes import MASKED
from iic.publish.figures.segmentations import ClassMap, Ints, Segmentation
from iic.publish.figures.style import FigureError
from iic.records.counts import Counts, read_counts
from iic.records.evaluation import Evaluation
from iic.records.files import RecordError, read_record
from iic.records.maps import KeptMaps, read_maps
from iic.records.paths import RunPaths
from iic.records.sources import Series


def load_segmentations(plan: Plan, runs: Sequence[Run], root: Path) -> list[Segmentation]:
    """The segmentations of the first seed of several runs, whose data is opened once.

    Raises:
        FigureError: A run has no maps, or its files do not belong together.
        RecordError: A file is damaged or has no receipt.
        DataError: A dataset is not prepared, or not as it was prepared.
    """
    data: dict[str, PreparedMaps] = {}
    segmentations = []
    for run in runs:
        segmentations.append(load_segmentation(plan, run, root, data.get(run.dataset)))
        data[run.dataset] = segmentations[-1].data
    return segmentations


def load_segmentation(
    plan: Plan, run: Run, root: Path, data: PreparedMaps | None = None
) -> Segmentation:
    """The segmentations of a run's first seed.

    Args:
        plan: What the scale holds.
        run: The run.
        root: Root of the clone.
        data: Its dataset, where that is open already: opening checks gigabytes.

    Raises:
        FigureError: The run has no maps, or its files do not belong together.
        RecordError: One of its files is damaged or has no receipt.
        DataError: Its data is not prepared, or not as it was prepared.
    """
    seed = run.seeds[0]
    paths = RunPaths(run.scale, run.id, seed)
    of = chosen(read_record(root / paths.evaluation, Evaluation), paths)
    counts = _counts(paths, root, of, plan.datasets[run.dataset])
    maps = _maps(paths, root, counts, of)
    data = load_maps(run.dataset, root) if data is None else data
    _check_sizes(maps, data, paths)
    test = np.isin(counts.indices, data.indices(run.settings.evaluation.test))
    total = counts.counts[test, of.head].sum(axis=0, dtype=np.int64)
    if not total.any():
        raise FigureError(f"{paths.assignments}: index: none of the images to score is in it")
    check_accuracy(100.0 * correct(total, of.mapping) / int(total.sum()), of, paths)
    probabilities = maps.probabilities[of.head]
    segmentation = Segmentation(
        run=run,
        seed=seed,
        of=of,
        data=data,
        indices=maps.indices,
        probabilities=probabilities,
        clusters=probabilities.argmax(axis=1).astype(np.int16),
        scored=np.isin(maps.indices, counts.indices[test]),
        images=int(test.sum()),
        classes=plan.datasets[run.dataset].classes,
        sky=_sky(run, plan.datasets[run.dataset]),
        series=_series(paths, root, of.head),
    )
    _check_clusters(segmentation, counts, paths)
    return segmentation


def _sky(run: Run, dataset: Dataset) -> int | None:
    """The class of unlabelled pixels, as the run's settings have it."""
    settings = getattr(run.settings, "maps", None)
    as_sky = isinstance(settings, MapSettings) and settings.unlabelled_as_sky
    return dataset.classes.index(SKY) if as_sky else None


def _counts(paths: RunPaths, root: Path, of: Chosen, dataset: Dataset) -> Counts:
    every = read_counts(root / paths.assignments)
    if "last" not in every:
        raise FigureError(f"{paths.assignments}: checkpoint: 'last' is missing{train_again(paths)}")
    last = every["last"]
    heads, *matrix = last.counts.shape[1:]
    expected = [len(of.mapping), len(dataset.classes)]
    if matrix != expected or of.head >= heads:
        raise FigureError(
            f"{paths.assignments}: {heads} sub-heads with (clusters, classes) {tuple(matrix)}, but "
            f"{paths.evaluation} is of sub-head {of.head} with {tuple(expected)}"
            f"{evaluate_again(paths)}"
        )
    return last


def _maps(paths: RunPaths, root: Path, counts: Counts, of: Chosen) -> KeptMaps:
    try:
        maps = read_maps(root / paths.probabilities)
    except RecordError as error:
        raise FigureError(f"{error}{restore(paths)}") from error
    heads, number, k = maps.probabilities.shape[:3]
    expected = (counts.counts.shape[1], len(of.mapping))
    if (heads, k) != expected:
        raise FigureError(
            f"{paths.probabilities}: (sub-heads, clusters) are {(heads, k)}, but assignments and "
            f"evaluation beside it have {expected}{train_again(paths)}"
        )
    if not number:
        raise FigureError(
            f"{paths.probabilities}: index: no image\n  remedy: maps.examples above 0 in the "
            f"settings of {paths.run}"
        )
    unknown = np.setdiff1d(maps.indices, counts.indices)
    if len(unknown):
        raise FigureError(
            f"{paths.probabilities}: index: {unknown[0]} is none of the images in "
            f"{paths.assignments}{train_again(paths)}"
        )
    return maps


def _check_sizes(maps: KeptMaps, data: PreparedMaps, paths: RunPaths) -> None:
    """Whether the maps are of images of the dataset: of the canvas, or of a crop of each."""
    number, (height, width) = len(data.images), maps.probabilities.shape[3:]
    if maps.indices[-1] >= number:
        raise FigureError(
            f"{paths.probabilities}: index: {maps.indices[-1]}, but data/prepared/"
            f"{data.manifest.dataset} has {number:,} images{train_again(paths)}"
        )
    if (height, width) == data.images.shape[2:]:
        return
    for index in maps.indices:
        of_image = tuple(int(side) for side in data.sizes[index])
        if of_image[0] < height or of_image[1] < width:
            raise FigureError(
                f"{paths.probabilities}: maps of {height}x{width} pixels are of no part of image "
                f"{index} of data/prepared/{data.manifest.dataset}, which has "
                f"{of_image[0]}x{of_image[1]}{train_again(paths)}"
            )


def _check_clusters(segmentation: Segmentation, counts: Counts, paths: RunPaths) -> None:
    """Whether the maps' most probable clusters are those that the assignments count.

    Rounding to float16 keeps the order but makes ties, so each count is held between the pixels
    where a cluster is the only most probable one, and those where it is among them.
    """
    of_image = counts.counts[
        np.searchsorted(counts.indices, segmentation.indices), segmentation.of.head
    ]
    for row, expected in enumerate(of_image):
        truth = segmentation.truth(row)
        rows, columns = truth.shape
        z = segmentation.probabilities[row, :, :rows, :columns]
        top = z == z.max(axis=0)
        alone = top & (top.sum(axis=0) == 1)
        least, most = (_meetings(clusters, truth, expected.shape[1]) for clusters in (alone, top))
        if (expected < least).any() or (expected > most).any():
            raise FigureError(
                f"{paths.probabilities}: image {segmentation.indices[row]} "
                f"({segmentation.name(row)}): its most probable clusters meet the classes of "
                f"data/prepared/{segmentation.run.dataset} in other numbers than "
                f"{paths.assignments} counts: probabilities or data are others"
                f"{train_again(paths)}"
            )


def _meetings(clusters: NDArray[np.bool_], truth: ClassMap, classes: int) -> Ints:
    """How many pixels of each class each cluster has, (k, classes), from (k, height, width)."""
    there = truth != MASKED
    labels = truth[there]
    return np.stack(
        [np.bincount(labels[cluster[there]], minlength=classes) for cluster in clusters]
    )


def _series(paths: RunPaths, root: Path, head: int) -> list[Series]:
    sources = {
        f"{paths.run}: maps of probabilities, sub-head {head}": training_source(
            paths, paths.probabilities, root
        ),
        f"{paths.run}: counts of clusters and true classes, sub-head {head}": training_source(
            paths, paths.assignments, root
        ),
        f"{paths.run}: chosen sub-head, classes of its clusters": evaluation_source(paths, root),
    }
    return [Series(name=name, seeds=[source]) for name, source in sources.items()]
