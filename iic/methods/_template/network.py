"""Network of the template: a trunk of the house and one layer."""

from __future__ import annotations

from torch import Tensor, nn

from iic.networks.build import build_trunk
from iic.params.networks import NetworkSettings


class Assigner(nn.Module):
    """A freshly initialised network; all randomness comes from torch's global generator.

    Args:
        settings: The trunk.
        k: Clusters.
    """

    def __init__(self, settings: NetworkSettings, k: int) -> None:
        super().__init__()
        self.trunk = build_trunk(settings)
        self.linear = nn.Linear(self.trunk.out_features, k)

    def forward(self, x: Tensor) -> Tensor:
        """Cluster probabilities (N, k) of images (N, channels, s, s)."""
        probabilities: Tensor = self.linear(self.trunk(x)).softmax(dim=1)
        return probabilities
