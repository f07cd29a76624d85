"""IIC on vectors: rows of a table, features, anything of which a pair can be had.

The objective asks only for pairs. The second of a pair is a row of `partners`, one of several that
fit the first: its nearest neighbours, or what the user has paired it with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from iic.engine.context import Outcome, RunContext
from iic.engine.run import run
from iic.engine.task import Predictions
from iic.methods.iic.pair_task import PairTask
from iic.methods.iic.settings import TOGETHER
from iic.networks.heads import SubHeads
from iic.networks.two_head import ClusteringNetwork
from iic.objective.clustering import clustering_loss
from iic.own.errors import OwnDataError
from iic.own.network import TrainedNetwork, probabilities_of
from iic.params.method import MethodSettings
from iic.params.training import (
    ComputeSettings,
    HeadSettings,
    OptimiserSettings,
    PairSettings,
    ScheduleSettings,
)

Rows: TypeAlias = NDArray[np.float32]
Maker: TypeAlias = Callable[[Rows, np.random.Generator], Rows]
"""Makes the second of each pair from the first ones, (u, d) -> (u, d)."""
HEAD_STD = 0.3
"""Of the heads' first weights. Thirty times that of the heads on images: the sub-heads begin with
partitions of their own, and rarely all end in one that leaves a cluster empty."""


class VectorSettings(MethodSettings):
    """Settings of IIC on vectors."""

    dimensions: int = Field(ge=1)
    """Numbers in a vector."""
    hidden: tuple[int, ...] = Field((128, 64), min_length=1)
    """Widths of the layers; the last one is that of the features."""
    sub_heads: int = Field(10, ge=1)
    head_a: HeadSettings
    head_b: HeadSettings
    pairs: PairSettings
    optimiser: OptimiserSettings = OptimiserSettings(learning_rate=4e-3)
    schedule: ScheduleSettings
    compute: ComputeSettings = ComputeSettings()

    @property
    def heads(self) -> dict[str, HeadSettings]:
        """The auxiliary head and the main head."""
        return {"A": self.head_a, "B": self.head_b}

    def turns(self, epoch: int) -> list[str]:
        """Both heads in each step."""
        return [TOGETHER] * self.head_b.passes


class VectorTrunk(nn.Module):
    """Layers on standardised vectors. No layer looks at other vectors, so none has to be frozen.

    Args:
        dimensions: Numbers in a vector.
        hidden: Widths of the layers.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, dimensions: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dimensions))
        self.register_buffer("scale", torch.ones(dimensions))
        self.layers = nn.Sequential()
        width = dimensions
        for own in hidden:
            self.layers.extend([nn.Linear(width, own), nn.LayerNorm(own), nn.ReLU()])
            width = own

    def forward(self, x: Tensor) -> Tensor:
        """Features (n, hidden[-1]) of vectors (n, d)."""
        features: Tensor = self.layers((x - self.mean) / self.scale)
        return features


def build_network(settings: VectorSettings) -> ClusteringNetwork:
    """A freshly initialised network, from torch's global generator."""
    trunk = VectorTrunk(settings.dimensions, settings.hidden)
    width, h = settings.hidden[-1], settings.sub_heads
    heads = {name: SubHeads(width, h, head.k) for name, head in settings.heads.items()}
    for own in heads.values():
        nn.init.normal_(own.linear.weight, std=HEAD_STD)
    return ClusteringNetwork(trunk, heads)


@dataclass(frozen=True)
class Pairs:
    """Which vectors make a pair.

    Args:
        points: First ones, (n, d).
        partners: Second ones, (m, d); not needed where `make` is given.
        choices: For each point the partners that fit it, (n, p).
        make: In place of both: makes the second ones.
    """

    points: Rows
    partners: Rows | None = None
    choices: NDArray[np.int64] | None = None
    make: Maker | None = None

    def draw(self, indices: Tensor, draw: torch.Generator) -> Tensor:
        """A partner of each of the points at `indices`, (u, d)."""
        if self.make is not None:
            seed = int(torch.randint(2**31, (1,), generator=draw))
            made = self.make(self.points[indices.numpy()], np.random.default_rng(seed))
            made = np.asarray(made, np.float32)
            if made.shape != (len(indices), self.points.shape[1]):
                raise OwnDataError(
                    f"partner: gave {made.shape} for {(len(indices), self.points.shape[1])}"
                )
            return torch.from_numpy(made)
        assert self.partners is not None and self.choices is not None
        which = torch.randint(self.choices.shape[1], (len(indices),), generator=draw)
        return torch.from_numpy(self.partners[self.choices[indices.numpy(), which.numpy()]])


class VectorTask(PairTask[ClusteringNetwork]):
    """IIC on pairs of vectors."""

    settings: VectorSettings
    pairs: Pairs

    @classmethod
    def of(cls, pairs: Pairs) -> Callable[[RunContext[Any], torch.device], VectorTask]:
        """What makes the task of a run on these pairs."""

        def make(context: RunContext[Any], device: torch.device) -> VectorTask:
            task = cls(context, device)
            task.pairs = pairs
            return task

        return make

    def build(self) -> ClusteringNetwork:
        """Layers and heads, standardised by the points."""
        network = build_network(self.settings)
        trunk = network.trunk
        assert isinstance(trunk, VectorTrunk)
        spread = self.pairs.points.std(axis=0, dtype=np.float64)
        mean = self.pairs.points.mean(axis=0, dtype=np.float64)
        trunk.mean.copy_(torch.from_numpy(mean))
        trunk.scale.copy_(torch.from_numpy(np.where(spread > 0, spread, 1.0)))
        return network

    @cached_property
    def points(self) -> Tensor:
        """All first ones, (n, d)."""
        return torch.from_numpy(self.pairs.points)

    def loss(self, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Loss of every sub-head on one batch of pairs, (h,); of both heads the sum."""
        repeats = self.settings.pairs.repeats
        first = self.network.features(self.points[indices])
        partners = [self.pairs.draw(indices, draw) for _ in range(repeats)]
        second = self.network.features(torch.cat(partners))
        losses = []
        for name in self.settings.heads if head == TOGETHER else (head,):
            own = self.network.assign(first, name)
            summed = self.network.assign(second, name).view(repeats, *own.shape).sum(dim=0)
            losses.append(clustering_loss(own, summed, self.settings.heads[name].lam))
        return torch.stack(losses).sum(dim=0)

    def predict(self, probabilities: bool = False) -> Predictions:
        """The cluster of the largest output, (n, h)."""
        self.network.eval()
        said = probabilities_of(self.network, torch.split(self.points, TrainedNetwork.BATCH))
        self.network.train()
        return Predictions(said.argmax(axis=2), said.astype(np.float16) if probabilities else None)

    def refresh_statistics(self) -> None:
        """There are none."""


def train_vectors(context: RunContext[VectorSettings], pairs: Pairs) -> Outcome:
    """Train on pairs of vectors, by the same engine as all else."""
    return run(context, VectorTask.of(pairs))


class VectorNetwork(TrainedNetwork):
    """A trained network on vectors; it has no BatchNorm to freeze."""

    def __init__(self, settings: VectorSettings, tensors: Mapping[str, NDArray[Any]]) -> None:
        super().__init__(lambda: build_network(settings), tensors)


def neighbours(points: Rows, count: int) -> NDArray[np.int64]:
    """The nearest other points of each point, standardised, (n, min(count, n - 1))."""
    from sklearn.neighbors import NearestNeighbors
    from sklearn.preprocessing import StandardScaler

    scaled = StandardScaler().fit_transform(points)
    search = NearestNeighbors(n_neighbors=min(count, len(points) - 1)).fit(scaled)
    found: NDArray[np.int64] = search.kneighbors(return_distance=False).astype(np.int64)
    return found
