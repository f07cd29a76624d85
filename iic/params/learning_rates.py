"""Settings of a learning rate that changes over a training (torch-free)."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from iic.params.base import Model


class LearningRateSettings(Model):
    """Factor on the optimiser's learning rate; the default keeps it constant, as in the paper.

    The factors of warm-up, milestones and cosine multiply.
    """

    warm_up_steps: int = Field(0, ge=0)
    """Steps over which the rate rises linearly: the first has a part 1 / `warm_up_steps` of it."""
    milestones: tuple[Annotated[int, Field(ge=1)], ...] = Field((), strict=False)
    """Epochs, counted from 0 and ascending, from whose start the rate is multiplied by `decay`."""
    decay: float = Field(0.1, gt=0, le=1)
    """Factor at each of the `milestones`."""
    cosine_from: float | None = Field(None, ge=0, lt=1)
    """Share of the planned steps after which a cosine lowers the rate; null for no cosine."""
    cosine_to: float = Field(0.0, ge=0, le=1)
    """Factor that the cosine ends on, one step after the last."""

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if any(later <= earlier for earlier, later in pairwise(self.milestones)):
            raise ValueError(f"milestones: {list(self.milestones)} must ascend")
        return self

    def factor(self, step: int, epoch: int, steps: int) -> float:
        """Factor on the learning rate of one step.

        Args:
            step: Optimiser steps done before it.
            epoch: The step's epoch, counted from 0.
            steps: Planned steps of the whole training.
        """
        factor: float = self.decay ** sum(epoch >= milestone for milestone in self.milestones)
        if step < self.warm_up_steps:
            factor *= (step + 1) / self.warm_up_steps
        if self.cosine_from is not None:
            begin = self.cosine_from * steps
            share = max(0.0, step - begin) / (steps - begin) if steps > begin else 0.0
            lowered = (1 + math.cos(math.pi * min(share, 1.0))) / 2
            factor *= self.cosine_to + (1 - self.cosine_to) * lowered
        return factor
