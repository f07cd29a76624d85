"""Settings that IIC on images, IIC* and the untrained network share (torch-free)."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from iic.params.augmentation import AugmentationSettings
from iic.params.datasets import Dataset
from iic.params.fit import fit_problems
from iic.params.method import MethodSettings, Problem
from iic.params.networks import NetworkSettings
from iic.params.training import ComputeSettings, HeadSettings, PairSettings

TOGETHER = "A+B"
"""A pass that trains both heads in each step."""


class HeadedSettings(MethodSettings):
    """A network with heads that are trained in turns, on images or on maps."""

    @property
    def heads(self) -> dict[str, HeadSettings]:
        """Heads by name; "B" is the one that is reported."""
        raise NotImplementedError

    def turns(self, epoch: int) -> list[str]:
        """Heads that an epoch, counted from 0, trains, one pass each."""
        raise NotImplementedError


class ClusteringSettings(HeadedSettings):
    """A trunk with heads, trained in turns on pairs of an image and its transform."""

    network: NetworkSettings
    augmentation: AugmentationSettings
    pairs: PairSettings = PairSettings()
    sub_heads: int = Field(5, ge=1)
    """h: independently initialised sub-heads of each head."""
    initial_deviation: float = Field(0.01, gt=0)
    """Standard deviation of the heads' initial weights. With the released code's 0.01 all sub-heads
    begin near the uniform distribution, and stay there for long (docs/performance.md)."""
    compute: ComputeSettings = ComputeSettings()

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each head's loss in a pass that trains all."""
        return dict.fromkeys(self.heads, 1.0)

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether batch, crops and network fit together and fit the dataset."""
        yield from super().problems(dataset)
        yield from self.pairs.problems(dataset, *(head.splits for head in self.heads.values()))
        yield from fit_problems(self.network, self.augmentation, dataset)
