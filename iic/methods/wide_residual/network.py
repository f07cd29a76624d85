"""Wide residual network (Zagoruyko and Komodakis 2016): BatchNorm and ReLU before convolutions."""

from __future__ import annotations

from torch import Tensor, nn

from iic.methods.wide_residual.morlet import Scattering
from iic.methods.wide_residual.network_settings import WideResidualNetworkSettings
from iic.networks.layers import batch_norm, convolution, initialise


class Block(nn.Module):
    """Two convolutions, and a shortcut past them.

    Args:
        in_channels: Channels of the map.
        channels: Of the map that comes out.
        stride: 2 halves the map.
        dropout: Share that is dropped between the convolutions.
    """

    def __init__(self, in_channels: int, channels: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.before = nn.Sequential(batch_norm(in_channels, True), nn.ReLU(inplace=True))
        self.residual = nn.Sequential(
            convolution(in_channels, channels, 3, stride),
            batch_norm(channels, True),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            convolution(channels, channels, 3),
        )
        self.shortcut: nn.Conv2d | None = None
        if stride != 1 or in_channels != channels:
            self.shortcut = convolution(in_channels, channels, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, s, s) to (N, channels, s', s'), s' = ceil(s / stride)."""
        activated = self.before(x)
        out: Tensor = self.residual(activated)
        return out + (x if self.shortcut is None else self.shortcut(activated))


class WideResidualNetwork(nn.Module):
    """A freshly initialised network; all randomness comes from torch's global generator.

    Args:
        settings: Sizes and widths.
        classes: Number of classes.
    """

    def __init__(self, settings: WideResidualNetworkSettings, classes: int) -> None:
        super().__init__()
        scattering, channels = settings.scattering, settings.in_channels
        if scattering is not None:
            channels *= scattering.coefficients
        self.layers = nn.Sequential(convolution(channels, settings.stem, 3))
        width = settings.stem
        for group, wider in enumerate(settings.widths):
            for block in range(settings.blocks):
                stride = 2 if group and not block else 1
                self.layers.append(Block(width, wider, stride, settings.dropout))
                width = wider
        self.layers.extend([batch_norm(width, True), nn.ReLU(inplace=True)])
        self.top = nn.Linear(width, classes)
        initialise(self, "fan_out")
        nn.init.zeros_(self.top.bias)
        self.first = nn.Sequential()
        if scattering is not None:
            self.first.append(Scattering(scattering, settings.input_size))
            self.first.append(nn.BatchNorm2d(channels, affine=False))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, in_channels, s, s)."""
        logits: Tensor = self.top(self.layers(self.first(x)).mean(dim=(2, 3)))
        return logits
