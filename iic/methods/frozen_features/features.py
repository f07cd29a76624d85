"""Features of images, read from a file or computed by a torchvision model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import interpolate

from iic.augment.batch import unit_range
from iic.engine.device import configured, leased_device
from iic.params.errors import IICError
from iic.records.files import RecordError, sha256_file

if TYPE_CHECKING:
    from iic.engine.context import RunContext
    from iic.methods.frozen_features.settings import (
        FeatureFile,
        FileSettings,
        FrozenFeatureSettings,
        ModelFile,
    )

LAST_LAYERS = ("fc", "classifier", "heads", "head")
"""What torchvision's models call the layers that follow the features."""


def features_of(context: RunContext[Any]) -> NDArray[np.float32]:
    """Features of the evaluated images, in the dataset's order, (n, d).

    Raises:
        IICError: A file is absent, damaged, or another than its SHA-256 says; there is no such
            model or tensor; or there is not a finite row for each image.
    """
    settings: FrozenFeatureSettings = context.settings
    images = context.protocol.images
    if settings.features is None:
        assert settings.weights is not None
        points = _computed(context, settings.weights)
    else:
        points = _stored(settings.features, context)[images]
    wrong = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(wrong):
        raise IICError(
            f"{context.name}: features of image {images[wrong[0]]} are not finite "
            f"({len(wrong):,} of {len(points):,} images)"
        )
    return points


def _stored(file: FeatureFile, context: RunContext[Any]) -> NDArray[np.float32]:
    """The file's rows, one for each image of the dataset."""
    path, key = _checked(file, context.root, "features")
    try:
        if path.suffix == ".npy":
            with path.open("rb") as stream:
                # unlike `load` it takes neither pickles nor archives of arrays
                values = np.lib.format.read_array(stream, allow_pickle=False)
        else:
            tensors = load_file(path)
            names = [file.tensor] if file.tensor else list(tensors)
            if len(names) != 1 or names[0] not in tensors:
                raise IICError(
                    f"{path}: {key}.tensor: {file.tensor!r}, but it has {', '.join(tensors)}\n"
                    f"  remedy: name one of them as {key}.tensor"
                )
            tensor = tensors[names[0]]
            values = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    except (OSError, ValueError, SafetensorError) as error:
        raise RecordError(f"{path}: no features: {error}") from None
    count = len(context.data.images)
    if values.ndim != 2 or len(values) != count or not values.size or values.dtype.kind != "f":
        raise IICError(
            f"{path}: {values.dtype} of shape {values.shape}, but {context.data.manifest.dataset} "
            f"has {count:,} images: expected floats ({count}, d), a row for each image in the "
            "dataset's order"
        )
    rows: NDArray[np.float32] = values.astype(np.float32)
    return rows


def _computed(context: RunContext[Any], file: ModelFile) -> NDArray[np.float32]:
    """What the model says of the evaluated images, each resized whole, (n, d)."""
    path, key = _checked(file, context.root, "weights")
    settings = context.settings
    with leased_device(settings.gpu) as device, configured(device, settings.threads):
        model = frozen_model(file, path, key).to(device).eval()
        rows = []
        with torch.no_grad():
            for part in np.array_split(
                context.protocol.images, -(-len(context.protocol.images) // file.batch)
            ):
                images = torch.from_numpy(np.array(context.data.images[part])).to(device)
                rows.append(rows_of(model, images, file))
        return np.concatenate(rows)


def rows_of(model: nn.Module, images: Tensor, file: ModelFile) -> NDArray[np.float32]:
    """What a model says of images, resized to its input and normalised, (n, d).

    Args:
        model: `frozen_model`.
        images: (n, 3, H, W) uint8, on the model's device.
        file: Size of the input, mean and deviation.
    """
    from torchvision.transforms.v2.functional import normalize

    side = [file.input_size] * 2
    pixels = interpolate(unit_range(images), side, mode="bilinear", antialias=True)
    normalised = normalize(pixels, [*file.mean], [*file.deviation])
    rows: NDArray[np.float32] = model(normalised).flatten(1).float().cpu().numpy()
    return rows


def frozen_model(file: ModelFile, path: Path, key: str) -> nn.Module:
    """A torchvision model with its weights, without the layers that follow the features.

    Args:
        file: Name of the model.
        path: Its weights, a state dict in .pth or .safetensors.
        key: What to call the setting in errors.

    Raises:
        RecordError: The file cannot be read.
        IICError: There is no such model, or the weights are another one's.
    """
    from torchvision import models
    from torchvision.models import get_model, list_models

    if file.model not in list_models(module=models):
        raise IICError(f"{key}.model: torchvision has no image model {file.model!r}")
    model: nn.Module = get_model(file.model, weights=None)
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes may lead a reader anywhere
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RecordError(f"{path}: no weights: {reason}") from None
    try:
        model.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        lines = str(error).splitlines()
        raise IICError(
            f"{path}: not the weights of {file.model}: {' '.join(lines[:2])[:200]}\n"
            f"  remedy: another {key}.model, or another file"
        ) from None
    last = next((name for name in LAST_LAYERS if hasattr(model, name)), None)
    if last is None:
        raise IICError(f"{key}.model: {file.model!r} has none of {', '.join(LAST_LAYERS)}")
    setattr(model, last, nn.Identity())
    return model


def _checked(file: FileSettings, root: Path, key: str) -> tuple[Path, str]:
    """The file's path, its content compared with its checksum, and the setting's key."""
    path = root / file.path
    try:
        checksum = sha256_file(path)
    except FileNotFoundError:
        raise RecordError(f"{path}: missing, and {key}.path of the settings names it") from None
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from None
    if checksum != file.sha256:
        raise RecordError(
            f"{path}: its SHA-256 is {checksum}, and {key}.sha256 of the settings is "
            f"{file.sha256}\n"
            "  remedy: the file that was meant, or its checksum (and then other results)"
        )
    return path, key
