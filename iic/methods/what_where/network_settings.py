"""Settings of a stacked what-where autoencoder's network (torch-free)."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, model_validator

from iic.params.base import Model
from iic.params.networks import Widths


class StageSettings(Model):
    """Convolutions, then a pooling that remembers where each maximum was."""

    channels: Widths
    """Of each convolution, with BatchNorm and ReLU."""
    pool: int = Field(ge=1)
    """Side of the square windows in pixels, none of which overlap."""
    kernel: int = Field(3, ge=1)
    """Side of the convolutions' kernels: odd, so that a map keeps its size."""


Stages = Annotated[tuple[StageSettings, ...], Field(strict=False, min_length=1)]


class WhatWhereNetworkSettings(Model):
    """Encoder; the decoder is its mirror."""

    input_size: int = Field(ge=2)
    """Side of the square images in pixels: that of the dataset's or a whole fraction of it, to
    which they are averaged."""
    in_channels: int = Field(ge=1)
    """Channels of the images: 1 for grey, 3 for colour."""
    stages: Stages
    """From the image to the code."""

    @property
    def code(self) -> int:
        """Numbers of the last "what", the code of an image."""
        side = self.input_size // math.prod(stage.pool for stage in self.stages)
        return int(self.stages[-1].channels[-1] * side**2)

    @model_validator(mode="after")
    def _consistent(self) -> WhatWhereNetworkSettings:
        side = self.input_size
        for number, stage in enumerate(self.stages):
            if side % stage.pool:
                raise ValueError(
                    f"stages.{number}.pool: windows of {stage.pool} pixels do not divide a map of "
                    f"{side}: a divisor of {side} is needed"
                )
            if stage.kernel % 2 == 0:
                raise ValueError(
                    f"stages.{number}.kernel: {stage.kernel} would change the map's size: an odd "
                    "number is needed"
                )
            side //= stage.pool
        return self
