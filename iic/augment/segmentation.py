"""Random transforms of segmentation: a crop, its jittered and mirrored version.

As in docs/spec/segmentation.md#transforms-of-maps. Images lie at the top left of canvases of one
size. What moves pixels is recorded (the crop's corner, the flip), so that predictions can be
brought back into the crop's frame.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from iic.augment import jitter
from iic.augment.batch import chance, full_precision, integers, per_image, unit_range
from iic.augment.greyscale import greyscale
from iic.augment.sobel import sobel
from iic.params.segmentation import SegmentationAugmentation

COLOURS = 3
"""Leading channels that grey values and jitter act on; infrared is left as it is."""


class Corners(NamedTuple):
    """Where a window is cut from each image: first row and column, both (n,) int64."""

    top: Tensor
    left: Tensor


class SegmentationTransforms:
    """Turns uint8 images on a device into network input on the same device.

    Args:
        settings: Sizes, strengths and channels.
    """

    def __init__(self, settings: SegmentationAugmentation) -> None:
        self.settings = settings

    def random(self, sizes: Tensor, generator: torch.Generator) -> Corners:
        """A random window of the input's size inside each image.

        Args:
            sizes: Height and width of each image, (n, 2) int64, at least the window's.
            generator: Source of the random numbers, on the sizes' device.
        """
        room = sizes - self.settings.input_size
        count = len(sizes)
        return Corners(
            integers(count, room[:, 0], generator), integers(count, room[:, 1], generator)
        )

    def centred(self, sizes: Tensor) -> Corners:
        """The central window of each image; the odd pixel is left at the bottom and the right."""
        room = sizes - self.settings.input_size
        return Corners(room[:, 0] // 2, room[:, 1] // 2)

    def cut(self, images: Tensor, corners: Corners) -> Tensor:
        """Windows of the input's size S.

        Args:
            images: Canvases (n, C, H, W), or maps (n, H, W).
            corners: One an image.

        Returns:
            (n, C, S, S), or (n, S, S).
        """
        span = torch.arange(self.settings.input_size, device=images.device)
        rows, columns = corners.top[:, None] + span, corners.left[:, None] + span
        number = torch.arange(len(images), device=images.device)[:, None, None]
        # channels last for the moment: one index then takes all channels of a pixel
        pixels = images.movedim(1, -1) if images.ndim == 4 else images
        windows = pixels[number, rows[:, :, None], columns[:, None, :]]
        return windows.movedim(-1, 1) if images.ndim == 4 else windows

    def original(self, windows: Tensor) -> Tensor:
        """Network input of windows as they are: the image x of a pair.

        Args:
            windows: uint8 (n, C, h, w), of any size; three or four channels.

        Returns:
            float32 (n, C', h, w): the channels in [0, 1], then the Sobel gradients if set so.
        """
        with full_precision(windows.device):
            return self._input(self._channels(windows))

    def transformed(
        self, windows: Tensor, repeats: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """The image gx of a pair, `repeats` times over: jittered, and mirrored by chance.

        Args:
            windows: uint8 (n, C, S, S).
            repeats: Transformed versions of each.
            generator: Source of the random numbers, on the windows' device.

        Returns:
            float32 (repeats n, C', S, S), all windows of the first repeat first; and whether each
            is mirrored, booleans (repeats n,).
        """
        settings = self.settings
        count = repeats * len(windows)
        jitters = jitter.draw(
            count,
            generator,
            brightness=settings.brightness,
            contrast=settings.contrast,
            saturation=settings.saturation,
            hue=settings.hue,
        )
        flipped = chance(count, settings.flip_probability, generator)
        with full_precision(windows.device):
            images = self._channels(windows).repeat(repeats, 1, 1, 1)
            colours = jitter.apply(images[:, :COLOURS], jitters)
            images = torch.cat([colours, images[:, COLOURS:]], dim=1)
            images = images.flip(3).where(per_image(flipped), images)
            return self._input(images), flipped

    def _channels(self, windows: Tensor) -> Tensor:
        images = unit_range(windows)
        if self.settings.channel_order == "rgb":
            return images
        return torch.cat([images[:, :COLOURS].flip(1), images[:, COLOURS:]], dim=1)

    def _input(self, images: Tensor) -> Tensor:
        if not self.settings.sobel:
            return images
        return torch.cat([images, sobel(greyscale(images[:, :COLOURS]))], dim=1)
