"""Settings that IIC for segmentation, IIC* and the untrained network share (torch-free)."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from iic.methods.iic.settings import HeadedSettings
from iic.params.datasets import Dataset
from iic.params.method import Problem
from iic.params.segmentation import (
    MapSettings,
    SegmentationAugmentation,
    SegmentationNetworkSettings,
    ShiftSettings,
    map_problems,
)
from iic.params.training import (
    ComputeSettings,
    OptimiserSettings,
    PairSettings,
    ScheduleSettings,
)


class SegmentationSettings(HeadedSettings):
    """Network C with heads."""

    network: SegmentationNetworkSettings
    augmentation: SegmentationAugmentation
    maps: MapSettings = MapSettings()
    sub_heads: int = Field(1, ge=1)
    """h: independently initialised sub-heads of each head; the paper has one here."""
    compute: ComputeSettings = ComputeSettings()


class TrainedSegmentationSettings(SegmentationSettings):
    """What is trained besides, in turns on pairs of a crop and its transform."""

    shifts: ShiftSettings = ShiftSettings()
    pairs: PairSettings
    optimiser: OptimiserSettings = OptimiserSettings()
    schedule: ScheduleSettings

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether batch, crops, shifts and network fit together and fit the dataset."""
        yield from super().problems(dataset)
        if self.schedule.snapshot_steps:
            yield Problem(
                "schedule.snapshot_steps", "segmentation stores no snapshots", "leave it out"
            )
        yield from self.pairs.problems(dataset, *(head.splits for head in self.heads.values()))
        yield from map_problems(self.network, self.augmentation, self.shifts, self.maps, dataset)
