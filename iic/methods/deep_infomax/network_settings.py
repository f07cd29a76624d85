"""Settings of Deep InfoMax's encoder (torch-free; docs/spec/baselines.md#deep-infomax)."""

from __future__ import annotations

from pydantic import Field, model_validator

from iic.params.base import Model
from iic.params.networks import Widths

LOCAL = 3
"""Convolutions below the map whose places are the local features."""
POOLED = (1, 2, 5)
"""Convolutions after which 3x3 maxima are taken, 2 pixels apart."""


class DIMEncoderSettings(Model):
    """Five 3x3 convolutions and layers to a vector; the defaults are those of the source."""

    input_size: int = Field(64, ge=1)
    """Side in pixels to which images are resized."""
    in_channels: int = Field(3, ge=1)
    """Channels of the images: 3 for colour."""
    channels: Widths = (96, 192, 384, 384, 192)
    """Of each convolution."""
    hidden: Widths = (4096, 4096)
    """Of each layer before the vector."""
    features: int = Field(64, ge=1)
    """Numbers of the vector, the global feature."""

    def side(self, convolutions: int) -> int:
        """Side of the map after so many convolutions and their maxima."""
        side = self.input_size
        for _ in range(sum(number <= convolutions for number in POOLED)):
            side = (side - 3) // 2 + 1 if side >= 3 else 0
        return side

    @model_validator(mode="after")
    def _consistent(self) -> DIMEncoderSettings:
        if len(self.channels) != POOLED[-1]:
            raise ValueError(f"channels: {len(self.channels)} of {POOLED[-1]} convolutions")
        if self.side(POOLED[-1]) < 1:
            raise ValueError(
                f"input_size: nothing is left of {self.input_size} pixels after {len(POOLED)} "
                "maxima of 3x3; at least 15 are needed"
            )
        return self
