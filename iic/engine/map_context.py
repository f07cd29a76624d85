"""A run on a dataset of label maps: what stands in `RunContext` for one label an image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from iic.data.maps import IGNORED, UNLABELLED
from iic.engine.context import RunContext, S
from iic.evaluate.maps import MapProtocol, map_protocol
from iic.evaluate.protocol import protocol
from iic.params.segmentation import SKY, MapSettings

if TYPE_CHECKING:
    from iic.data.load_maps import PreparedMaps


@dataclass(frozen=True)
class MapContext(RunContext[S]):
    """As `RunContext`, for segmentation.

    Args:
        data: Prepared images (N, C, H, W) uint8, label maps (N, H, W) uint8 and sizes (N, 2).
    """

    data: PreparedMaps  # type: ignore[assignment]

    @cached_property
    def protocol(self) -> MapProtocol:
        """Which images are evaluated, and what each is used for."""
        data = self.data
        splits = {split.name: slice(split.start, split.stop) for split in data.manifest.splits}
        return map_protocol(protocol(self.settings.evaluation, splits, len(data.images), None))

    def classes_of(self, maps: MapSettings) -> NDArray[np.int64]:
        """Class of each code of the label maps, (256,); -1 for those that are not scored."""
        table = np.full(256, -1, dtype=np.int64)
        table[: self.classes] = np.arange(self.classes)
        assert table[IGNORED] == -1
        if maps.unlabelled_as_sky:
            table[UNLABELLED] = self.data.manifest.classes.index(SKY)
        return table

    def examples(self, number: int) -> NDArray[np.int64]:
        """Images whose probabilities are kept for figures: their indices, ascending, (m,).

        They are taken from the last split that is scored, so that runs which are scored on all
        images and on the test images alone show the same ones.

        Args:
            number: So many images, evenly spread; where images are tiles, all tiles of the first
                evaluated source image besides. 0 for none at all.
        """
        if not number:
            return np.zeros(0, dtype=np.int64)
        scored = self.protocol.images[self.protocol.scoring]
        last = next(
            split for split in reversed(self.data.manifest.splits) if split.start <= scored[-1]
        )
        scored = scored[scored >= last.start]
        spread = scored[np.linspace(0, len(scored) - 1, min(number, len(scored))).astype(np.int64)]
        if self.data.manifest.maps.tiles is None:
            return np.unique(spread)
        sources = [name.split("/")[0] for name in self.data.names]
        first = min(sources[index] for index in self.protocol.images)
        tiles = [index for index, source in enumerate(sources) if source == first]
        return np.unique(np.concatenate([spread, np.array(tiles, dtype=np.int64)]))

    def area(self, index: int, maps: MapSettings, side: int) -> tuple[slice, slice]:
        """Rows and columns of an image that are scored.

        Args:
            index: Place of the image in the dataset.
            maps: Whether that is the whole image or its centre.
            side: Side of the network's input.
        """
        height, width = (int(side) for side in self.data.sizes[index])
        if maps.evaluation_area == "whole":
            return slice(0, height), slice(0, width)
        top, left = (height - side) // 2, (width - side) // 2
        return slice(top, top + side), slice(left, left + side)
