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


def find_source(found: Segmentation, among: Iterable[str] | None = None) -> Source:
    """The first source image all of whose tiles have maps.

    Tiles are named ``<source>/<number>``, row by row from the upper left.

    Args:
        found: The segmentations of one run.
        among: Names of the source images to choose from; None for all.

    Raises:
        FigureError: The dataset is not cut into tiles, or no source image has all of its tiles;
            names those that are missing.
    """
    side = found.data.manifest.maps.tiles
    if side is None:
        raise FigureError(
            f"{found.run.id}: {found.run.dataset} is not cut into tiles, so there is no source "
            "image to put together\n  remedy: draw this figure from a dataset with maps.tiles"
        )
    sources = _tiles(found)
    if among is not None:
        wanted = set(among)
        sources = {name: tiles for name, tiles in sources.items() if name in wanted}
    for name, tiles in sources.items():
        if set(tiles) == set(range(side * side)):
            return Source(name, side, tuple(tiles[number] for number in range(side * side)))
    raise _incomplete(found, sources, side)


def complete_sources(found: Segmentation) -> list[str]:
    """Names of the source images all of whose tiles have maps."""
    side = found.data.manifest.maps.tiles or 0
    return [name for name, tiles in _tiles(found).items() if set(tiles) == set(range(side * side))]


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
    whole = grid.transpose(2, 0, 3, 1, 4).reshape(channels, side * height, side * width)
    return np.ascontiguousarray(whole)


def _tiles(found: Segmentation) -> dict[str, dict[int, int]]:
    """Source -> number of the tile -> its row, in the order of the dataset."""
    sources: dict[str, dict[int, int]] = {}
    for row in range(len(found.indices)):
        source, _, number = found.name(row).rpartition("/")
        if number.isdecimal():
            sources.setdefault(source, {})[int(number)] = row
    return sources


def _incomplete(found: Segmentation, sources: dict[str, dict[int, int]], side: int) -> FigureError:
    place = f"{found.run.id}, seed {found.seed}: probabilities.parquet"
    remedy = f"\n  remedy: train {found.run.id} again, with maps.examples above 0"
    if not sources:
        return FigureError(f"{place}: no tile of a source image{remedy}")
    name, tiles = max(sources.items(), key=lambda one: len(one[1]))
    missing = sorted(set(range(side * side)) - set(tiles))
    few = ", ".join(f"{number:03}" for number in missing[:5])
    more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    return FigureError(
        f"{place}: of no source image all {side * side} tiles; {name} lacks {few}{more}{remedy}"
    )
