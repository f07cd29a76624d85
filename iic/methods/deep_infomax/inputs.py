"""Images as Deep InfoMax sees them: whole, resized, without random transforms."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import interpolate

from iic.engine.store import ImageStore


def resized(store: ImageStore, indices: Tensor, size: int) -> Tensor:
    """Images in [0, 1], bilinear with antialiasing, (U, C, size, size) float32.

    Args:
        store: Square images.
        indices: Images, int64 on the host, (U,).
        size: Side in pixels.
    """
    images = store.batch(indices).float() / 255
    if images.shape[-1] == size:
        return images
    return interpolate(images, size=(size, size), mode="bilinear", antialias=True)
