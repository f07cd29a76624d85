"""Settings of the two networks of a DCGAN (torch-free)."""

from __future__ import annotations

from pydantic import Field, model_validator

from iic.params.base import Model
from iic.params.networks import Widths

STRIDE = 2


class GANNetworkSettings(Model):
    """Discriminator of stride-2 convolutions, and the generator that mirrors it."""

    input_size: int = Field(ge=2)
    """Side of the square images in pixels: that of the dataset's or a whole fraction of it, to
    which they are averaged."""
    in_channels: int = Field(ge=1)
    """Channels of the images: 1 for grey, 3 for colour."""
    widths: Widths = (64, 128, 256)
    """Channels of the discriminator's convolutions; the generator's in reverse."""
    noise: int = Field(100, ge=1)
    """Numbers in [-1, 1] that an image is made from."""
    pooled_side: int = Field(4, ge=1)
    """Side to which every map is max-pooled where features are taken; smaller maps stay."""

    @property
    def step(self) -> int:
        """Pixels of the image in one of the last map."""
        return int(STRIDE ** len(self.widths))

    @property
    def map_side(self) -> int:
        """Side of the discriminator's last map in pixels."""
        return self.input_size // self.step

    @property
    def features(self) -> int:
        """Numbers of an image's features."""
        sides = (self.input_size // STRIDE ** (place + 1) for place in range(len(self.widths)))
        pooled = (min(side, self.pooled_side) ** 2 for side in sides)
        return sum(width * area for width, area in zip(self.widths, pooled, strict=True))

    @model_validator(mode="after")
    def _consistent(self) -> GANNetworkSettings:
        if self.input_size % self.step:
            raise ValueError(
                f"input_size {self.input_size} is not divided by {len(self.widths)} strides of "
                f"{STRIDE}: a multiple of {self.step} is needed, or fewer widths"
            )
        return self
