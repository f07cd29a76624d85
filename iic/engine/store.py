"""The dataset as one uint8 tensor on the device, or streamed from pinned memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from iic.engine.device import moved

SHARE_OF_FREE_MEMORY = 0.5


class ImageStore:
    """The images that a run needs, read by their index in the dataset.

    Args:
        images: (N, C, H, W) uint8, possibly memory-mapped.
        device: Where batches are wanted.
        resident: Whether to hold the whole set on the device; None decides by free memory.
        needed: Indices of the images to hold, ascending, (n,); all by default.
    """

    def __init__(
        self,
        images: npt.NDArray[np.uint8],
        device: torch.device,
        resident: bool | None = None,
        needed: npt.NDArray[np.int64] | None = None,
    ) -> None:
        self.device = device
        self._positions: torch.Tensor | None = None
        if needed is not None and len(needed) < len(images):
            images = images[needed]
            self._positions = torch.full((int(needed[-1]) + 1,), -1)
            self._positions[torch.from_numpy(needed)] = torch.arange(len(needed))
        # a copy in memory: random access to a mapped file would wait for the disk at every step
        host = torch.from_numpy(np.array(images, order="C"))
        if device.type == "cpu":
            self._images = host
            return
        if resident is None:
            free, _ = torch.cuda.mem_get_info(device)
            resident = host.nbytes < SHARE_OF_FREE_MEMORY * free
        self._images = host.to(device) if resident else host.pin_memory()

    def batch(self, indices: torch.Tensor) -> torch.Tensor:
        """Images at `indices` (U,), int64 on the host: (U, C, H, W) uint8 on the device."""
        if self._positions is not None:
            indices = self._positions[indices]
        if self._images.device == self.device:
            return self._images[moved(indices, self.device)]
        return moved(self._images[indices], self.device)
