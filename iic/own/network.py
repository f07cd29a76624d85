"""A trained network whose answer for a point does not depend on the other points."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iic.methods.iic.pair_task import REPORTED
from iic.networks.two_head import ClusteringNetwork


class TrainedNetwork:
    """A network in evaluation mode, on the CPU.

    Args:
        build: Makes the network; its first weights do not matter.
        tensors: All weights and running statistics, by name.

    Raises:
        RuntimeError: The tensors are those of another network.
    """

    BATCH = 4096

    def __init__(
        self, build: Callable[[], ClusteringNetwork], tensors: Mapping[str, NDArray[Any]]
    ) -> None:
        with torch.random.fork_rng(devices=[]):
            self.network = build()
        # copies, since arrays of a file may not be written to
        state = {name: torch.from_numpy(np.array(array)) for name, array in tensors.items()}
        self.network.load_state_dict(state)
        self.network.eval()

    @property
    def tensors(self) -> dict[str, NDArray[Any]]:
        """Weights and statistics by name."""
        state = self.network.state_dict()
        return {name: tensor.numpy().copy() for name, tensor in state.items()}

    def inputs(self, points: NDArray[Any]) -> Tensor:
        """What the network sees of points (n, ...)."""
        return torch.from_numpy(np.array(points))

    def probabilities(self, points: NDArray[Any]) -> NDArray[np.float32]:
        """Cluster probabilities by each sub-head of the main head, (n, h, k)."""
        return probabilities_of(self.network, self._batches(points))

    def features(self, points: NDArray[Any]) -> NDArray[np.float32]:
        """Features of the trunk, (n, d)."""
        with torch.inference_mode():
            parts = [self.network.features(part).numpy() for part in self._batches(points)]
        return np.concatenate(parts)

    def _batches(self, points: NDArray[Any]) -> Iterator[Tensor]:
        for start in range(0, len(points), self.BATCH):
            yield self.inputs(points[start : start + self.BATCH])


def probabilities_of(network: ClusteringNetwork, batches: Iterable[Tensor]) -> NDArray[np.float32]:
    """Cluster probabilities of all batches by each sub-head of the main head, (n, h, k)."""
    with torch.inference_mode():
        return np.concatenate([network(batch, REPORTED).numpy() for batch in batches])
