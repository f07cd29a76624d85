"""Autoencoders: the documented layers, and the mirror."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from iic.methods.autoencoders.network import Autoencoder
from iic.methods.autoencoders.network_settings import (
    AutoencoderSettings,
)

GREY = AutoencoderSettings(family="dense", input_size=28, in_channels=1)
COLOUR = AutoencoderSettings(family="convolutional", input_size=32, in_channels=3, code=64)
LARGE = AutoencoderSettings(
    family="convolutional", input_size=96, in_channels=3, widths=(8, 8, 16, 32), code=64
)


def blank(settings: AutoencoderSettings, number: int = 2) -> Tensor:
    draw = torch.Generator().manual_seed(0)
    side = settings.input_size
    return torch.rand(number, settings.in_channels, side, side, generator=draw)


def widths(part: nn.Module, kind: type[nn.Module]) -> list[tuple[int, int]]:
    return [
        (one.in_features, one.out_features)
        if isinstance(one, nn.Linear)
        else (one.in_channels, one.out_channels)
        for one in part.modules()
        if isinstance(one, kind) and isinstance(one, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)
    ]


def test_grey_images_get_decs_layers_and_their_mirror() -> None:
    network = Autoencoder(GREY)
    encoder = [(784, 500), (500, 500), (500, 2000), (2000, 10)]
    assert widths(network.encoder, nn.Linear) == encoder
    assert widths(network.decoder, nn.Linear) == [(b, a) for a, b in reversed(encoder)]
    assert not isinstance(network.encoder[-1], nn.ReLU)


def test_colour_images_get_convolutions_of_stride_two() -> None:
    network = Autoencoder(COLOUR)
    assert widths(network.encoder, nn.Conv2d) == [(3, 64), (64, 128), (128, 256)]
    assert widths(network.decoder, nn.ConvTranspose2d) == [(256, 128), (128, 64), (64, 3)]
    assert widths(network.encoder, nn.Linear) == [(256 * 16, 64)]
    assert all(one.stride == (2, 2) for one in network.modules() if isinstance(one, nn.Conv2d))


@pytest.mark.parametrize("settings", [GREY, COLOUR, LARGE])
def test_the_decoder_gives_images_back(settings: AutoencoderSettings) -> None:
    network, images = Autoencoder(settings), blank(settings)
    assert network.encoder(images).shape == (2, settings.code)
    assert network(images).shape == images.shape
    wider = Autoencoder(settings, 2 * settings.code)
    assert wider.encoder(images).shape == (2, 2 * settings.code)
    assert wider.decoder(torch.zeros(2, settings.code)).shape == images.shape


def test_the_signal_does_not_fade_on_its_way_through_the_layers() -> None:
    """Under torch's own initialisation the standard deviation of the code would be below .05."""
    torch.manual_seed(0)
    images = blank(GREY, 200)
    with torch.no_grad():
        code = Autoencoder(GREY).encoder(images)
    scale = float(code.std() / images.square().mean().sqrt())
    assert 0.4 < scale < 2.5


def test_weights_come_from_the_global_generator() -> None:
    states = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        states.append(Autoencoder(COLOUR).state_dict())
    for name, tensor in states[0].items():
        assert torch.equal(tensor, states[1][name])
    assert not torch.equal(states[0]["encoder.0.weight"], states[2]["encoder.0.weight"])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"code": 785}, "code 785 is longer than the 784 numbers of an image"),
        ({"code": 0}, "greater than or equal to 1"),
        ({"widths": ()}, "at least 1 item"),
        ({"family": "convolutional", "input_size": 28}, "a multiple of 8 is needed, at least 16"),
        ({"family": "convolutional", "input_size": 8}, "at least 2 pixels left"),
        ({"family": "resnet"}, "'dense' or 'convolutional'"),
    ],
)
def test_settings_that_no_network_can_have(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        AutoencoderSettings.model_validate(GREY.model_dump() | changes)
