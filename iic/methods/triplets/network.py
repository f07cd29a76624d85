"""IIC's trunk and one linear layer, without softmax: the network of the baseline "Triplets"."""

from __future__ import annotations

from torch import Tensor, nn

from iic.networks.build import build_trunk
from iic.networks.heads import WEIGHT_STD
from iic.params.networks import NetworkSettings


class Representation(nn.Module):
    """A freshly initialised trunk and its linear layer; randomness as for `iic.networks.build`.

    Args:
        settings: The trunk.
        outputs: Length of the outputs.
    """

    def __init__(self, settings: NetworkSettings, outputs: int) -> None:
        super().__init__()
        self.trunk = build_trunk(settings)
        self.linear = nn.Linear(self.trunk.out_features, outputs)
        nn.init.normal_(self.linear.weight, std=WEIGHT_STD)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (N, outputs) of images (N, channels, s, s)."""
        outputs: Tensor = self.linear(self.trunk(x))
        return outputs
