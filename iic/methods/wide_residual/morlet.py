"""Scattering transform in two dimensions: moduli of Morlet wavelets, averaged by a Gaussian.

Filters as in the released code of the hybrid: wavelets of scale j have the standard deviation
0.8 · 2^j, the frequency 3 pi / 4 / 2^j and the slant 4 / L, the average has the deviation
0.8 · 2^(J-1); each is wrapped around the map.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import pad

from iic.methods.wide_residual.network_settings import ScatteringSettings

REACH = 2
"""Copies of the map, on each side, from which a filter is wrapped around."""


def gaussian(
    size: int, deviation: float, slant: float, angle: float, wave: float
) -> NDArray[np.complex128]:
    """A Gaussian on a torus of `size` x `size`, times exp(i wave u), centred at (0, 0), complex128.

    Args:
        size: Side of the torus.
        deviation: Along the direction u.
        slant: The deviation across is `deviation` / `slant`.
        angle: Direction u, from the first axis to the second, in radians.
        wave: Radians a pixel.
    """
    line = np.arange(-REACH * size, (REACH + 1) * size, dtype=np.float64)
    first, second = np.meshgrid(line, line, indexing="ij")
    along = math.cos(angle) * first + math.sin(angle) * second
    across = math.cos(angle) * second - math.sin(angle) * first
    values = np.exp(-(along**2 + (slant * across) ** 2) / (2 * deviation**2) + 1j * wave * along)
    copies = 2 * REACH + 1
    wrapped: NDArray[np.complex128] = values.reshape(copies, size, copies, size).sum(axis=(0, 2))
    return wrapped * slant / (2 * math.pi * deviation**2)


def wavelet(size: int, scale: int, angle: float, slant: float) -> NDArray[np.complex128]:
    """A Morlet wavelet, whose sum is 0, (size, size) complex128."""
    deviation, wave = 0.8 * 2**scale, 3 * math.pi / 4 / 2**scale
    waves, envelope = (gaussian(size, deviation, slant, angle, each) for each in (wave, 0.0))
    balanced: NDArray[np.complex128] = waves - envelope * (waves.sum() / envelope.sum())
    return balanced


class Scattering(nn.Module):
    """Scattering coefficients of images; it has no weights, and its filters are not stored.

    The image is mirrored into 2^J pixels around it, and then taken as a torus.

    Args:
        settings: Scales J and directions L.
        size: Side of the images in pixels.
    """

    wavelets: Tensor
    """Fourier transforms by scale and direction, real, (J, L, S, S)."""
    average: Tensor
    """Fourier transform, real, (S, S)."""

    def __init__(self, settings: ScatteringSettings, size: int) -> None:
        super().__init__()
        self.scales, self.step = settings.scale, 2**settings.scale
        side, slant = size + 2 * self.step, 4 / settings.angles
        angles = [math.pi * number / settings.angles for number in range(settings.angles)]
        wavelets = [
            [wavelet(side, scale, angle, slant) for angle in angles]
            for scale in range(settings.scale)
        ]
        average = gaussian(side, 0.8 * 2 ** (settings.scale - 1), 1.0, 0.0, 0.0)
        # of filters with f(-u) = conj f(u), which Fourier transforms make real
        for name, filters in (("wavelets", np.array(wavelets)), ("average", average)):
            spectrum = np.fft.fft2(filters).real
            self.register_buffer(
                name, torch.tensor(spectrum, dtype=torch.float32), persistent=False
            )

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Coefficients (N, C P, s / 2^J, s / 2^J) float32 of images (N, C, s, s).

        Of each channel the P = 1 + J L + J (J - 1) / 2 L^2 maps are in the order: average; one
        wavelet, by scale and direction; two, by scale and direction of the first, then the second.
        """
        # no product of matrices, which autocast would round
        wider = pad(images.float(), [self.step] * 4, mode="reflect")
        spectrum = torch.fft.fft2(wider)
        maps, pairs = [self._averaged(spectrum)[:, :, None]], []
        for scale, wavelets in enumerate(self.wavelets):
            moduli = torch.fft.ifft2(spectrum[:, :, None] * wavelets).abs()
            spectra = torch.fft.fft2(moduli)
            maps.append(self._averaged(spectra))
            larger = self.wavelets[scale + 1 :].flatten(0, 1)
            if not len(larger):
                continue
            # direction by direction, since all pairs at once would take much memory
            for one in spectra.unbind(2):
                second = torch.fft.ifft2(one[:, :, None] * larger).abs()
                pairs.append(self._averaged(torch.fft.fft2(second)))
        return torch.cat([*maps, *pairs], dim=2).flatten(1, 2)

    def _averaged(self, spectra: Tensor) -> Tensor:
        """Averages at every 2^J-th pixel of the image, from Fourier transforms (..., S, S)."""
        width = spectra.shape[-1] // self.step
        blocks = (spectra * self.average).reshape(
            *spectra.shape[:-2], self.step, width, self.step, width
        )
        maps: Tensor = torch.fft.ifft2(blocks.mean(dim=(-4, -2))).real[..., 1:-1, 1:-1]
        return maps
