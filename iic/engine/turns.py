"""Adversarial training: players that are trained in turn, each as if by an optimiser of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from iic.params.training import OptimiserSettings


class TurnTakingAdam(torch.optim.Adam):
    """Adam that leaves alone whatever has no part in a step's loss: weights, moments and counts.

    So one optimiser does what one for each player would do. The engine else gives parameters that
    a loss does not reach a gradient of zeros, and Adam's moments go on moving them
    (`iic.engine.loop`).
    """

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, whatever is asked for."""
        super().zero_grad(set_to_none=True)


def turn_taking(network: nn.Module, settings: OptimiserSettings) -> TurnTakingAdam:
    """The optimiser of a network whose parts are trained in turn."""
    return TurnTakingAdam(
        network.parameters(),
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        eps=settings.epsilon,
        fused=True,
    )


@contextmanager
def resting(player: nn.Module) -> Iterator[None]:
    """Inside, losses go through the player to others, and give its own parameters no gradient."""
    player.requires_grad_(False)
    try:
        yield
    finally:
        player.requires_grad_(True)
