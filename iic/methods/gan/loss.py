"""Losses of the two players, from logits that images are real."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus


def discriminator_loss(real: Tensor, made: Tensor) -> Tensor:
    """-mean log D(x) - mean log(1 - D(G(z))), in nats: a scalar; 2 log 2 for who only guesses.

    Args:
        real: Logits of real images, (n,).
        made: Logits of the generator's, (m,).
    """
    return softplus(-real).mean() + softplus(made).mean()


def generator_loss(made: Tensor) -> Tensor:
    """-mean log D(G(z)), in nats: a scalar, the form whose gradient does not vanish early.

    Args:
        made: Logits of the generator's images, (m,).
    """
    return softplus(-made).mean()
