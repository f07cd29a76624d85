"""Features by a model of torchvision or DINOv2, its weights in a local file; nothing is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from iic.methods.frozen_features.features import frozen_model, rows_of
from iic.methods.frozen_features.settings import ModelFile
from iic.own.decode import decode, in_channels
from iic.own.dinov2 import dinov2, is_dinov2
from iic.own.errors import OwnDataError, Unreadable
from iic.own.items import Item
from iic.own.reading import Progress
from iic.params.errors import IICError
from iic.records.files import atomic_file, sha256_file, sha256_json

BATCH = 64
"""Images that are decoded and seen at once, and rows of a file that a stopped fit goes on from."""


def backbone_of(name: str, weights: Path) -> ModelFile:
    """The backbone of that name with the weights of a file.

    Raises:
        OwnDataError: The file cannot be read.
    """
    try:
        digest = sha256_file(weights)
    except OSError as error:
        raise OwnDataError(
            f"--weights {weights}: cannot be read: {error.strerror}\n"
            f"  remedy: a state dict of {name}, .pth or .safetensors"
        ) from None
    return ModelFile(path=str(weights.resolve()), sha256=digest, model=name)


class FrozenBackbone:
    """A pretrained model up to its last layer.

    Args:
        file: Name, weights and size of the input.
        weights: Where the weights lie now, if elsewhere.

    Raises:
        OwnDataError: The weights are not there, or others than before; there is no such model, or
            they are another one's.
    """

    def __init__(self, file: ModelFile, weights: Path | None = None) -> None:
        path = weights or Path(file.path)
        if backbone_of(file.model, path).sha256 != file.sha256:
            raise OwnDataError(
                f"--weights {path}: others than at the fit (sha256 differs)\n"
                f"  remedy: the file that was {file.path}"
            )
        self.file = file
        try:
            if is_dinov2(file.model):
                self.model = dinov2(file.model, path, file.input_size).eval()
            else:
                self.model = frozen_model(file, path, "--backbone").eval()
        except IICError as error:
            raise OwnDataError(str(error)) from None

    def pixels(self, item: Item) -> NDArray[np.uint8]:
        """An image as the model sees it, the middle square in three channels, (3, S, S).

        Raises:
            Unreadable: It is no image.
        """
        return in_channels(decode(item.read(), self.file.input_size), 3)

    def rows(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features of images (3, S, S), (n, d)."""
        with torch.inference_mode():
            return rows_of(self.model, torch.from_numpy(pixels), self.file)


def computed(
    file: ModelFile,
    items: Sequence[Item],
    digests: Sequence[str],
    folder: Path,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Features of images, (n, d); what an earlier call has left in `folder` is not computed again.

    Args:
        file: The backbone.
        items: Images that were read before.
        digests: SHA-256 of each one's content.
        folder: Where parts are kept.
        progress: Told of images done.

    Raises:
        OwnDataError: An image has vanished; and as for `FrozenBackbone`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    backbone = FrozenBackbone(file)
    parts = []
    for start in range(0, len(items), BATCH):
        part = items[start : start + BATCH]
        name = sha256_json([file.sha256, *digests[start : start + BATCH]])
        path = folder / f"{name}.npy"
        if not path.exists():
            try:
                rows = backbone.rows(np.stack([backbone.pixels(item) for item in part]))
            except Unreadable as reason:
                raise OwnDataError(f"an image of {part[0].name} and on: {reason}") from None
            with atomic_file(path) as target:
                np.save(target, rows)
        parts.append(np.load(path, allow_pickle=False))
        if progress:
            progress(start + len(part), len(items))
    return np.concatenate(parts)
