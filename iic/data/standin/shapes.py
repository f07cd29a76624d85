"""Drawing the images of the stand-ins: classes are patterns, everything else is chance.

Each class is a pattern that is repeated over the whole image, such as rings or zigzags. Hue,
contrast, place, size, a slight rotation, the light across the image and strong noise are drawn anew
for each image. So a class is what IIC's transforms leave as it is: crops keep the pattern, flips
map it to itself, and neither colour jitter nor Sobel filtering hides it, while the raw pixels say
little: k-means is hardly better than chance. What those transforms do not change, and what is no
class, is kept from varying much (the grey value, the size, which part is lighter), or it could be
clustered as well. The noise is strong because in trials with less of it, one run each, IIC settled
on two clusters in its first steps and stayed there.

The same bytes have to come out on every machine, for the catalogue lists their checksums. So all
arithmetic is on whole numbers, and chance is SHAKE-256 of the image's name: neither a library's
random numbers nor its floating point are promised to stay.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Pattern = Callable[[Ints, Ints, int], Mask]
"""Horizontal and vertical place and the period, all in `UNIT` -> where the pattern is."""

UNIT = 256
"""Places are counted in 1/256 pixel."""
FINE = 2
"""Each pixel is the mean of 2 x 2 points, so that edges are smooth."""
NOISE = 60
"""Most that noise adds to or takes from a texture's pixel, of 255."""
ROTATIONS = ((256, 0), (255, 18), (255, -18), (253, 36), (253, -36))
"""256 times cosine and sine of 0, 4 and 8 degrees to either side."""


class Chance:
    """An endless row of random numbers that depends on `name` alone."""

    def __init__(self, name: str, size: int = 64) -> None:
        """Prepare `size` bytes; each number takes two of them."""
        self._bytes = hashlib.shake_256(f"iic stand-in {name}".encode()).digest(size)
        self._used = 0

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        value = int.from_bytes(self._bytes[self._used : self._used + 2], "little")
        self._used += 2
        return low + value * (high - low + 1) // 65536

    def rest(self) -> NDArray[np.uint8]:
        """The bytes that no number has taken."""
        return np.frombuffer(self._bytes, np.uint8, offset=self._used)


def shuffled(name: str, count: int) -> Ints:
    """The numbers 0 to `count` - 1 in a random order that depends on `name` alone."""
    keys = Chance(name, 8 * count).rest().view("<u8")
    return np.argsort(keys, kind="stable").astype(np.int64)


def rotated(x: Ints, y: Ints, rotation: tuple[int, int]) -> tuple[Ints, Ints]:
    """Horizontal and vertical place after one of `ROTATIONS` about 0."""
    cosine, sine = rotation
    return (cosine * x - sine * y) // 256, (sine * x + cosine * y) // 256


def _cell(u: Ints, period: int) -> Ints:
    """Distance from the middle of the cell, -period / 2 to period / 2."""
    return u % period - period // 2


def _bars(u: Ints, period: int) -> Mask:
    return u % period < period // 2


def _zigzag(u: Ints, v: Ints, period: int) -> Mask:
    return _bars(v + abs(_cell(u, 2 * period)), period)


def _within(u: Ints, v: Ints, period: int, inner: int, outer: int) -> Mask:
    """Between two radii, in percent of the period, around the middle of each cell."""
    square = (_cell(u, period) ** 2 + _cell(v, period) ** 2) * 10_000
    return (square >= (inner * period) ** 2) & (square < (outer * period) ** 2)


def _plus(u: Ints, v: Ints, period: int) -> Mask:
    across, along = abs(_cell(u, period)) * 100, abs(_cell(v, period)) * 100
    thin, long = 11 * period, 42 * period
    return ((across < thin) & (along < long)) | ((along < thin) & (across < long))


def _cross(u: Ints, v: Ints, period: int) -> Mask:
    a, b = _cell(u, period), _cell(v, period)
    rising, falling = abs(a + b) * 100, abs(a - b) * 100
    thin, long = 16 * period, 66 * period
    return ((rising < thin) & (falling < long)) | ((falling < thin) & (rising < long))


def _triangle(u: Ints, v: Ints, period: int) -> Mask:
    a, b = _cell(u, period), _cell(v, period)
    return (abs(a) * 5 < (b + period * 2 // 5) * 3) & (b * 5 < period * 2)


def _bricks(u: Ints, v: Ints, period: int) -> Mask:
    shift = (v // period % 2) * period
    thin = period // 5
    return (v % period < thin) | ((u + shift) % (2 * period) < thin)


SHAPES: dict[str, Pattern] = {
    "flat_stripes": lambda u, v, p: _bars(v, p),
    "flat_zigzag": _zigzag,
    "upright_stripes": lambda u, v, p: _bars(u, p),
    "upright_zigzag": lambda u, v, p: _zigzag(v, u, p),
    "discs": lambda u, v, p: _within(u, v, p, 0, 34),
    "rings": lambda u, v, p: _within(u, v, p, 24, 44),
    "checkerboard": lambda u, v, p: _bars(u, p) ^ _bars(v, p),
    "pluses": _plus,
    "diamonds": lambda u, v, p: _bars(u + v, p * 3 // 2) ^ _bars(u - v, p * 3 // 2),
    "crosses": _cross,
    "triangles": _triangle,
    "bricks": _bricks,
}
"""What a class of a stand-in may be. A class in the catalogue is drawn by its name."""


def texture(shape: str, side: int, name: str, noise: int = NOISE) -> NDArray[np.uint8]:
    """An image filled with a pattern.

    Args:
        shape: One of `SHAPES`.
        side: Height and width in pixels.
        name: Decides everything else.
        noise: Most that noise adds to or takes from a pixel.

    Returns:
        (3, side, side).
    """
    chance = Chance(name, 64 + 3 * side * side)
    period = side * chance.between(70, 88)
    u, v = _places(side, ROTATIONS[chance.between(0, 4)])
    mask = SHAPES[shape](u + chance.between(0, 65535), v + chance.between(0, 65535), period)
    share = 2 * _share(mask) - FINE**2
    y, x = np.mgrid[:side, :side]
    light = (x * chance.between(-30, 30) + y * chance.between(-30, 30)) // side
    red, blue = chance.between(-70, 70), chance.between(-70, 70)
    # of two hues, neither is the lighter one: grey values are what IIC sees
    green = -(77 * red + 29 * blue) // 150
    planes = [
        128 + hue + light + share * chance.between(28, 50) // FINE**2 for hue in (red, green, blue)
    ]
    return _noisy(np.stack(planes), chance, noise)


def figure(shape: str, side: int, name: str) -> NDArray[np.uint8]:
    """One light figure, a single cell of a pattern, in the middle of a black image.

    Args:
        shape: One of `SHAPES`.
        side: Height and width in pixels.
        name: Decides everything else.

    Returns:
        (1, side, side).
    """
    chance = Chance(name, 64 + side * side)
    period = side * chance.between(150, 190)
    middle = side * UNIT // 2
    u, v = _places(side, ROTATIONS[chance.between(0, 4)])
    u = u - middle + period // 2 + side * chance.between(-16, 16)
    v = v - middle + period // 2 + side * chance.between(-16, 16)
    inside = (u >= 0) & (u < period) & (v >= 0) & (v < period)
    share = _share(SHAPES[shape](u, v, period) & inside)
    return _noisy(chance.between(150, 255) * share[None] // FINE**2, chance, 20)


def _places(side: int, rotation: tuple[int, int]) -> tuple[Ints, Ints]:
    """Horizontal and vertical place of each point, (FINE side, FINE side), rotated about 0."""
    steps = (2 * np.arange(FINE * side, dtype=np.int64) + 1) * UNIT // (2 * FINE)
    return rotated(steps[None, :], steps[:, None], rotation)


def _share(mask: Mask) -> Ints:
    """How many of each pixel's points lie in the mask, (side, side)."""
    side = mask.shape[0] // FINE
    share: Ints = mask.reshape(side, FINE, side, FINE).astype(np.int64).sum(axis=(1, 3))
    return share


def _noisy(planes: Ints, chance: Chance, most: int) -> NDArray[np.uint8]:
    """Add uniform noise of at most `most` to either side, and cut off at 0 and 255."""
    noise = chance.rest()[: planes.size].astype(np.int64).reshape(planes.shape)
    noisy: Ints = planes + noise * (2 * most + 1) // 256 - most
    return np.minimum(np.maximum(noisy, 0), 255).astype(np.uint8)
