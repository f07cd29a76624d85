"""Settings of multi-crop (docs/spec/imc_swav.md#crops): several random crops of each image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, model_validator

from iic.params.augmentation import Pixels, Probability, Strength
from iic.params.base import Model, Problem
from iic.params.datasets import Dataset

Share = Annotated[float, Field(gt=0, le=1)]
Channel = Annotated[float, Field(gt=0, lt=1)]
Channels = tuple[Channel, Channel, Channel]


class CropSettings(Model):
    """Crops of one size."""

    count: int = Field(ge=0)
    """How many of each image; 0 for none."""
    size: Pixels
    """Side in pixels to which the window is resized."""
    area: tuple[Share, Share]
    """Smallest and largest share of the image's area that the window has."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.area[0] > self.area[1]:
            raise ValueError(f"area: {list(self.area)} must be [smallest, largest]")
        return self


class LargeCropSettings(CropSettings):
    """Crops whose codes the others predict."""

    count: int = Field(2, ge=1)
    size: Pixels = 28
    area: tuple[Share, Share] = (0.2, 1.0)


class SmallCropSettings(CropSettings):
    """Crops that predict alone."""

    count: int = Field(4, ge=0)
    size: Pixels = 18
    area: tuple[Share, Share] = (0.08, 0.4)


class MultiCropSettings(Model):
    """Large and small crops, and what happens to each; the defaults are IMC-SwAV's for CIFAR-10."""

    large: LargeCropSettings = LargeCropSettings()
    small: SmallCropSettings = SmallCropSettings()
    flip_probability: Probability = 0.5
    """How often a crop is mirrored left to right."""
    ratio: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (3 / 4, 4 / 3)
    """Smallest and largest width of the window by its height."""
    jitter_probability: Probability = 0.8
    """How often brightness, contrast, saturation and hue are jittered."""
    brightness: Strength = 0.4
    """Brightness is scaled by a factor between 1 - this and 1 + this; so are the next two."""
    contrast: Strength = 0.4
    saturation: Strength = 0.4
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """Largest turn of the hue in either direction, in full circles."""
    grey_probability: Probability = 0.25
    """How often a crop is made grey."""
    mean: Channels = (0.4914, 0.4822, 0.4465)
    """Subtracted from red, green and blue in [0, 1]."""
    deviation: Channels = (0.2023, 0.1994, 0.2010)
    """What red, green and blue are then divided by."""

    @property
    def kinds(self) -> tuple[CropSettings, ...]:
        """The setting of each crop of an image, large ones first."""
        return (self.large,) * self.large.count + (self.small,) * self.small.count

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.ratio[0] > self.ratio[1]:
            raise ValueError(f"ratio: {list(self.ratio)} must be [smallest, largest]")
        if self.large.count + self.small.count < 2:
            raise ValueError(
                "large.count: one large crop and no small one: two crops in all are needed"
            )
        return self

    def problems(self, key: str, dataset: Dataset) -> Iterator[Problem]:
        """Whether the images have three channels, and no crop is larger than they are.

        Args:
            key: Dotted key of these settings.
            dataset: The dataset.
        """
        image = dataset.image
        if image.channels != 3:
            yield Problem(
                key,
                f"multi-crop takes 3 channels, but the images of {dataset.title} have "
                f"{image.channels}",
                "a dataset of colour images",
            )
        side = min(image.height, image.width)
        for name, kind in (("large", self.large), ("small", self.small)):
            if kind.size > side:
                yield Problem(
                    f"{key}.{name}.size",
                    f"crops of {kind.size} pixels of images of {side}",
                    f"at most {side}",
                )
