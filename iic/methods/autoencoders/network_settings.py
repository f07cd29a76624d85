"""Settings of the networks of Table 1's autoencoders (torch-free).

The architectures behind the quoted numbers were never published
(docs/spec/baselines.md#quoted-rows), so one documented choice serves all four rows: for grey images
of MNIST's size the fully connected encoder that DEC made usual, d-500-500-2000-10; for colour
images convolutions of stride 2 with 64, 128 and 256 channels and a linear code; the decoder mirrors
the encoder.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from iic.params.base import Model
from iic.params.networks import Widths

DENSE_WIDTHS = (500, 500, 2000)
CHANNELS = (64, 128, 256)
KERNEL = 4
"""Side of a convolution's kernel: with stride 2 and padding 1 it halves a map exactly, and its
transpose doubles it, every pixel being reached by equally many weights."""


class AutoencoderSettings(Model):
    """Encoder, code and mirrored decoder."""

    family: Literal["dense", "convolutional"]
    """``dense``: fully connected layers with ReLU. ``convolutional``: stride-2 convolutions with
    BatchNorm and ReLU, then a linear code."""
    input_size: int = Field(ge=1)
    """Side of the square input in pixels: that of the images or a whole fraction of it, to which
    they are averaged."""
    in_channels: int = Field(ge=1)
    """Channels of the images: 1 for grey, 3 for colour."""
    widths: Widths | None = None
    """Units of each hidden layer, or channels of each convolution, from the input to the code; null
    for 500, 500, 2000, or 64, 128, 256."""
    code: int = Field(10, ge=1)
    """Numbers in the code of an image."""

    @property
    def layers(self) -> tuple[int, ...]:
        """Widths of the encoder's hidden layers, the default of the family applied."""
        if self.widths is not None:
            return self.widths
        return DENSE_WIDTHS if self.family == "dense" else CHANNELS

    @property
    def inputs(self) -> int:
        """Numbers in one image, as the network sees it."""
        return self.in_channels * self.input_size**2

    @property
    def map_side(self) -> int:
        """Side of a convolutional encoder's last map in pixels."""
        return int(self.input_size // 2 ** len(self.layers))

    @model_validator(mode="after")
    def _consistent(self) -> AutoencoderSettings:
        if self.code > self.inputs:
            raise ValueError(
                f"code {self.code} is longer than the {self.inputs} numbers of an image: at most "
                f"{self.inputs}"
            )
        step = 2 ** len(self.layers)
        # one pixel would leave BatchNorm nothing to normalise in a batch of one image
        if self.family == "convolutional" and (
            self.input_size % step or self.input_size < 2 * step
        ):
            raise ValueError(
                f"input_size {self.input_size} does not survive {len(self.layers)} halvings with "
                f"at least 2 pixels left: a multiple of {step} is needed, at least {2 * step}"
            )
        return self
