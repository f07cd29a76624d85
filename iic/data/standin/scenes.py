"""Drawing the scenes of the stand-ins for segmentation: irregular regions, each with a texture.

A class is a pattern of `shapes.SHAPES` with a period, and nothing else says which class a pixel
has. The grey value swings about the same mean in every region; the colour is drawn anew for each
small patch of the image, without regard to the regions; strong noise lies on both. So k-means on
colours is near chance, and so is a network that looks at single pixels, while the pattern survives
what IIC does to an image: jitter of the colours, flips (which map each pattern to itself), the
Sobel filter, and the scaling by 0.33 or 0.5, for which the periods are chosen. What would be equal
over a whole region or image without being a class is left out, or it could be clustered as well:
no tint of a region, no change of contrast from image to image.

Two more things decide whether IIC learns the textures. The period, of which a third or half is
left, is so short that a map of half the resolution hardly shows single stripes: or they, and not
the classes, would be what one pixel tells of the next. And regions are as wide as the network sees.

Integers and SHAKE-256 throughout, as in `shapes`, and for the same reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iic.data.standin.shapes import ROTATIONS, SHAPES, UNIT, Chance, Ints, Mask, Pattern, rotated

# What decides how hard the scenes are, in grey levels of 255.
CONTRAST = 55
"""How far a pattern's light and dark parts are from the mean."""
GREY_NOISE = 20
"""Most that noise adds to or takes from all channels of a pixel."""
HUE = 45
"""Most that a patch's colour adds to or takes from red and blue; its grey value stays."""
COLOUR_NOISE = 15
"""Most that noise adds to or takes from a single channel of a pixel."""


PATTERNS: dict[str, Pattern] = {
    "flat_stripes": SHAPES["flat_stripes"],
    "upright_stripes": SHAPES["upright_stripes"],
    "checkerboard": SHAPES["checkerboard"],
    "diamonds": SHAPES["diamonds"],
    "slanted_stripes": lambda u, v, p: SHAPES["flat_stripes"](u, u + v, p * 7 // 5),
}
"""What a class may be: light in half of its area, so that no class is lighter than another."""
GRAIN = "grain"
"""One more: squares that are light or dark by chance."""


@dataclass(frozen=True)
class Texture:
    """How a class looks."""

    pattern: str
    """One of `PATTERNS`, or `GRAIN`."""
    period: int
    """Pixels of the raw image; of grain twice the side of a square."""


@dataclass(frozen=True)
class Layout:
    """How a kind of scene is divided into regions. All lengths in pixels of the raw image."""

    spacing: int
    """Side of the square that a region has to itself on average."""
    wobble: int
    """Most that a boundary is displaced."""
    patch: int
    """Side of the patches of one colour."""


def regions(height: int, width: int, layout: Layout, name: str) -> Ints:
    """Divide an image into irregular regions.

    Args:
        height: Pixels.
        width: Pixels.
        layout: Sizes.
        name: Decides everything else.

    Returns:
        Number of each pixel's region, (height, width), from 0 and by the height of their centres:
        the first is the topmost.
    """
    down, right = (max(1, round_to(side, layout.spacing)) for side in (height, width))
    chance = Chance(f"{name} regions", 4 * down * right)
    centres = sorted(
        (
            (2 * row + 1) * height // (2 * down) + chance.between(-1, 1) * height // (5 * down),
            (2 * column + 1) * width // (2 * right)
            + chance.between(-100, 100) * width // (250 * right),
        )
        for row in range(down)
        for column in range(right)
    )
    step = 2 * layout.spacing // 5
    y = np.arange(height)[:, None] + smooth(height, width, step, layout.wobble, f"{name} down")
    x = np.arange(width)[None, :] + smooth(height, width, step, layout.wobble, f"{name} right")
    squares = np.stack([(y - row) ** 2 + (x - column) ** 2 for row, column in centres])
    nearest: Ints = squares.argmin(axis=0)
    return nearest


def round_to(side: int, spacing: int) -> int:
    """How often `spacing` goes into `side`, to the nearest whole number."""
    return (2 * side + spacing) // (2 * spacing)


def smooth(height: int, width: int, step: int, most: int, name: str) -> Ints:
    """Values that change gradually: random at every `step` pixels, interpolated between.

    Returns:
        (height, width), from -`most` to `most`.
    """
    rows, columns = height // step + 2, width // step + 2
    grid = noise(f"{name} smooth", (rows, columns), most)
    y, x = np.arange(height, dtype=np.int64), np.arange(width, dtype=np.int64)
    row, column = y // step, x // step
    below, beside = (y % step)[:, None], (x % step)[None, :]
    # along the rows of the grid first, then between them
    across: Ints = grid[:, column] * (step - beside) + grid[:, column + 1] * beside
    values: Ints = across[row] * (step - below) + across[row + 1] * below
    return values // step**2


def ellipse(height: int, width: int, radius: int, name: str) -> tuple[Mask, Mask]:
    """A blob somewhere in the image, and the line around it.

    Args:
        height: Pixels.
        width: Pixels.
        radius: Of about its larger axis, in pixels.
        name: Decides everything else.

    Returns:
        The inside and the outline, two pixels wide; both (height, width).
    """
    chance = Chance(f"{name} ellipse", 8)
    row, column = chance.between(0, height - 1), chance.between(0, width - 1)
    tall, wide = (radius * chance.between(60, 100) // 100 for _ in range(2))
    y = np.arange(height, dtype=np.int64)[:, None] - row
    x = np.arange(width, dtype=np.int64)[None, :] - column

    def within(more: int) -> Mask:
        a, b = tall + more, wide + more
        inside: Mask = (y * b) ** 2 + (x * a) ** 2 <= (a * b) ** 2
        return inside

    inner = within(0)
    return inner, within(2) & ~inner


def paint(
    places: Ints, textures: Sequence[Texture | None], layout: Layout, channels: int, name: str
) -> Ints:
    """Draw an image.

    Args:
        places: Texture of each pixel, an index into `textures`, (height, width).
        textures: None is a plain surface.
        layout: Sizes.
        channels: 3, or 4 with an infrared channel: the grey value with noise of its own.
        name: Decides everything else.

    Returns:
        (channels, height, width); may lie outside 0 to 255.
    """
    height, width = places.shape
    swing = np.zeros((height, width), dtype=np.int64)
    for index in np.unique(places).tolist():
        texture = textures[index]
        if texture is not None:
            light = _pattern(height, width, texture, f"{name} {index}")
            swing = np.where(places == index, np.where(light, CONTRAST, -CONTRAST), swing)
    grey = 128 + swing + noise(f"{name} grey", (height, width), GREY_NOISE)
    red, blue = (
        _patches(height, width, layout.patch, HUE, f"{name} {hue}") for hue in ("red", "blue")
    )
    # weights of the grey value: it stays as it is
    green = -(77 * red + 29 * blue) // 150
    colours = np.stack([red, green, blue, np.zeros_like(red)][:channels])
    return grey + colours + noise(f"{name} colours", colours.shape, COLOUR_NOISE)


def noise(name: str, shape: tuple[int, ...], most: int) -> Ints:
    """Independent values from -`most` to `most`."""
    count = int(np.prod(shape))
    values = Chance(f"{name} noise", count).rest().astype(np.int64)
    return (values * (2 * most + 1) // 256 - most).reshape(shape)


def as_pixels(image: Ints) -> NDArray[np.uint8]:
    """Cut off what lies outside 0 to 255."""
    return np.minimum(np.maximum(image, 0), 255).astype(np.uint8)


def _pattern(height: int, width: int, texture: Texture, name: str) -> Mask:
    """Where the pattern is light, (height, width); period, place and rotation vary a little."""
    if texture.pattern == GRAIN:
        return _patches(height, width, texture.period // 2, 127, name) > 0
    chance = Chance(f"{name} pattern")
    period = texture.period * UNIT * chance.between(94, 106) // 100
    u, v = rotated(
        np.arange(width, dtype=np.int64)[None, :] * UNIT,
        np.arange(height, dtype=np.int64)[:, None] * UNIT,
        ROTATIONS[chance.between(0, len(ROTATIONS) - 1)],
    )
    if chance.between(0, 1):  # as often mirrored as not: flips leave each class as it is
        u = -u
    return PATTERNS[texture.pattern](
        u + chance.between(0, 65535), v + chance.between(0, 65535), period
    )


def _patches(height: int, width: int, side: int, most: int, name: str) -> Ints:
    """One value from -`most` to `most` for each square of `side` pixels, (height, width)."""
    chance = Chance(f"{name} patches", 4)
    down, right = chance.between(0, side - 1), chance.between(0, side - 1)
    values = noise(f"{name} patch", (height // side + 2, width // side + 2), most)
    large = values.repeat(side, axis=0).repeat(side, axis=1)
    return large[down : down + height, right : right + width]
