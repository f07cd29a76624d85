"""Multi-crop: several random crops of each image (docs/spec/imc_swav.md#crops).

The order is that of IMC-SwAV's released code: flip, crop, resize, jitter, grey, normalise. There,
PIL rounds to whole grey levels after every step; here the values stay floats.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from iic.augment import jitter, resized_window
from iic.augment.batch import (
    Rows,
    chance,
    check_images,
    full_precision,
    in_parts,
    per_image,
    unit_range,
)
from iic.augment.greyscale import greyscale
from iic.params.multi_crop import CropSettings, MultiCropSettings


@dataclass(frozen=True)
class CropDraws(Rows):
    """All random numbers of one crop of each of N images; the first and last two are bool (N,)."""

    flips: Tensor
    """Whether the image is mirrored left to right before it is cropped."""
    rectangles: resized_window.Rectangles
    jitters: jitter.Jitters
    jittered: Tensor
    """Whether the jitter is done."""
    grey: Tensor
    """Whether the crop is made grey."""


class MultiCrop:
    """Turns uint8 images on a device into crops, float32 on the same device, normalised.

    As `iic.augment.augmentation.Augmentation`: the generator lives on the images' device, equal
    states give equal results, each image is treated on its own, nothing is read back to the host.

    Args:
        settings: Probabilities, sizes and strengths.
    """

    def __init__(self, settings: MultiCropSettings) -> None:
        self.settings = settings
        self._normalisation: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def crops(self, images_uint8: Tensor, generator: torch.Generator) -> list[Tensor]:
        """Every crop of every image, large ones first.

        Args:
            images_uint8: (U, 3, H, W).
            generator: Source of the random numbers.

        Returns:
            A batch (U, 3, s, s) for each crop of the settings, s its size.

        Raises:
            ValueError: Wrong dtype or shape.
        """
        check_images(images_uint8, 3)
        count, _, height, width = images_uint8.shape
        crops = []
        with full_precision(images_uint8.device):
            for kind in self.settings.kinds:
                draws = self.draw(kind, count, height, width, generator)
                crops.append(self.normalised(self.apply(kind, images_uint8, draws)))
        return crops

    def evaluation(self, images_uint8: Tensor) -> Tensor:
        """The whole image, normalised.

        Args:
            images_uint8: (U, 3, H, W).

        Returns:
            (U, 3, H, W), float32.

        Raises:
            ValueError: Wrong dtype or shape.
        """
        check_images(images_uint8, 3)
        return self.normalised(unit_range(images_uint8))

    def draw(
        self, kind: CropSettings, count: int, height: int, width: int, generator: torch.Generator
    ) -> CropDraws:
        """Random numbers for one crop of `count` images of `height` x `width`."""
        settings = self.settings
        return CropDraws(
            flips=chance(count, settings.flip_probability, generator),
            rectangles=resized_window.draw(
                count, height, width, generator, area=kind.area, ratio=settings.ratio
            ),
            jitters=jitter.draw(
                count,
                generator,
                brightness=settings.brightness,
                contrast=settings.contrast,
                saturation=settings.saturation,
                hue=settings.hue,
            ),
            jittered=chance(count, settings.jitter_probability, generator),
            grey=chance(count, settings.grey_probability, generator),
        )

    def apply(self, kind: CropSettings, images: Tensor, draws: CropDraws) -> Tensor:
        """Flip, crop, resize, jitter and make grey: (N, 3, s, s), float32 in [0, 1].

        Args:
            kind: Says the size s.
            images: (N, 3, H, W), uint8 or float in [0, 1].
            draws: N rows.
        """

        def transformed(part: Tensor, rows: CropDraws) -> Tensor:
            part = torch.where(per_image(rows.flips), part.flip(3), part)
            pixels = resized_window.apply(part, rows.rectangles, kind.size)
            jittered = jitter.apply(pixels, rows.jitters)
            pixels = torch.where(per_image(rows.jittered), jittered, pixels)
            return torch.where(per_image(rows.grey), greyscale(pixels), pixels)

        floats_each = 3 * max(kind.size, images.shape[2]) ** 2
        return in_parts(transformed, images, draws, floats_each)

    def normalised(self, pixels: Tensor) -> Tensor:
        """Pixels (N, 3, s, s) in [0, 1] less the mean of their channel, by its deviation."""
        device = pixels.device
        if device not in self._normalisation:
            mean, deviation = (
                torch.tensor(values, device=device).view(3, 1, 1)
                for values in (self.settings.mean, self.settings.deviation)
            )
            self._normalisation[device] = mean, deviation
        mean, deviation = self._normalisation[device]
        return (pixels - mean) / deviation
