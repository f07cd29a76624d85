"""The transforms of grey images, as in the MNIST runs (docs/spec/images.md#grey-images)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from iic.augment import affine, jitter, rotation
from iic.augment.augmentation import Augmentation
from iic.augment.batch import Rows, chance, unit_range
from iic.augment.crop_resize import CropResize, Windows
from iic.params.augmentation import GreyAugmentation


@dataclass(frozen=True)
class GreyDraws(Rows):
    """All random numbers of a batch of N transformed images."""

    angles: Tensor
    """Rotation in degrees, (N,)."""
    windows: Windows
    """Side and place of the crop."""
    jitters: jitter.Jitters
    """Brightness, contrast and their order."""
    maps: affine.AffineMaps | None = None
    """Affine maps, where the settings ask for them."""


class GreyPipeline(Augmentation[GreyAugmentation, GreyDraws]):
    """Rotation, optional affine map, crop of varying side, resize, brightness and contrast.

    The released code's jitter has saturation and hue as well, without effect on grey images. PIL
    rounds to whole grey levels there after every step; here the values stay floats.
    """

    def __init__(self, settings: GreyAugmentation) -> None:
        super().__init__(settings)
        self._fixed_crop = CropResize([settings.crop], settings.input_size)
        self._varied_crop = CropResize(settings.crops, settings.input_size)

    def draw_original(
        self, count: int, height: int, width: int, generator: torch.Generator
    ) -> Windows:
        """Windows of `count` originals, each at the centre or at random."""
        spread = self._fixed_crop.draw(count, height, width, generator)
        centre = self.centred(count, height, width, generator.device)
        at_centre = chance(count, self.settings.centre_probability, generator)
        return Windows(
            spread.size_index,
            torch.where(at_centre, centre.top, spread.top),
            torch.where(at_centre, centre.left, spread.left),
        )

    def centred(self, count: int, height: int, width: int, device: torch.device) -> Windows:
        """Central windows for `count` images."""
        return self._fixed_crop.centred(count, height, width, device)

    def apply_original(self, images: Tensor, windows: Windows) -> Tensor:
        """Crop and resize."""
        return self._fixed_crop.apply(images, windows)

    def draw_transformed(
        self, count: int, height: int, width: int, generator: torch.Generator
    ) -> GreyDraws:
        """Angles, windows, jitter and, if asked for, affine maps of `count` transformed images."""
        settings = self.settings
        angles = rotation.draw(
            count, settings.rotation_degrees, settings.rotation_probability, generator
        )
        windows = self._varied_crop.draw(count, height, width, generator)
        jitters = jitter.draw(
            count, generator, brightness=settings.brightness, contrast=settings.contrast
        )
        maps = None
        if settings.affine is not None:
            maps = affine.draw(count, min(height, width), generator, settings.affine)
        return GreyDraws(angles, windows, jitters, maps)

    def apply_transformed(self, images: Tensor, draws: GreyDraws) -> Tensor:
        """Rotate, warp, crop, resize and jitter."""
        if self.settings.rotation_degrees and self.settings.rotation_probability:
            images = rotation.apply(images, draws.angles)
        if draws.maps is not None:
            images = affine.apply(unit_range(images), draws.maps)
        resized = self._varied_crop.apply(images, draws.windows)
        return jitter.apply(resized, draws.jitters)
