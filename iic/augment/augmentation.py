"""What every family of transforms offers, and the way from its two halves to network input."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor

from iic.augment.batch import Draws, Rows, check_images, full_precision, in_parts
from iic.augment.crop_resize import Windows
from iic.params.augmentation import ColourAugmentation, GreyAugmentation, WarpAugmentation

Settings = TypeVar("Settings", bound=GreyAugmentation | ColourAugmentation | WarpAugmentation)
Drawn = TypeVar("Drawn", bound=Rows)


class Augmentation(ABC, Generic[Settings, Drawn]):
    """Turns uint8 images on a device into float32 network input on the same device.

    Input has shape (U, C, H, W) with C = 1 (grey) or 3 (colour). Output has shape
    (n, C', S, S), float32; grey and RGB channels lie in [0, 1], Sobel gradients in [-4, 4].
    The generator must live on the images' device. Equal states of the generator give equal
    results, each image is treated on its own, and nothing is read back to the host. Autocast
    is switched off inside.

    Args:
        settings: Probabilities, sizes and strengths.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def input_size(self) -> int:
        """Side S of the network's input."""
        return self.settings.input_size

    @property
    def output_channels(self) -> int:
        """Channels C' of the network's input."""
        return self.settings.output_channels

    def original(self, images_uint8: Tensor, generator: torch.Generator) -> Tensor:
        """The image x of a pair (x, gx): cropped and resized only.

        Args:
            images_uint8: (U, C, H, W).
            generator: Source of the random numbers, on the images' device.

        Returns:
            (U, C', S, S).

        Raises:
            ValueError: Wrong dtype or shape, or images smaller than the crop.
        """
        check_images(images_uint8, self.settings.image_channels)
        count, _, height, width = images_uint8.shape
        windows = self.draw_original(count, height, width, generator)
        with full_precision(images_uint8.device):
            return self._in_parts(self.apply_original, images_uint8, windows)

    def transformed(self, images_uint8: Tensor, repeats: int, generator: torch.Generator) -> Tensor:
        """The image gx of a pair, `repeats` times over with independent draws.

        Args:
            images_uint8: (U, C, H, W).
            repeats: Number r of transformed versions of each image.
            generator: Source of the random numbers, on the images' device.

        Returns:
            (r U, C', S, S): all images of the first repeat, then of the second, and so on.

        Raises:
            ValueError: Wrong dtype or shape, images smaller than a crop, or `repeats` below 1.
        """
        check_images(images_uint8, self.settings.image_channels)
        if repeats < 1:
            raise ValueError(f"repeats must be at least 1, got {repeats}")
        count, _, height, width = images_uint8.shape
        draws = self.draw_transformed(repeats * count, height, width, generator)
        copies = images_uint8.repeat(repeats, 1, 1, 1)
        with full_precision(images_uint8.device):
            return self._in_parts(self.apply_transformed, copies, draws)

    def evaluation(self, images_uint8: Tensor) -> Tensor:
        """The image as it is scored: cropped at the centre, without any randomness.

        Args:
            images_uint8: (U, C, H, W).

        Returns:
            (U, C', S, S).

        Raises:
            ValueError: Wrong dtype or shape, or images smaller than the crop.
        """
        check_images(images_uint8, self.settings.image_channels)
        count, _, height, width = images_uint8.shape
        windows = self.centred(count, height, width, images_uint8.device)
        with full_precision(images_uint8.device):
            return self._in_parts(self.apply_original, images_uint8, windows)

    def _in_parts(
        self, apply: Callable[[Tensor, Draws], Tensor], images: Tensor, draws: Draws
    ) -> Tensor:
        floats_each = self.settings.image_channels * self.settings.input_size**2
        return in_parts(apply, images, draws, floats_each)

    @abstractmethod
    def draw_original(
        self, count: int, height: int, width: int, generator: torch.Generator
    ) -> Windows:
        """Windows of `count` originals, cut from images of `height` x `width`.

        Raises:
            ValueError: The crop is larger than the images.
        """

    @abstractmethod
    def centred(self, count: int, height: int, width: int, device: torch.device) -> Windows:
        """Central windows for `count` images of `height` x `width`.

        Raises:
            ValueError: The crop is larger than the images.
        """

    @abstractmethod
    def apply_original(self, images: Tensor, windows: Windows) -> Tensor:
        """Cut `windows` from (N, C, H, W), uint8 or float in [0, 1]: network input."""

    @abstractmethod
    def draw_transformed(
        self, count: int, height: int, width: int, generator: torch.Generator
    ) -> Drawn:
        """Random numbers for `count` transformed images of `height` x `width`.

        Raises:
            ValueError: A crop is larger than the images.
        """

    @abstractmethod
    def apply_transformed(self, images: Tensor, draws: Drawn) -> Tensor:
        """Transform (N, C, H, W), uint8 or float in [0, 1], each image by its row of `draws`."""
