"""Settings of optimisers other than Adam, which is IIC's (`iic.params.training`)."""

from __future__ import annotations

from pydantic import Field

from iic.params.base import Model


class MomentumSettings(Model):
    """Stochastic gradient descent with momentum, as DEC and DeepCluster were trained."""

    learning_rate: float = Field(gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(0.0, ge=0)
