"""A model as one program of torch, which opens where this package is not installed."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from torch import Tensor, nn

from iic.augment.crop_resize import resize_weights
from iic.augment.greyscale import greyscale
from iic.augment.sobel import sobel
from iic.methods.iic.method import Settings
from iic.methods.iic.pair_task import REPORTED
from iic.own.errors import ModelError
from iic.own.model import OwnModel
from iic.records.files import write_bytes

SAMPLES = 2
"""In the batch that the program is written from; it takes batches of any size."""


class PortableImages(nn.Module):
    """From images in [0, 1] to probabilities, the central crop and its resize included."""

    weights: Tensor

    def __init__(self, model: OwnModel, settings: Settings) -> None:
        super().__init__()
        own = settings.augmentation
        self.start = round((model.config.side - own.crop) / 2)
        self.crop = own.crop
        self.seen = own.channels if own.kind == "colour" else None
        self.sobel = own.kind == "colour" and own.sobel
        self.sub_head = model.config.sub_head
        self.register_buffer("weights", resize_weights(own.crop, own.input_size).float())
        self.network = _network(model)

    def forward(self, images: Tensor) -> Tensor:
        """Probabilities (n, k) of images (n, C, S, S), float32 in [0, 1]."""
        end = self.start + self.crop
        pixels = images[:, :, self.start : end, self.start : end]
        pixels = self.weights @ pixels @ self.weights.T
        if self.seen is not None:
            last = greyscale(pixels)
            last = sobel(last) if self.sobel else last
            pixels = torch.cat([pixels, last], dim=1) if self.seen == "rgb+grey" else last
        probabilities: Tensor = self.network(pixels, REPORTED)[:, self.sub_head]
        return probabilities


class PortableFeatures(nn.Module):
    """From features to probabilities."""

    def __init__(self, model: OwnModel) -> None:
        super().__init__()
        self.sub_head = model.config.sub_head
        self.network = _network(model)

    def forward(self, points: Tensor) -> Tensor:
        """Probabilities (n, k) of features (n, d)."""
        probabilities: Tensor = self.network(points, REPORTED)[:, self.sub_head]
        return probabilities


def _network(model: OwnModel) -> nn.Module:
    return model.network.network


def export_model(model: OwnModel, path: Path) -> None:
    """Write the program; `torch.export.load` reads it.

    Args:
        model: A finished model.
        path: A file in .pt2.

    Raises:
        ModelError: The file's name ends otherwise.
    """
    if path.suffix != ".pt2":
        raise ModelError(f"{path}: a program of torch.export\n  allowed: a name in .pt2")
    config, settings = model.config, model.config.settings
    module: nn.Module
    if isinstance(settings, Settings):
        module = PortableImages(model, settings)
        shape: tuple[int, ...] = (config.channels, config.side, config.side)
    else:
        module, shape = PortableFeatures(model), (settings.dimensions,)
    program = torch.export.export(
        module.eval(),
        (torch.zeros(SAMPLES, *shape),),
        dynamic_shapes=({0: torch.export.Dim("images", min=1)},),
    )
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    write_bytes(path, buffer.getvalue())
