"""The dataset as one uint8 tensor on the device, or streamed from pinned memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

SHARE_OF_FREE_MEMORY = 0.5


class ImageStore:
    """All images of a dataset, read by index.

    Args:
        images: (N, C, H, W) uint8, possibly memory-mapped.
        device: Where batches are wanted.
        resident: Whether to hold the whole set on the device; None decides by free memory.
    """

    def __init__(
        self,
        images: npt.NDArray[np.uint8],
        device: torch.device,
        resident: bool | None = None,
    ) -> None:
        self.device = device
        # a copy in memory: random access to a mapped file would wait for the disk at every step
        host = torch.from_numpy(np.array(images, order="C"))
        if device.type == "cpu":
            self._images = host
            return
        if resident is None:
            free, _ = torch.cuda.mem_get_info(device)
            resident = host.nbytes < SHARE_OF_FREE_MEMORY * free
        self._images = host.to(device) if resident else host.pin_memory()

    def __len__(self) -> int:
        return len(self._images)

    def batch(self, indices: torch.Tensor) -> torch.Tensor:
        """Images at `indices` (U,), int64 on the host: (U, C, H, W) uint8 on the device."""
        if self._images.device == self.device:
            return self._images[indices.to(self.device)]
        return self._images[indices].pin_memory().to(self.device, non_blocking=True)

    def slices(self, size: int) -> list[torch.Tensor]:
        """Indices of consecutive batches of `size`, the last one shorter."""
        return list(torch.split(torch.arange(len(self)), size))
