"""A whole source image, put together from the tiles that a dataset cuts it into."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iic.publish.figures.segmentations import Segmentation
from iic.publish.figures.style import FigureError


@dataclass(frozen=True)
class Source:
    """A source image all of whose tiles have maps.

    Args:
        name: What the source calls it.
        side: Tiles along each side.
        rows: Of each tile in a segmentation, row by row, (side * side,).
    """

    name: str
    side: int
    rows: tuple[int, ...]


def find_source(segmentation: Segmentation, among: Iterable[str] | None = None) -> Source:
    """The first source image all of whose tiles have maps.

    Tiles are named ``<source>/<number>``, row by row from the upper left.

    Args:
        segmentation: The segmentations of one run.
        among: Names of the source images to choose from; None for all.

    Raises:
        FigureError: The dataset is not cut into tiles, or no source image has all of its tiles;
            names those that are missing.
    """
    side = segmentation.data.manifest.maps.tiles
    if side is None:
        raise FigureError(
            f"{segmentation.run.id}: {segmentation.run.dataset} is not cut into tiles, so there is "
            "no source image to put together\n"
            "  remedy: draw this figure from a dataset with maps.tiles"
        )
    sources = _tiles(segmentation)
    if among is not None:
        chosen = set(among)
        sources = {name: tiles for name, tiles in sources.items() if name in chosen}
    for name, tiles in sources.items():
        if set(tiles) == set(range(side * side)):
            return Source(name, side, tuple(tiles[number] for number in range(side * side)))
    raise _incomplete(segmentation, sources, side)


def complete_sources(segmentation: Segmentation) -> list[str]:
    """Names of the source images all of whose tiles have maps."""
    side = segmentation.data.manifest.maps.tiles or 0
    return [
        name
        for name, tiles in _tiles(segmentation).items()
        if set(tiles) == set(range(side * side))
    ]


def assemble(tiles: Sequence[NDArray[np.uint8]], side: int, trim: int) -> NDArray[np.uint8]:
    """Put tiles together.

    Args:
        tiles: Row by row, each (channels, height, width), all of one size.
        side: Tiles along each side.
        trim: Pixels left out along every side of every tile. The released renderer leaves out 1.

    Returns:
        (channels, side * (height - 2 * trim), side * (width - 2 * trim)).
    """
    cut = [tile[:, trim : tile.shape[1] - trim, trim : tile.shape[2] - trim] for tile in tiles]
    grid = np.stack(cut).reshape(side, side, *cut[0].shape)
    channels, height, width = cut[0].shape
    joined = grid.transpose(2, 0, 3, 1, 4).reshape(channels, side * height, side * width)
    return np.ascontiguousarray(joined)


def _tiles(segmentation: Segmentation) -> dict[str, dict[int, int]]:
    """Source -> number of the tile -> its row, in the order of the dataset."""
    sources: dict[str, dict[int, int]] = {}
    for row in range(len(segmentation.indices)):
        source, _, number = segmentation.name(row).rpartition("/")
        if number.isdecimal():
            sources.setdefault(source, {})[int(number)] = row
    return sources


def _incomplete(
    segmentation: Segmentation, sources: dict[str, dict[int, int]], side: int
) -> FigureError:
    where = f"{segmentation.run.id}, seed {segmentation.seed}: probabilities.parquet"
    remedy = f"\n  remedy: train {segmentation.run.id} again, with maps.examples above 0"
    if not sources:
        return FigureError(f"{where}: no tile of a source image{remedy}")
    name, tiles = max(sources.items(), key=lambda source: len(source[1]))
    missing = sorted(set(range(side * side)) - set(tiles))
    few = ", ".join(f"{number:03}" for number in missing[:5])
    more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    return FigureError(
        f"{where}: of no source image all {side * side} tiles; {name} lacks {few}{more}{remedy}"
    )
