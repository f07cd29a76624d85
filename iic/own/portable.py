"""A model as one program of torch or ONNX, which opens where this package is not installed."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from iic.augment.crop_resize import resize_weights
from iic.augment.greyscale import greyscale
from iic.augment.sobel import sobel
from iic.methods.iic.method import Settings
from iic.methods.iic.pair_task import REPORTED
from iic.own.errors import ModelError
from iic.own.extras import extra
from iic.own.model import OwnModel
from iic.own.vectors import VectorSettings
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


def export_torch(model: OwnModel, path: Path) -> None:
    """Write a program that `torch.export.load` reads.

    Args:
        model: A finished model.
        path: A file in .pt2.

    Raises:
        ModelError: The file's name ends otherwise.
    """
    _check_name(path, ".pt2")
    module, example, sizes = _traced(model)
    program = torch.export.export(module, (example,), dynamic_shapes=sizes)
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    write_bytes(path, buffer.getvalue())


def export_onnx(model: OwnModel, path: Path) -> None:
    """Write a graph of ONNX: input ``points``, output ``probabilities``, of any number of rows.

    Args:
        model: A finished model.
        path: A file in .onnx.

    Raises:
        ModelError: The file's name ends otherwise.
        MissingExtra: The packages of the extra ``onnx`` are not installed.
    """
    _check_name(path, ".onnx")
    with extra("onnx"):
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    module, example, sizes = _traced(model)
    program = torch.onnx.export(
        module,
        (example,),
        dynamo=True,
        dynamic_shapes=sizes,
        input_names=["points"],
        output_names=["probabilities"],
        verbose=False,
    )
    assert program is not None
    write_bytes(path, program.model_proto.SerializeToString())


def _check_name(path: Path, suffix: str) -> None:
    if path.suffix != suffix:
        raise ModelError(f"{path}: no name of such a file\n  allowed: a name in {suffix}")


def _traced(model: OwnModel) -> tuple[nn.Module, Tensor, tuple[dict[int, Any]]]:
    """The module, an example of its input, and which of the input's sizes may change."""
    config, settings = model.config, model.config.settings
    module: nn.Module
    if isinstance(settings, Settings):
        module = PortableImages(model, settings)
        shape: tuple[int, ...] = (config.channels, config.side, config.side)
    else:
        module = PortableFeatures(model)  # refuses a segmentation
        assert isinstance(settings, VectorSettings)
        shape = (settings.dimensions,)
    sizes = ({0: torch.export.Dim("rows", min=1)},)
    return module.eval(), torch.zeros(SAMPLES, *shape), sizes
