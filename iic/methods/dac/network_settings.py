"""Settings of DAC's network (torch-free; docs/spec/baselines.md#dac)."""

from __future__ import annotations

from pydantic import Field, model_validator

from iic.params.base import Model
from iic.params.networks import Counts


class DACNetworkSettings(Model):
    """Blocks of 3x3 convolutions without padding, each halved by a maximum; by default MNIST's.

    What is left of the map after the last block is averaged.
    """

    input_size: int = Field(ge=1)
    """Side of the square input in pixels."""
    in_channels: int = Field(ge=1)
    """Channels of the input."""
    widths: Counts = (64, 128)
    """Channels of each block."""
    convolutions: int = Field(3, ge=1)
    """Convolutions of each block."""
    pooled_batchnorm: bool = True
    """Whether BatchNorm follows each pooling too, as in the released network of MNIST alone."""
    batchnorm_running_statistics: bool = False
    """False: the statistics of the batch in evaluation too, as in the released code."""

    @model_validator(mode="after")
    def _large_enough(self) -> DACNetworkSettings:
        side = self.input_size
        for block in range(len(self.widths)):
            side = (side - 2 * self.convolutions) // 2
            if side < 1:
                raise ValueError(
                    f"input_size: nothing is left of {self.input_size} pixels after block "
                    f"{block + 1} of {self.convolutions} convolutions and a pooling; at least "
                    f"{self._least} are needed"
                )
        return self

    @property
    def _least(self) -> int:
        side = 1
        for _ in self.widths:
            side = 2 * side + 2 * self.convolutions
        return side
