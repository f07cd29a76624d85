"""Crop of a square window, resized to the network's input size.

Resizing is bilinear with antialiasing, as PIL's (the released code) and torchvision's
``resize(..., antialias=True)``: where an image shrinks, the interpolating triangle widens with the
scale, and where it grows (16 or 20 to 24, 20 to 32 in the paper) nothing differs from plain
bilinear interpolation with edges held. Since it is separable, it is two matrix products:
``out = R_rows @ image @ R_columns^T`` with R of shape (out, in). PIL rounds to whole grey levels
after each axis; here the values stay floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from iic.augment.batch import Rows, integers, unit_range


@dataclass(frozen=True)
class Windows(Rows):
    """Where each image is cropped; all fields have shape (N,) and dtype int64."""

    size_index: Tensor
    """Position of the crop's side in the list of sides."""
    top: Tensor
    """First row."""
    left: Tensor
    """First column."""


def resize_weights(size_in: int, size_out: int) -> Tensor:
    """Weights of antialiased bilinear interpolation along one axis, (size_out, size_in), float64.

    Output pixel i lies at (i + 1/2) size_in / size_out in the input's coordinates, where input
    pixel j lies at j + 1/2; it is the mean of the inputs weighted by a triangle of half-width
    max(1, size_in / size_out) around it.
    """
    scale = size_in / size_out
    centres = (torch.arange(size_out, dtype=torch.float64) + 0.5) * scale
    pixels = torch.arange(size_in, dtype=torch.float64) + 0.5
    distance = (pixels - centres[:, None]).abs() / max(1.0, scale)
    weights = (1 - distance).clamp(min=0)
    return weights / weights.sum(1, keepdim=True)


class CropResize:
    """Square crops of one or several sides, each resized to `output_size`.

    Args:
        sizes: Possible sides of the crop in pixels.
        output_size: Side of the result in pixels.
    """

    def __init__(self, sizes: Sequence[int], output_size: int) -> None:
        self.sizes = tuple(sizes)
        self.output_size = output_size
        self._tensors: dict[tuple[str, int, torch.device], Tensor] = {}

    def draw(self, count: int, height: int, width: int, generator: torch.Generator) -> Windows:
        """Side and position of `count` crops, each uniform over what is possible.

        Args:
            count: Number of images N.
            height: Rows of the images.
            width: Columns of the images.
            generator: Source of the random numbers.

        Raises:
            ValueError: A crop is larger than the images.
        """
        self._check(height, width)
        if len(self.sizes) == 1:
            size = self.sizes[0]
            index = torch.zeros(count, dtype=torch.int64, device=generator.device)
            top = integers(count, height - size, generator)
            left = integers(count, width - size, generator)
            return Windows(index, top, left)
        index = integers(count, len(self.sizes) - 1, generator)
        side = self._sides(generator.device)[index]
        top = integers(count, height - side, generator)
        left = integers(count, width - side, generator)
        return Windows(index, top, left)

    def centred(self, count: int, height: int, width: int, device: torch.device) -> Windows:
        """The central crop of the first side for `count` images.

        Where an odd number of pixels is left over, the half pixel is rounded as in torchvision's
        CenterCrop.

        Raises:
            ValueError: A crop is larger than the images.
        """
        self._check(height, width)
        size = self.sizes[0]
        index = torch.zeros(count, dtype=torch.int64, device=device)
        top = torch.full_like(index, round((height - size) / 2))
        left = torch.full_like(index, round((width - size) / 2))
        return Windows(index, top, left)

    def apply(self, images: Tensor, windows: Windows) -> Tensor:
        """Crop and resize.

        Args:
            images: (N, C, H, W), uint8 or float in [0, 1].
            windows: A window for each image.

        Returns:
            float32 in [0, 1], (N, C, output_size, output_size). Pixels are copied exactly where
            the side of the crop is the output size.
        """
        if len(self.sizes) > 1:
            return self._apply_table(images, windows)
        return self.resize(crop(images, windows.top, windows.left, self.sizes[0]))

    def resize(self, crops: Tensor) -> Tensor:
        """Resize images that are crops of the first side already.

        Args:
            crops: (N, C, sizes[0], sizes[0]), uint8 or float in [0, 1].

        Returns:
            float32 in [0, 1], (N, C, output_size, output_size).
        """
        pixels = unit_range(crops)
        if self.sizes[0] == self.output_size:
            return pixels
        weights = self._weights(crops.device)
        return torch.matmul(weights, torch.matmul(pixels, weights.T)).clamp_(0, 1)

    def _apply_table(self, images: Tensor, windows: Windows) -> Tensor:
        """Sides that differ from image to image, in one batched product.

        A table holds the weights of every side at every offset, so that cropping is part of the
        product and no image waits for others of its side.
        """
        channels, height, width = images.shape[1:]
        rows = self._table(height, images.device)[
            self._row(windows.size_index, windows.top, height)
        ]
        cols = self._table(width, images.device)[self._row(windows.size_index, windows.left, width)]
        pixels = unit_range(images)
        if channels == 1:
            resized = torch.bmm(torch.bmm(rows, pixels[:, 0]), cols.transpose(1, 2))[:, None]
        else:
            resized = rows[:, None] @ pixels @ cols.transpose(1, 2)[:, None]
        return resized.clamp_(0, 1)

    def _table(self, extent: int, device: torch.device) -> Tensor:
        """Weights (sum over sides of possible offsets, output_size, extent)."""
        key = ("table", extent, device)
        if key not in self._tensors:
            entries = []
            for size in self.sizes:
                weights = resize_weights(size, self.output_size).float()
                for offset in range(extent - size + 1):
                    entry = torch.zeros(self.output_size, extent)
                    entry[:, offset : offset + size] = weights
                    entries.append(entry)
            self._tensors[key] = torch.stack(entries).to(device)
        return self._tensors[key]

    def _row(self, size_index: Tensor, offset: Tensor, extent: int) -> Tensor:
        """Row of the table for a side and an offset."""
        key = ("starts", extent, offset.device)
        if key not in self._tensors:
            lengths = torch.tensor([extent - size + 1 for size in self.sizes])
            self._tensors[key] = (lengths.cumsum(0) - lengths).to(offset.device)
        return self._tensors[key][size_index] + offset

    def _sides(self, device: torch.device) -> Tensor:
        key = ("sides", 0, device)
        if key not in self._tensors:
            self._tensors[key] = torch.tensor(self.sizes).to(device)
        return self._tensors[key]

    def _weights(self, device: torch.device) -> Tensor:
        key = ("weights", 0, device)
        if key not in self._tensors:
            weights = resize_weights(self.sizes[0], self.output_size).float()
            self._tensors[key] = weights.to(device)
        return self._tensors[key]

    def _check(self, height: int, width: int) -> None:
        if max(self.sizes) > min(height, width):
            raise ValueError(
                f"a crop of side {max(self.sizes)} does not fit into images of {height}x{width}"
            )


def crop(images: Tensor, top: Tensor, left: Tensor, size: int) -> Tensor:
    """Copy of one square window of each image.

    Args:
        images: (N, C, H, W), any dtype.
        top: First row of each window, (N,), int64.
        left: First column of each window, (N,), int64.
        size: Side of the windows.

    Returns:
        (N, C, size, size), same dtype.
    """
    windows = images.unfold(2, size, 1).unfold(3, size, 1)
    return windows[torch.arange(images.shape[0], device=images.device), :, top, left]
