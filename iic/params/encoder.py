"""Settings of the encoder of IMC-SwAV and its peers (docs/spec/imc_swav.md#network)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, model_validator

from iic.params.base import Model, Problem
from iic.params.datasets import Dataset

Counts = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False, min_length=1)]


class EncoderSettings(Model):
    """A ResNet for small images of any size; the defaults are ResNet-18 for CIFAR."""

    input_size: int = Field(ge=1)
    """Side in pixels of the images that are evaluated; crops that it is trained on are smaller."""
    in_channels: int = Field(3, ge=1)
    """Channels of the images: 3 for colour."""
    channels: Counts = (64, 128, 256, 512)
    """Output channels of each stage; the stem has those of the first."""
    blocks: Counts = (2, 2, 2, 2)
    """Residual blocks of each stage: 2, 2, 2, 2 in ResNet-18, 3, 4, 6, 3 in ResNet-34."""
    pool: bool = False
    """Whether the stem ends with a 2x2 max-pooling: for images of 64 pixels and more."""

    @property
    def features(self) -> int:
        """Length of a feature vector."""
        return self.channels[-1]

    @model_validator(mode="after")
    def _one_count_a_stage(self) -> Self:
        if len(self.blocks) != len(self.channels):
            raise ValueError(
                f"blocks has {len(self.blocks)} entries for {len(self.channels)} stages: give one "
                "entry per stage in both channels and blocks"
            )
        return self

    def problems(self, key: str, dataset: Dataset) -> Iterator[Problem]:
        """Whether the images are square, and of this size and so many channels.

        Args:
            key: Dotted key of these settings.
            dataset: The dataset, whose whole images are evaluated.
        """
        image = dataset.image
        if self.in_channels != image.channels:
            yield Problem(
                f"{key}.in_channels",
                f"{self.in_channels} channels, but the images of {dataset.title} have "
                f"{image.channels}",
                str(image.channels),
            )
        if self.input_size != image.height or image.height != image.width:
            yield Problem(
                f"{key}.input_size",
                f"{self.input_size} pixels, but images of {image.height}x{image.width} are "
                "evaluated whole",
                f"{image.height}, for square images",
            )
