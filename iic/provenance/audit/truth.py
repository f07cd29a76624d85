"""Labels as the data have them, against those that stand beside the runs' assignments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iic.data.load_maps import PreparedMaps
from iic.engine.map_context import MapContext
from iic.params.segmentation import MapSettings
from iic.records.assignments import Assignments
from iic.records.counts import Counts
from iic.records.files import RecordError, read_record
from iic.records.paths import RunPaths, prepared_arrays, prepared_manifest
from iic.records.prepared_maps import MapManifest
from iic.records.snapshots import read_array

MOST_IMAGES = 200
"""Label maps that are counted again, evenly spread: all of COCO-Stuff would take minutes."""


UNSEEN = -2


class Labels:
    """Classes of a dataset's images: of the prepared data, else of the runs seen so far.

    Args:
        dataset: Name in the catalogue.
        root: Root of the clone.
    """

    def __init__(self, dataset: str, root: Path) -> None:
        path = prepared_arrays(dataset)[1]
        self.source = str(path)
        self._prepared = True
        self._classes: NDArray[np.int64]
        try:
            self._classes = read_array(root / path)
        except RecordError:
            self.source, self._prepared = "", False
            self._classes = np.zeros(0, np.int64)

    def compare(self, assignments: Assignments, path: str) -> str | None:
        """What is wrong with the labels beside some assignments; None where nothing is.

        Args:
            assignments: At one checkpoint.
            path: Where they are from.

        Raises:
            IndexError: An image lies beyond the prepared data.
        """
        labels, indices = assignments.labels, assignments.indices
        if labels is None or not len(indices):
            return None
        if not self._prepared:
            self._learn(indices, labels, path)
        truth = self._classes[indices]
        wrong = np.flatnonzero(truth != labels)
        if not len(wrong):
            return None
        first = int(wrong[0])
        return (
            f"{len(wrong)} labels are other than those of {self.source}: image {indices[first]} "
            f"is of class {labels[first]} here and {truth[first]} there"
        )

    def _learn(self, indices: NDArray[np.int64], labels: NDArray[np.int64], path: str) -> None:
        self.source = self.source or path
        lacking = int(indices[-1]) + 1 - len(self._classes)
        if lacking > 0:
            self._classes = np.pad(self._classes, (0, lacking), constant_values=UNSEEN)
        new = self._classes[indices] == UNSEEN
        self._classes[indices[new]] = labels[new]


class Pixels:
    """Label maps of a dataset for segmentation."""

    def __init__(self, data: PreparedMaps) -> None:
        self.data = data

    @classmethod
    def of(cls, dataset: str, root: Path) -> Pixels | None:
        """Those of the prepared data; None where they are not here, or damaged.

        Hashes are the business of another check, so arrays are not read as a whole.
        """
        try:
            manifest = read_record(root / prepared_manifest(dataset), MapManifest)
            images, labels = (
                np.load(root / record.path, mmap_mode="r", allow_pickle=False)
                for record in (manifest.images, manifest.labels)
            )
        except (RecordError, OSError, ValueError, EOFError):
            return None
        sizes = np.array(manifest.sizes, np.int64)
        return cls(PreparedMaps(images, labels, sizes, manifest.names, manifest))

    def compare(self, counts: Counts, settings: Mapping[str, Any]) -> str | None:
        """What is wrong with a run's counts of pixels; None where nothing is.

        Args:
            counts: At one checkpoint.
            settings: The run's, which say what part of an image is scored.

        Raises:
            IndexError: An image lies beyond the dataset.
        """
        if "maps" not in settings or "augmentation" not in settings:
            return None
        maps = MapSettings.model_validate(settings["maps"], strict=False)
        side = int(settings["augmentation"]["input_size"])
        classes = counts.counts.shape[-1]
        context: MapContext[Any] = MapContext(
            data=self.data,
            classes=classes,
            settings=None,
            seed=0,
            paths=RunPaths("", "", 0),
            fingerprint="",
        )
        class_of = context.classes_of(maps)
        totals = counts.counts[:, 0].sum(axis=1)
        number = len(counts.indices)
        for row in np.unique(np.linspace(0, number - 1, min(number, MOST_IMAGES)).astype(int)):
            index = int(counts.indices[row])
            area = context.area(index, maps, side)
            found = class_of[self.data.labels[index][area]]
            truth = np.bincount(found[found >= 0], minlength=classes)
            if not np.array_equal(truth, totals[row]):
                return (
                    f"image {index} has {totals[row].tolist()} pixels of the classes here, and "
                    f"{truth.tolist()} in {self.data.manifest.labels.path}"
                )
        return None
