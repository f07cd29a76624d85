"""Settings of the encoder of IMC-SwAV and its peers (docs/spec/imc_swav.md#network)."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from iic.params.base import Model

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
