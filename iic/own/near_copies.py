"""Images that are nearly the same: found before any training, by a difference hash and pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch.nn.functional import adaptive_avg_pool2d

from iic.own.answers import write_table
from iic.params.escaping import of_cell

ROWS, COLUMNS = 8, 9
"""Size to which an image is averaged; each of 64 bits compares two cells side by side."""
MARGIN = 4.0
"""Grey levels by which a cell is brighter than its left neighbour: noise changes fewer bits."""
MOST_BITS = 3
"""Bits in which hashes may differ. Two such hashes share one of their four bands of 16 bits."""
BANDS = 4
MOST_ALIKE = 300
"""A band that more images share says nothing of them: it is that of an empty margin, say."""
LEVELS, SHARE = 2.0, 1 / 8
"""Images of like hashes are near-copies up to a difference (root mean square) of so many levels
and this share of their contrast: strokes of another hand differ by more, compression by less."""
CHUNK = 4096


def difference_hashes(pixels: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """64 bits of each image (n, C, S, S): where it gets brighter from left to right, (n,)."""
    parts = []
    for start in range(0, len(pixels), CHUNK):
        images = torch.from_numpy(np.array(pixels[start : start + CHUNK])).float()
        cells = adaptive_avg_pool2d(images.mean(dim=1, keepdim=True), (ROWS, COLUMNS))[:, 0]
        bits = (cells[:, :, 1:] - cells[:, :, :-1] > MARGIN).flatten(1).numpy()
        parts.append(np.packbits(bits, axis=1).view(np.uint64)[:, 0])
    return np.concatenate(parts)


def near_copies(pixels: NDArray[np.uint8]) -> list[NDArray[np.int64]]:
    """Groups of images (n, C, S, S) that are nearly the same; copies to the last byte too.

    Returns:
        Indices of each group, ascending, two or more, by their first image.
    """
    hashes = difference_hashes(pixels)
    bands = hashes.view(np.uint16).reshape(len(hashes), BANDS)
    pairs = [pair for own in _shared(hashes) for pair in _with_first(pixels, own)]
    for band in bands.T:
        for own in _shared(band):
            if len(own) <= MOST_ALIKE:
                pairs.append(_like_hashes(hashes, own))
    candidates = np.unique(np.concatenate([np.empty((0, 2), np.int64), *pairs]), axis=0)
    same = candidates[_alike(pixels, candidates)]
    graph = coo_array((np.ones(len(same)), (same[:, 0], same[:, 1])), shape=(len(pixels),) * 2)
    _, component = connected_components(graph, directed=False)
    return sorted(_shared(component), key=lambda group: int(group[0]))


def _shared(values: NDArray[np.generic]) -> list[NDArray[np.int64]]:
    """Indices of each value that comes twice or more, ascending."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    order = np.argsort(inverse, kind="stable")
    ends = np.cumsum(counts)
    return [order[ends[i] - counts[i] : ends[i]] for i in np.flatnonzero(counts > 1)]


def _with_first(pixels: NDArray[np.uint8], left: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Pairs of images of one hash, each with the first that it is like: no more than images."""
    pairs = []
    while len(left) > 1:
        with_first = np.stack([np.full(len(left), left[0]), left], axis=1)
        alike = _alike(pixels, with_first)
        pairs.append(with_first[alike][1:])
        left = left[~alike]
    return pairs


def _like_hashes(hashes: NDArray[np.uint64], own: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs of some images whose hashes differ in few bits, (m, 2)."""
    first, second = np.triu_indices(len(own), 1)
    differing = hashes[own[first]] ^ hashes[own[second]]
    bits = np.unpackbits(differing.view(np.uint8).reshape(-1, 8), axis=1).sum(axis=1)
    near = bits <= MOST_BITS
    return np.stack([own[first[near]], own[second[near]]], axis=1)


def _alike(pixels: NDArray[np.uint8], pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the pixels of each pair differ by little, (m,)."""
    parts = [np.empty(0, np.bool_)]
    for start in range(0, len(pairs), CHUNK):
        first, second = pairs[start : start + CHUNK].T
        images = pixels[first].astype(np.float32)
        difference = np.sqrt(((images - pixels[second]) ** 2).mean(axis=(1, 2, 3)))
        parts.append(difference <= LEVELS + SHARE * images.std(axis=(1, 2, 3)))
    return np.concatenate(parts)


def write_near_copies(path: Path, names: Sequence[str], pixels: NDArray[np.uint8]) -> int:
    """Write a table of paths by group, in the order of paths.

    Returns:
        Images besides the first of each group.
    """
    groups = near_copies(pixels)
    named = sorted(sorted(names[index] for index in group) for group in groups)
    rows = [(number, name) for number, group in enumerate(named) for name in group]
    write_table(path, pd.DataFrame(rows, columns=["group", "path"]))
    return len(rows) - len(named)


def read_near_copies(path: Path) -> list[list[str]]:
    """Paths of each group."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    return [
        [of_cell(name) for name in own] for _, own in table.groupby("group", sort=False)["path"]
    ]
