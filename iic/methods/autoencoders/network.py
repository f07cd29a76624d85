"""Autoencoders: an encoder to a short code, and its mirror (Table 1, four rows).

No network behind the quoted numbers was published; `iic.methods.autoencoders.network_settings` says
what is built. Weights are He-normal for ReLU (variance 2 / fan-in; 1 / fan-in where no ReLU
follows) and biases zero: our choice, since torch's default lets the signal of a deep ReLU network
fade.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn

from iic.methods.autoencoders.network_settings import KERNEL, AutoencoderSettings
from iic.networks.layers import batch_norm

STRIDE, PADDING = 2, 1


class Autoencoder(nn.Module):
    """Encoder and decoder.

    Args:
        settings: Family, sizes and widths.
        code_outputs: Numbers that the encoder gives for an image; more than the code's where the
            method makes the code of them (mean and log-variance).
    """

    def __init__(self, settings: AutoencoderSettings, code_outputs: int | None = None) -> None:
        super().__init__()
        outputs = settings.code if code_outputs is None else code_outputs
        build = _dense if settings.family == "dense" else _convolutional
        self.encoder, self.decoder = build(settings, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruction of images (N, C, s, s) where the encoder's output is the code itself."""
        reconstruction: Tensor = self.decoder(self.encoder(x))
        return reconstruction


def reconstruction(settings: AutoencoderSettings, code_outputs: int) -> Callable[[Tensor], Tensor]:
    """An image's way in training, for its operations (`iic.params.operations`).

    Where the encoder gives more than a code, the first of its numbers stand for the code.
    """
    network = Autoencoder(settings, code_outputs)
    return lambda images: network.decoder(network.encoder(images)[:, : settings.code])


def _dense(settings: AutoencoderSettings, outputs: int) -> tuple[nn.Sequential, nn.Sequential]:
    """Fully connected layers: flattened images in and, at the far end, images out."""
    shape = (settings.in_channels, settings.input_size, settings.input_size)
    down = (settings.inputs, *settings.layers, outputs)
    up = (settings.code, *reversed(settings.layers), settings.inputs)
    encoder = nn.Sequential(nn.Flatten(), *_linear(down))
    decoder = nn.Sequential(*_linear(up), nn.Unflatten(1, shape))
    return encoder, decoder


def _linear(widths: tuple[int, ...]) -> list[nn.Module]:
    """Linear layers of these widths with ReLU between them, none after the last."""
    layers: list[nn.Module] = []
    last = len(widths) - 2
    for position, (narrow, wide) in enumerate(pairwise(widths)):
        layer = nn.Linear(narrow, wide)
        _initialise(layer, narrow, relu=position < last)
        layers.append(layer)
        if position < last:
            layers.append(nn.ReLU(inplace=True))
    return layers


def _convolutional(
    settings: AutoencoderSettings, outputs: int
) -> tuple[nn.Sequential, nn.Sequential]:
    """Stride-2 convolutions with BatchNorm, a linear code, and transposed convolutions back."""
    channels = (settings.in_channels, *settings.layers)
    side = settings.map_side
    flat = channels[-1] * side**2
    down: list[nn.Module] = []
    for narrow, wide in pairwise(channels):
        convolution = nn.Conv2d(narrow, wide, KERNEL, STRIDE, PADDING, bias=False)
        _initialise(convolution, narrow * KERNEL**2, relu=True)
        down += [convolution, batch_norm(wide, True), nn.ReLU(inplace=True)]
    to_code, from_code = nn.Linear(flat, outputs), nn.Linear(settings.code, flat)
    _initialise(to_code, flat, relu=False)
    _initialise(from_code, settings.code, relu=True)
    up: list[nn.Module] = [
        from_code,
        nn.Unflatten(1, (channels[-1], side, side)),
        nn.ReLU(inplace=True),
    ]
    for position, (wide, narrow) in enumerate(pairwise(reversed(channels))):
        last = position == len(channels) - 2
        # biases only where no BatchNorm takes them away again
        layer = nn.ConvTranspose2d(wide, narrow, KERNEL, STRIDE, PADDING, bias=last)
        # with stride s, a pixel of the output sees one in s * s of the kernel's weights
        _initialise(layer, wide * (KERNEL // STRIDE) ** 2, relu=not last)
        up += [layer] if last else [layer, batch_norm(narrow, True), nn.ReLU(inplace=True)]
    return nn.Sequential(*down, nn.Flatten(), to_code), nn.Sequential(*up)


def _initialise(
    layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, fan_in: int, *, relu: bool
) -> None:
    """He-normal weights, zero biases, from torch's global generator."""
    nn.init.normal_(layer.weight, std=((2 if relu else 1) / fan_in) ** 0.5)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
