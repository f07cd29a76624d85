"""The optimiser that settings ask for."""

from __future__ import annotations

from typing import Any

import torch

from iic.params.optimisers import MomentumSettings
from iic.params.training import OptimiserSettings


def build_optimiser(
    groups: list[dict[str, Any]], settings: OptimiserSettings | MomentumSettings
) -> torch.optim.Optimizer:
    """Adam or SGD with momentum; a group's own learning rate goes before the settings'.

    Args:
        groups: Parameters, as `iic.engine.task.Task.parameter_groups` gives them.
        settings: Whose class says which optimiser it is.
    """
    if isinstance(settings, MomentumSettings):
        return torch.optim.SGD(
            groups,
            lr=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            fused=True,
        )
    return torch.optim.Adam(
        groups,
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        eps=settings.epsilon,
        fused=True,
    )
