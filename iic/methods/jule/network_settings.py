"""Settings of JULE's network (torch-free; docs/spec/baselines.md#jule)."""

from __future__ import annotations

from pydantic import Field, model_validator

from iic.params.base import Model
from iic.params.networks import Widths

KERNEL = 5
"""Side of every convolution's kernel."""


class JULENetworkSettings(Model):
    """5x5 convolutions without padding, a halving maximum between two; by default MNIST's."""

    input_size: int = Field(ge=1)
    """Side of the square input in pixels; images are averaged to it."""
    in_channels: int = Field(ge=1)
    """Channels of the images."""
    widths: Widths = (50, 50)
    """Channels of each convolution."""
    features: int = Field(160, ge=1)
    """Numbers of a feature vector."""

    @property
    def last_side(self) -> int:
        """Side of the last map in pixels; less than 1 where the input is too small."""
        side = self.input_size - KERNEL + 1
        for _ in self.widths[1:]:
            side = -(-side // 2) - KERNEL + 1
        return side

    @model_validator(mode="after")
    def _large_enough(self) -> JULENetworkSettings:
        if self.last_side < 1:
            raise ValueError(
                f"input_size: nothing is left of {self.input_size} pixels after "
                f"{len(self.widths)} convolutions of {KERNEL} pixels, with a halving between two: "
                "a larger input or fewer widths are needed"
            )
        return self
