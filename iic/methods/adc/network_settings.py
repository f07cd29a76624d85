"""Settings of ADC's network (torch-free; docs/spec/baselines.md#adc)."""

from __future__ import annotations

from pydantic import Field, model_validator

from iic.params.base import Model
from iic.params.networks import Counts


class ADCNetworkSettings(Model):
    """Blocks of 3x3 convolutions with ELU, each halved by a maximum, and a layer on what is left.

    The defaults are those of the released code, which it has for every dataset.
    """

    input_size: int = Field(ge=1)
    """Side of the square input in pixels."""
    in_channels: int = Field(ge=1)
    """Channels of the input."""
    widths: Counts = (32, 64, 128)
    """Channels of each block."""
    convolutions: int = Field(2, ge=1)
    """Convolutions of each block."""
    embedding: int = Field(128, ge=1)
    """Numbers of an embedding."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Share that is dropped after each block but the last."""

    @property
    def last_side(self) -> int:
        """Side of the last map in pixels."""
        return int(self.input_size // 2 ** len(self.widths))

    @model_validator(mode="after")
    def _large_enough(self) -> ADCNetworkSettings:
        if self.last_side < 1:
            raise ValueError(
                f"input_size: nothing is left of {self.input_size} pixels after "
                f"{len(self.widths)} halvings; at least {2 ** len(self.widths)} are needed"
            )
        return self
