"""What the four autoencoders of Table 1 minimise, and which numbers of the encoder are the code.

The error of a reconstruction is summed over an image's numbers and averaged over images: half the
squared error (Ng's notes on the sparse autoencoder, and minus the log-likelihood of a Gaussian of
variance 1 up to a constant), or the cross-entropy of Bernoulli pixels. Only so do the penalties'
published weights keep their meaning whatever the image's size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

Layer = Callable[[Tensor], Tensor]
EPS = 1e-7
"""Floor of a mean activation and of its complement, under a logarithm."""


def squared_error(output: Tensor, images: Tensor) -> Tensor:
    """Half the squared error of an image, mean over images: scalar.

    Args:
        output: Reconstructions, (N, ...).
        images: What they should be, of the same shape, in [0, 1].
    """
    return (output - images).square().flatten(1).sum(dim=1).mean() / 2


def bernoulli_error(logits: Tensor, images: Tensor) -> Tensor:
    """Cross-entropy of an image in nats, mean over images: scalar.

    Args:
        logits: Logits of each number's probability of being 1, (N, ...).
        images: Of the same shape, in [0, 1]; grey counts as a probability.
    """
    losses = nn.functional.binary_cross_entropy_with_logits(logits, images, reduction="none")
    return losses.flatten(1).sum(dim=1).mean()


def sparsity_divergence(code: Tensor, rho: float) -> Tensor:
    """sum_j KL(rho || mean activation of unit j), over the batch: scalar, in nats, at least 0.

    Args:
        code: Activations in (0, 1), (N, d).
        rho: The mean activation that is wanted.
    """
    mean = code.mean(dim=0).clamp(EPS, 1 - EPS)
    target = torch.full_like(mean, rho)
    active = target * (target / mean).log()
    idle = (1 - target) * ((1 - target) / (1 - mean)).log()
    return (active + idle).sum()


def normal_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, I)) of an image in nats, mean over images: scalar.

    Args:
        mean: (N, d).
        log_variance: Logarithm of the diagonal of the covariance, (N, d).
    """
    each = mean.square() + log_variance.exp() - log_variance - 1
    return each.sum(dim=1).mean() / 2


def masked(images: Tensor, share: float, draw: torch.Generator) -> Tensor:
    """Images with about `share` of their numbers set to 0, each by itself (Vincent et al. 2010)."""
    kept = torch.rand(images.shape, generator=draw, device=images.device) >= share
    return images * kept


class Objective(Protocol):
    """One autoencoder's objective. Networks come as functions, and answer in float32."""

    def loss(self, encode: Layer, decode: Layer, images: Tensor, draw: torch.Generator) -> Tensor:
        """What is minimised, a scalar.

        Args:
            encode: Images (N, C, s, s) to the encoder's outputs, (N, code outputs).
            decode: Codes (N, d) to reconstructions, (N, C, s, s).
            images: In [0, 1], (N, C, s, s).
            draw: Source of all chance, on the images' device.
        """

    def code(self, outputs: Tensor) -> Tensor:
        """The codes that are clustered, (N, d), of the encoder's outputs."""


@dataclass(frozen=True)
class Plain:
    """Reconstruction alone."""

    def loss(self, encode: Layer, decode: Layer, images: Tensor, draw: torch.Generator) -> Tensor:
        """Half the squared error."""
        return squared_error(decode(encode(images)), images)

    def code(self, outputs: Tensor) -> Tensor:
        """The encoder's linear output."""
        return outputs


@dataclass(frozen=True)
class SparseCode:
    """Reconstruction from a sigmoid code whose units are active in a share `rho` of the images.

    Args:
        rho: Mean activation that is wanted.
        beta: Weight of the divergence from it.
    """

    rho: float
    beta: float

    def loss(self, encode: Layer, decode: Layer, images: Tensor, draw: torch.Generator) -> Tensor:
        """Half the squared error, and `beta` times the divergence over the batch."""
        code = self.code(encode(images))
        penalty = self.beta * sparsity_divergence(code, self.rho)
        return squared_error(decode(code), images) + penalty

    def code(self, outputs: Tensor) -> Tensor:
        """Activations in (0, 1)."""
        return outputs.sigmoid()


@dataclass(frozen=True)
class SparseHidden:
    """Reconstruction from a linear code, by way of hidden units of which few are active.

    The encoder gives the code and, beside it, the activations of the last hidden units
    (`iic.methods.autoencoders.sparse_network`).

    Args:
        rho: Mean activation that is wanted.
        beta: Weight of the divergence from it.
        length: Numbers of the code.
    """

    rho: float
    beta: float
    length: int

    def loss(self, encode: Layer, decode: Layer, images: Tensor, draw: torch.Generator) -> Tensor:
        """Half the squared error, and `beta` times the divergence over the batch."""
        outputs = encode(images)
        penalty = self.beta * sparsity_divergence(outputs[:, self.length :], self.rho)
        return squared_error(decode(self.code(outputs)), images) + penalty

    def code(self, outputs: Tensor) -> Tensor:
        """The encoder's linear output, without the hidden units."""
        return outputs[:, : self.length]


@dataclass(frozen=True)
class Denoising:
    """Reconstruction of the clean image from a masked one; clean images are encoded for clusters.

    Args:
        share: Share of an image's numbers that is masked.
    """

    share: float

    def loss(self, encode: Layer, decode: Layer, images: Tensor, draw: torch.Generator) -> Tensor:
        """Half the squared error against the image before masking."""
        return squared_error(decode(encode(masked(images, self.share, draw))), images)

    def code(self, outputs: Tensor) -> Tensor:
        """The encoder's linear output."""
        return outputs


@dataclass(frozen=True)
class Variational:
    """Minus the evidence lower bound, by one reparametrised sample an image.

    Args:
        likelihood: Of a pixel given the code.
        beta: Weight of the divergence from the prior; 1 is the bound itself.
    """

    likelihood: Literal["bernoulli", "gaussian"]
    beta: float = 1.0

    def loss(self, encode: Layer, decode: Layer, images: Tensor, draw: torch.Generator) -> Tensor:
        """Error of the reconstruction and divergence of the posterior from N(0, I)."""
        mean, log_variance = encode(images).chunk(2, dim=1)
        noise = torch.randn(mean.shape, generator=draw, device=mean.device, dtype=mean.dtype)
        output = decode(mean + (log_variance / 2).exp() * noise)
        error = bernoulli_error if self.likelihood == "bernoulli" else squared_error
        return error(output, images) + self.beta * normal_divergence(mean, log_variance)

    def code(self, outputs: Tensor) -> Tensor:
        """Mean of the posterior: the first half of the encoder's output."""
        return outputs.chunk(2, dim=1)[0]
