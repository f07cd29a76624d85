"""Settings of Exemplar-CNN's network (torch-free; docs/spec/baselines.md#exemplar-cnn)."""

from __future__ import annotations

from pydantic import Field, model_validator

from iic.params.base import Model
from iic.params.networks import Widths

POOLINGS = 2
"""Convolutions that 2x2 maxima follow: the first ones."""


class ExemplarNetworkSettings(Model):
    """Convolutions and a layer of features; the defaults are the source's largest network."""

    input_size: int = Field(32, ge=4)
    """Side of a patch in pixels."""
    in_channels: int = Field(3, ge=1)
    """Channels of the images: 3, since transforms change colours."""
    widths: Widths = (92, 256, 512)
    """Channels of each convolution."""
    kernel: int = Field(5, ge=1)
    """Side of their kernels: odd, so that a map keeps its size."""
    features: int = Field(1024, ge=1)
    """Numbers of the layer after them."""
    dropout: float = Field(0.5, ge=0, lt=1)
    """Share of these that is dropped."""

    @property
    def last_side(self) -> int:
        """Side in pixels of a patch's last map."""
        return int(self.input_size // 2 ** min(POOLINGS, len(self.widths)))

    def numbers(self) -> int:
        """Of an image's features: four for each map of each layer."""
        return 4 * (sum(self.widths) + self.features)

    @model_validator(mode="after")
    def _consistent(self) -> ExemplarNetworkSettings:
        halvings = 2 ** min(POOLINGS, len(self.widths))
        if self.input_size % halvings:
            raise ValueError(
                f"input_size: {self.input_size} pixels do not divide into windows of {halvings}: "
                f"a multiple of {halvings} is needed"
            )
        if self.kernel % 2 == 0:
            raise ValueError(
                f"kernel: {self.kernel} would change the map's size: an odd number is needed"
            )
        return self
