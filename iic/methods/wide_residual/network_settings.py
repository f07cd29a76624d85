"""Settings of wide residual networks, on pixels or on scattering coefficients (torch-free)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from iic.params.base import Model

Widths = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False, min_length=1)]


class ScatteringSettings(Model):
    """Wavelets whose moduli are averaged, in place of a network's first layers."""

    scale: int = Field(2, ge=1)
    """J: averages are over 2^J pixels, and a map has a side 2^J times shorter."""
    angles: int = Field(8, ge=1)
    """L: directions of the wavelets in half a turn."""

    @property
    def coefficients(self) -> int:
        """Maps of one channel: the average, of one wavelet, of two whose second is larger."""
        pairs = self.scale * (self.scale - 1) // 2
        return 1 + self.scale * self.angles + pairs * self.angles**2


class WideResidualNetworkSettings(Model):
    """Stem, groups of residual blocks, average; the defaults are WRN-16-8."""

    input_size: int = Field(ge=2)
    """Side of the square images in pixels: that of the dataset's or a whole fraction of it, to
    which they are averaged."""
    in_channels: int = Field(ge=1)
    """Channels of the images: 1 for grey, 3 for colour."""
    stem: int = Field(16, ge=1)
    """Channels of the first convolution."""
    widths: Widths = (128, 256, 512)
    """Channels of each group; each but the first halves the map."""
    blocks: int = Field(2, ge=1)
    """Residual blocks of each group: (depth - 4) / 6 in a network with three groups."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share that is dropped between the two convolutions of a block."""
    scattering: ScatteringSettings | None = None
    """What comes before the stem; nothing if null."""

    @model_validator(mode="after")
    def _scattering_fits(self) -> WideResidualNetworkSettings:
        if self.scattering is None:
            return self
        scale, side = self.scattering.scale, self.input_size
        fitting = [
            str(other) for other in range(1, side) if side % 2**other == 0 and 2**other < side
        ]
        if str(scale) not in fitting:
            allowed = f"scale {' or '.join(fitting)}" if fitting else "another input_size"
            raise ValueError(
                f"scattering.scale: {scale} averages over 2^{scale} = {2**scale} pixels, which "
                f"do not divide input_size {side} into maps of several pixels: {allowed} is needed"
            )
        return self
