"""How often two clusters meet at every displacement: cross-correlation of probability maps.

Paper, section 3.3, equation 5: its inner sum over pixels is a correlation of each of the k maps of
the images with each of the k maps of their transformed versions. As a convolution with kernels of
the images' size, the form of the released code, this costs k^2 (2d+1)^2 products a pixel. Only a
few displacements are wanted, so that here the maps are cut into blocks, which are multiplied in
the frequency domain: for each frequency one product of k x k, summed over blocks and images. What
then remains of k x k spectra is turned back at the wanted displacements only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

LEAST_WINDOW = 16
"""Side of the smallest window: many tiny transforms are slower than a few larger ones."""


def shifted_joints(z: Tensor, z_transformed: Tensor, half_side: int) -> Tensor:
    """Sums of products of probabilities at every displacement of a box (equation 5).

    ``P[h, d + dy, d + dx, a, b]`` is the sum over images i and pixels (y, x) of
    ``z[i, h, a, y + dy, x + dx] * z_transformed[i, h, b, y, x]``, where pixels beyond the border
    count zero. Nothing is normalised or symmetrised. The inputs' first derivatives are given.

    Args:
        z: Maps of the original images, (n, h, k, H, W) for h sub-heads and k clusters.
        z_transformed: Maps of their transformed versions, brought back into the frame of the
            originals and summed over the repeats, (n, h, k, H, W).
        half_side: d, the largest displacement along either axis, in pixels.

    Returns:
        P, (h, 2d+1, 2d+1, k, k); at least float32, autocast or not. An entry's error is of the
        order of that precision times ``|z_a| |z_transformed_b|``, which no entry exceeds: clusters
        that never meet may have a tiny negative entry.

    Raises:
        ValueError: The inputs are not of one shape (n, h, k, H, W) with n at least 1, or
            `half_side` is negative.
    """
    if z.ndim != 5 or z.shape != z_transformed.shape or z.numel() == 0:
        raise ValueError(
            "z and z_transformed must both be (images, sub-heads, clusters, height, width) and not "
            f"empty: got {tuple(z.shape)} and {tuple(z_transformed.shape)}; sum over the repeats "
            "first"
        )
    if half_side < 0:
        raise ValueError(f"half_side {half_side} is negative: give the largest shift in pixels")
    dtype = torch.promote_types(torch.promote_types(z.dtype, z_transformed.dtype), torch.float32)
    with torch.autocast(z.device.type, enabled=False):
        pairs = zip(z.to(dtype).unbind(1), z_transformed.to(dtype).unbind(1), strict=True)
        return torch.stack([_Correlation.apply(*pair, half_side) for pair in pairs])


@dataclass(frozen=True)
class _Blocks:
    """How maps of a size are cut.

    A block of the transformed maps meets at all displacements one window of the original maps,
    which is 2d pixels larger. In a transform of the window's side nothing wraps around.
    """

    height: int
    width: int
    half_side: int
    window: int
    """Side of a window, N."""

    @classmethod
    def cheapest(cls, images: int, height: int, width: int, half_side: int) -> _Blocks:
        """The cut of least work, its windows powers of two."""
        smallest = max(LEAST_WINDOW, 1 << (2 * half_side).bit_length())
        options = [cls(height, width, half_side, smallest)]
        while options[-1].side < max(height, width):
            options.append(cls(height, width, half_side, 2 * options[-1].window))
        return min(options, key=lambda blocks: blocks.work(images))

    def work(self, images: int) -> int:
        """Operations in multiples of k^2: products of spectra, and their way back and forth."""
        # small windows overlap much, and large ones have many frequencies to turn back
        return self.window**2 * (images * self.rows * self.columns + 2 * self.half_side + 1)

    @property
    def side(self) -> int:
        """Side of a block."""
        return self.window - 2 * self.half_side

    @property
    def rows(self) -> int:
        """Blocks on top of each other; the last may reach beyond the border."""
        return -(-self.height // self.side)

    @property
    def columns(self) -> int:
        """Blocks beside each other."""
        return -(-self.width // self.side)

    @property
    def half_window(self) -> int:
        """Frequencies along x, F: those of real maps, whose others are conjugates of these."""
        return self.window // 2 + 1

    def spectra(self, maps: Tensor, margin: int) -> Tensor:
        """Spectra (N * F, k, m) of the m blocks of maps (n, k, H, W), widened by `margin`."""
        k = maps.shape[1]
        below = self.rows * self.side - self.height + margin
        right = self.columns * self.side - self.width + margin
        padded = functional.pad(maps.transpose(0, 1), (margin, right, margin, below))
        reach = self.side + 2 * margin
        cut = padded.unfold(2, reach, self.side).unfold(3, reach, self.side).contiguous()
        spectra: Tensor = torch.fft.rfft2(cut, s=(self.window, self.window))
        # frequencies first, so that each has its own matrix of clusters and blocks
        frequencies = self.window * self.half_window
        return spectra.reshape(-1, frequencies).mT.contiguous().view(frequencies, k, -1)

    def windows(self, spectra: Tensor) -> Tensor:
        """Windows (k, n, rows, columns, N, N) of spectra (N * F, k, m)."""
        frequencies, k, _ = spectra.shape
        ordered = spectra.reshape(frequencies, -1).mT.contiguous()
        shape = (k, -1, self.rows, self.columns, self.window, self.half_window)
        windows: Tensor = torch.fft.irfft2(ordered.view(shape), s=(self.window, self.window))
        return windows

    def joined(self, windows: Tensor) -> Tensor:
        """Maps (n, k, H, W) as the sum of their overlapping windows."""
        d, N, B = self.half_side, self.window, self.side
        k, n = windows.shape[:2]
        strips = windows.new_zeros(k, n, self.rows, N, self.columns * B + 2 * d)
        for column in range(self.columns):
            strips[..., column * B : column * B + N] += windows[:, :, :, column]
        maps = windows.new_zeros(k, n, self.rows * B + 2 * d, self.columns * B + 2 * d)
        for row in range(self.rows):
            maps[:, :, row * B : row * B + N] += strips[:, :, row]
        return maps[:, :, d : d + self.height, d : d + self.width].transpose(0, 1)

    def tiled(self, windows: Tensor) -> Tensor:
        """Maps (n, k, H, W) of the windows' first pixels, the blocks, side by side."""
        k, n = windows.shape[:2]
        blocks = windows[..., : self.side, : self.side].transpose(3, 4)
        maps = blocks.reshape(k, n, self.rows * self.side, self.columns * self.side)
        return maps[:, :, : self.height, : self.width].transpose(0, 1)

    def waves(self, like: Tensor) -> Tensor:
        """exp(2 pi i t f / N) for displacements t from -d to d, seen from the window's corner.

        (2d+1, N), complex in the precision of `like`.
        """
        shifts = torch.arange(2 * self.half_side + 1, device=like.device)
        turns = torch.outer(shifts, torch.arange(self.window, device=like.device)) % self.window
        angles = turns.double() * (2 * math.pi / self.window)
        return torch.polar(torch.ones_like(angles), angles).to(like.dtype)


class _Correlation(torch.autograd.Function):
    """Sums (2d+1, 2d+1, k, k) for maps (n, k, H, W) of one sub-head."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, z_transformed: Tensor, half_side: int) -> Tensor:
        n, k, height, width = z.shape
        blocks = _Blocks.cheapest(n, height, width, half_side)
        N, F, T = blocks.window, blocks.half_window, 2 * half_side + 1
        windows = blocks.spectra(z, half_side)
        inner = blocks.spectra(z_transformed, 0)
        cross = torch.bmm(windows, inner.mH)
        waves = blocks.waves(cross)
        # all frequencies but the first and the middle one stand for their conjugates too
        weight = torch.full((F,), 2 / N**2, dtype=z.dtype, device=z.device)
        weight[:: max(1, N // 2)] = 1 / N**2
        by_row = (waves @ cross.view(N, -1)).view(T, F, k * k)
        joints = ((waves[:, :F] * weight) @ by_row).real
        ctx.save_for_backward(windows, inner, waves)
        ctx.blocks = blocks
        return joints.reshape(T, T, k, k)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        blocks: _Blocks = ctx.blocks
        windows, inner, waves = ctx.saved_tensors
        T, k = gradient.shape[0], gradient.shape[2]
        # each original pixel receives the transformed map, convolved with the gradient, and each
        # transformed pixel the original map, correlated with it
        back = waves.conj().resolve_conj().mT
        by_row = back[: blocks.half_window] @ gradient.reshape(T, T, k * k).to(waves.dtype)
        kernels = (back @ by_row.view(T, -1)).view(-1, k, k)
        z = blocks.joined(blocks.windows(torch.bmm(kernels, inner)))
        z_transformed = blocks.tiled(blocks.windows(torch.bmm(kernels.mH, windows)))
        return z, z_transformed, None
