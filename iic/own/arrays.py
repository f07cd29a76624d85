"""Images that come as arrays: .npy, .npz, MNIST's idx, or numbers in memory."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from iic.data.packed import check_ratio, decompressed
from iic.own.errors import OwnDataError
from iic.own.items import Item, Listing, RowItem
from iic.params.escaping import quoted

CHANNELS = (1, 3, 4)
IDX_UINT8 = b"\x00\x00\x08"
SHAPES = "(N, H, W), (N, H, W, C) or (N, C, H, W) with C 1, 3 or 4"


def array_items(path: Path, top: float | None = None) -> Listing:
    """The rows of a .npy or .npz; of an .npz the first array of images, and labels if there are.

    Args:
        path: The file.
        top: As for `rows`.

    Raises:
        OwnDataError: It is no array of images.
    """
    try:
        content = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(content, np.ndarray):
            return rows(content, str(path), top=top)
        with content:
            members = content.zip.infolist()
            check_ratio(sum(member.file_size for member in members), path.stat().st_size)
            arrays = {name: content[name] for name in content.files}
    except OwnDataError:
        raise
    except Exception as error:  # damaged bytes may lead a decoder anywhere
        raise OwnDataError(f"{path}: no array file that can be read: {quoted(error)}") from None
    images = [name for name, array in arrays.items() if array.ndim in (3, 4)]
    if not images:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise OwnDataError(f"{path}: no array of images in it ({shapes})\n  allowed: {SHAPES}")
    count = len(arrays[images[0]])
    labels = next((a for a in arrays.values() if a.shape == (count,)), None)
    return rows(arrays[images[0]], str(path), labels, top)


def rows(
    array: NDArray[np.generic],
    name: str,
    labels: NDArray[np.generic] | None = None,
    top: float | None = None,
) -> Listing:
    """Each image of an array.

    Args:
        array: In one of `SHAPES`.
        name: What to call the array in errors.
        labels: (N,), or None.
        top: Number that is white, where pixels are no bytes; None to choose it by `white`.

    Raises:
        OwnDataError: Another shape or type, NaN, infinite or negative numbers.
    """
    array = _last_axis(array, name)
    if array.dtype == np.uint8:
        pixels = array.view(np.uint8)
    elif array.dtype == np.bool_:
        pixels = array.astype(np.uint8) * np.uint8(255)
    else:
        pixels, top = _as_bytes(array, name, top)
    pixels = pixels[..., :3] if pixels.shape[3] == 4 else pixels
    digits = len(str(max(len(pixels) - 1, 0)))
    items: list[Item] = [
        RowItem(f"{row:0{digits}d}", image, None if labels is None else str(labels[row]))
        for row, image in enumerate(pixels)
    ]
    return Listing(items, top=top)


def white(highest: float) -> float:
    """What is white where `highest` is the largest number: 1, or what so many bits can hold.

    16 is a number of grey levels, and its own white.
    """
    if highest <= 1:
        return 1.0
    levels = float(1 << math.ceil(math.log2(highest)))
    return levels - 1 if highest <= levels - 1 else levels


def _last_axis(array: NDArray[np.generic], name: str) -> NDArray[np.generic]:
    """Images as (N, H, W, C)."""
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or 0 in array.shape:
        raise OwnDataError(f"{name}: no images: shape {array.shape}\n  allowed: {SHAPES}")
    if array.shape[3] not in CHANNELS and array.shape[1] in CHANNELS:
        array = np.moveaxis(array, 1, 3)
    if array.shape[3] not in CHANNELS:
        raise OwnDataError(f"{name}: no images: shape {array.shape}\n  allowed: {SHAPES}")
    return array


def _as_bytes(
    array: NDArray[np.generic], name: str, top: float | None
) -> tuple[NDArray[np.uint8], float]:
    if not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
        raise OwnDataError(f"{name}: {array.dtype} is no type of pixels: uint8, or other numbers")
    values = array.astype(np.float32)
    lowest, highest = float(values.min()), float(values.max())
    if not (math.isfinite(lowest) and math.isfinite(highest)):
        wrong = int((~np.isfinite(values)).any(axis=(1, 2, 3)).sum())
        raise OwnDataError(f"{name}: {wrong:,} of {len(values):,} images hold NaN or infinity")
    if lowest < 0:
        raise OwnDataError(
            f"{name}: pixels from {lowest:g} to {highest:g}\n"
            "  remedy: shift and scale them to 0 ... 1"
        )
    top = white(highest) if top is None else top
    scaled: NDArray[np.uint8] = np.rint(np.minimum(values, top) * (255 / top)).astype(np.uint8)
    return scaled, top


def is_idx(path: Path) -> bool:
    """Whether a file, gzipped or not, begins as MNIST's files of images do."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head[:2] == b"\x1f\x8b":
            with gzip.open(path) as file:
                head = file.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return head == IDX_UINT8 + b"\x03"


def idx_items(path: Path) -> Listing:
    """The images of an idx file.

    Raises:
        OwnDataError: It is cut or damaged.
    """
    try:
        with decompressed(path) as file:
            head = file.read(16)
            size = math.prod(np.frombuffer(head, ">u4", 3, 4).tolist()) if len(head) == 16 else 0
            check_ratio(size, path.stat().st_size)
            # one byte more than its head says, in pieces: a gzip file unpacks to any size
            content = head + b"".join(_pieces(file, size + 1))
    except Exception as error:  # damaged bytes may lead a decoder anywhere
        raise OwnDataError(f"{path}: cannot be unpacked: {quoted(error)}") from None
    if len(content) < 16:
        raise OwnDataError(f"{path}: cut: {len(content)} bytes, fewer than its head has")
    shape = tuple(np.frombuffer(content, ">u4", 3, 4).tolist())
    pixels = np.frombuffer(content, np.uint8, offset=16)
    if pixels.size != math.prod(shape):
        raise OwnDataError(f"{path}: cut: {pixels.size:,} pixels, but its head says {shape}")
    return rows(pixels.reshape(shape), str(path))


def _pieces(file: IO[bytes], size: int) -> Iterator[bytes]:
    """At most `size` bytes of a stream."""
    while size > 0 and (piece := file.read(min(size, 1 << 24))):
        size -= len(piece)
        yield piece
