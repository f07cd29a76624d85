"""The untrained network C (Table 4, row "Random CNN"), evaluated like a trained one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from iic.params.cost import Cost
from iic.params.datasets import Dataset
from iic.params.map_cost import segmentation_cost
from iic.params.method import MethodSettings, Problem
from iic.params.segmentation import (
    MapSettings,
    SegmentationAugmentation,
    SegmentationNetworkSettings,
    ShiftSettings,
    map_problems,
)
from iic.params.training import (
    ComputeSettings,
    HeadSettings,
    OptimiserSettings,
    PairSettings,
    ScheduleSettings,
)

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext

PAIRS = PairSettings(batch_pairs=1, repeats=1)
"""Nothing is trained, so no batch of pairs is ever drawn but to compare several sub-heads."""


class Settings(MethodSettings):
    """Settings of the untrained network."""

    network: SegmentationNetworkSettings
    augmentation: SegmentationAugmentation
    maps: MapSettings = MapSettings()
    k: int = Field(ge=2)
    """Clusters of each sub-head."""
    sub_heads: int = Field(1, ge=1)
    evaluation_batch: int = Field(100, ge=1)
    """Images in a batch of evaluation."""
    compute: ComputeSettings = ComputeSettings()

    @property
    def schedule(self) -> ScheduleSettings:
        """One evaluation, and no epoch."""
        return ScheduleSettings(epochs=0, evaluation_batch=self.evaluation_batch)

    def cost(self, dataset: Dataset) -> Cost:
        """Operations of the evaluation: nothing is trained."""
        return segmentation_cost(
            dataset,
            network=self.network,
            heads={"B": HeadSettings(k=self.k)},
            passes=[],
            share=1.0,
            sub_heads=self.sub_heads,
            pairs=PAIRS,
            maps=self.maps,
            evaluation=self.evaluation,
            schedule=self.schedule,
            compute=self.compute,
        )

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether the network fits the transforms and the dataset."""
        yield from super().problems(dataset)
        classes = len(dataset.classes)
        if self.k < classes:
            yield Problem("k", f"{self.k} clusters for {classes} classes", f"at least {classes}")
        yield from map_problems(
            self.network, self.augmentation, ShiftSettings(half_side=0), self.maps, dataset
        )


def train(context: RunContext[Settings]) -> Outcome:
    """Initialise the network and report it: a run of no epochs."""
    from iic.methods.iic.run_maps import HeadPass, train_segmentation

    settings = context.settings
    return train_segmentation(
        context,
        network=settings.network,
        heads={"B": settings.k},
        splits={"B": settings.evaluation.test},
        sub_heads=settings.sub_heads,
        augmentation=settings.augmentation,
        shifts=ShiftSettings(half_side=0),
        maps=settings.maps,
        pairs=PAIRS,
        passes=lambda epoch: [HeadPass("B")],
        report_head="B",
        optimiser=OptimiserSettings(),
        schedule=settings.schedule,
        compute=settings.compute,
    )
