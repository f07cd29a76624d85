"""Images as methods see them that have no random transforms: pixels in [0, 1], averaged."""

from __future__ import annotations

from torch import Tensor, nn

from iic.engine.store import ImageStore


def plain_images(store: ImageStore, indices: Tensor, size: int) -> Tensor:
    """Images in [0, 1] whose side is `size` pixels, (U, C, size, size) float32.

    Args:
        store: Square images.
        indices: Images, int64 on the host, (U,).
        size: The images' own side or a whole fraction of it.
    """
    images = store.batch(indices).float() / 255
    factor = images.shape[-1] // size
    return nn.functional.avg_pool2d(images, factor) if factor > 1 else images
