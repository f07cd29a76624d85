"""The transforms that DAC and ADC were published with: an affine map, and changes of the values.

Networks see pixels in [0, 1] of the image's own channels (docs/spec/baselines.md#dac, #adc).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from iic.augment import affine, jitter
from iic.augment.augmentation import Augmentation
from iic.augment.batch import Rows, chance, per_image, uniform, unit_range
from iic.augment.crop_resize import CropResize, Windows, crop
from iic.params.augmentation import WarpAugmentation


@dataclass(frozen=True)
class WarpDraws(Rows):
    """All random numbers of a batch of N transformed images."""

    windows: Windows
    """Place of the crop."""
    maps: affine.AffineMaps
    """Affine maps."""
    flips: Tensor
    """bool (N,): whether the image is mirrored left to right."""
    jitters: jitter.Jitters
    """Contrast, saturation, hue and their order."""
    shifts: Tensor
    """What is added to each channel, (N, C, 1, 1)."""
    noise: Tensor | None
    """What is added to each number of the input, (N, C, S, S); None where noise is switched off."""


class WarpPipeline(Augmentation[WarpAugmentation, WarpDraws]):
    """Crop, affine map, resize, flip, jitter, shift of the channels, noise."""

    def __init__(self, settings: WarpAugmentation) -> None:
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
        """Crop and resize."""
        return self._crop.apply(images, windows)

    def draw_transformed(
        self, count: int, height: int, width: int, generator: torch.Generator
    ) -> WarpDraws:
        """Windows, maps, flips and changes of the values of `count` transformed images."""
        settings = self.settings
        channels, side = settings.image_channels, settings.input_size
        windows = self._crop.draw(count, height, width, generator)
        maps = affine.draw(count, settings.crop, generator, settings.affine)
        flips = chance(count, settings.flip_probability, generator)
        jitters = jitter.draw(
            count,
            generator,
            brightness=0.0,
            contrast=settings.contrast,
            saturation=settings.saturation,
            hue=settings.hue,
        )
        shifts = uniform(count * channels, -settings.shift, settings.shift, generator)
        noise = None
        if settings.noise:
            shape = (count, channels, side, side)
            noise = torch.randn(shape, generator=generator, device=generator.device)
            noise *= settings.noise
        return WarpDraws(windows, maps, flips, jitters, shifts.view(count, channels, 1, 1), noise)

    def apply_transformed(self, images: Tensor, draws: WarpDraws) -> Tensor:
        """Crop, warp, resize, flip, jitter, shift and add noise."""
        windows = draws.windows
        pixels = unit_range(crop(images, windows.top, windows.left, self.settings.crop))
        pixels = self._crop.resize(affine.apply(pixels, draws.maps))
        pixels = torch.where(per_image(draws.flips), pixels.flip(3), pixels)
        pixels = jitter.apply(pixels, draws.jitters) + draws.shifts
        return (pixels if draws.noise is None else pixels + draws.noise).clamp_(0, 1)
