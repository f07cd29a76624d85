"""The transforms of RGB images, as in the STL10 and CIFAR runs (docs/spec/images.md#colour-images).

The order is that of the released code: crop, affine map, cutout, resize, flip, jitter, grey, Sobel.
There, PIL rounds to whole grey levels after every step; here the values stay floats.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from iic.augment import affine, cutout, jitter
from iic.augment.augmentation import Augmentation
from iic.augment.batch import Rows, chance, check_images, full_precision, per_image, unit_range
from iic.augment.crop_resize import CropResize, Windows, crop
from iic.augment.greyscale import greyscale
from iic.augment.sobel import sobel
from iic.params.augmentation import ColourAugmentation


@dataclass(frozen=True)
class ColourDraws(Rows):
    """All random numbers of a batch of N transformed images."""

    windows: Windows
    """Place of the crop."""
    flips: Tensor
    """bool (N,): whether the image is mirrored left to right."""
    jitters: jitter.Jitters
    """Brightness, contrast, saturation, hue and their order."""
    maps: affine.AffineMaps | None = None
    """Affine maps, where the settings ask for them."""
    squares: cutout.Squares | None = None
    """Squares to cut out, where the settings ask for them."""


class ColourPipeline(Augmentation[ColourAugmentation, ColourDraws]):
    """Crop, optional affine map and cutout, resize, flip, colour jitter, grey, optional Sobel."""

    def __init__(self, settings: ColourAugmentation) -> None:
        super().__init__(settings)
        self._crop = CropResize([settings.crop], settings.input_size)

    def draw_original(
        self, count: int, height: int, width: int, generator: torch.Generator
    ) -> Windows:
        """Windows of `count` originals, all at random."""
        return self._crop.draw(count, height, width, generator)

    def centred(self, count: int, height: int, width: int, device: torch.device) -> Windows:
        """Central windows for `count` images."""
        return self._crop.centred(count, height, width, device)

    def apply_original(self, images: Tensor, windows: Windows) -> Tensor:
        """Crop, resize and reduce to the network's channels."""
        return self._as_input(self._crop.apply(images, windows))

    def ten_crops(self, images_uint8: Tensor) -> Tensor:
        """Four corners and the centre of the image and of its mirror image, for finetuning.

        Args:
            images_uint8: (U, 3, H, W).

        Returns:
            (10, U, C', S, S), in the order of torchvision's TenCrop: top left, top right, bottom
            left, bottom right, centre, then the same five of the image mirrored left to right.

        Raises:
            ValueError: Wrong dtype or shape, or images smaller than the crop.
        """
        check_images(images_uint8, self.settings.image_channels)
        count, _, height, width = images_uint8.shape
        centre = self.centred(count, height, width, images_uint8.device)
        bottom, right = height - self.settings.crop, width - self.settings.crop
        corners = [
            Windows(
                centre.size_index,
                torch.full_like(centre.top, top),
                torch.full_like(centre.left, left),
            )
            for top in (0, bottom)
            for left in (0, right)
        ]
        windows = [*corners, centre]
        with full_precision(images_uint8.device):
            crops = [
                self._in_parts(self.apply_original, images, window)
                for images in (images_uint8, images_uint8.flip(3))
                for window in windows
            ]
        return torch.stack(crops)

    def draw_transformed(
        self, count: int, height: int, width: int, generator: torch.Generator
    ) -> ColourDraws:
        """Windows, flips, jitter and whatever else is switched on for `count` images."""
        settings = self.settings
        windows = self._crop.draw(count, height, width, generator)
        flips = chance(count, settings.flip_probability, generator)
        jitters = jitter.draw(
            count,
            generator,
            brightness=settings.brightness,
            contrast=settings.contrast,
            saturation=settings.saturation,
            hue=settings.hue,
        )
        maps, squares = None, None
        if settings.affine is not None:
            maps = affine.draw(count, settings.crop, generator, settings.affine)
        if settings.cutout is not None:
            squares = cutout.draw(
                count,
                settings.crop,
                generator,
                probability=settings.cutout.probability,
                side=settings.cutout.side,
            )
        return ColourDraws(windows, flips, jitters, maps, squares)

    def apply_transformed(self, images: Tensor, draws: ColourDraws) -> Tensor:
        """Crop, warp, cut out, resize, flip, jitter and reduce to the network's channels."""
        windows = draws.windows
        pixels = unit_range(crop(images, windows.top, windows.left, self.settings.crop))
        if draws.maps is not None:
            pixels = affine.apply(pixels, draws.maps)
        if draws.squares is not None:
            pixels = cutout.apply(pixels, draws.squares)
        pixels = self._crop.resize(pixels)
        pixels = torch.where(per_image(draws.flips), pixels.flip(3), pixels)
        return self._as_input(jitter.apply(pixels, draws.jitters))

    def _as_input(self, pixels: Tensor) -> Tensor:
        """RGB in [0, 1] to the channels that the network sees."""
        last = greyscale(pixels)
        if self.settings.sobel:
            last = sobel(last)
        return torch.cat([pixels, last], dim=1) if self.settings.channels == "rgb+grey" else last
