"""Semi-supervised overclustering for segmentation, IIC* (paper, section 4.2; Figure 7).

A single head of more clusters than classes, trained as in `iic.methods.iic.maps`; each
cluster then becomes the class that it meets most often on the mapping's labels.

Source: the released code (docs/spec/segmentation.md#overclustering-of-maps). No table of the paper
has its numbers, and how long these runs were trained is not known.
"""

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


class Settings(MethodSettings):
    """Settings of IIC* for segmentation."""

    network: SegmentationNetworkSettings
    augmentation: SegmentationAugmentation
    shifts: ShiftSettings = ShiftSettings()
    maps: MapSettings = MapSettings()
    pairs: PairSettings
    head: HeadSettings
    """The only head, k > number of classes."""
    sub_heads: int = Field(1, ge=1)
    """h: independently initialised sub-heads; the paper has one here."""
    optimiser: OptimiserSettings = OptimiserSettings()
    schedule: ScheduleSettings
    compute: ComputeSettings = ComputeSettings()

    def cost(self, dataset: Dataset) -> Cost:
        """Operations of one training."""
        return segmentation_cost(
            dataset,
            network=self.network,
            heads={"B": self.head},
            passes=["B"] * self.head.passes,
            share=1.0,
            sub_heads=self.sub_heads,
            pairs=self.pairs,
            maps=self.maps,
            evaluation=self.evaluation,
            schedule=self.schedule,
            compute=self.compute,
        )

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether head, batch, crops, shifts and network fit together and fit the dataset."""
        yield from super().problems(dataset)
        classes = len(dataset.classes)
        if self.head.k < classes:
            yield Problem(
                "head.k", f"{self.head.k} clusters for {classes} classes", f"at least {classes}"
            )
        if self.schedule.snapshot_steps:
            yield Problem(
                "schedule.snapshot_steps", "segmentation stores no snapshots", "leave it out"
            )
        yield from self.head.problems("head", dataset)
        yield from self.pairs.problems(dataset, self.head.splits)
        yield from map_problems(self.network, self.augmentation, self.shifts, self.maps, dataset)


def train(context: RunContext[Settings]) -> Outcome:
    """Train the head and report it.

    Raises:
        NonFiniteLoss: The loss was NaN or infinite; the last checkpoint is left.
        Interrupted: SIGTERM or SIGINT came; a checkpoint of this very step is left.
    """
    from iic.methods.iic.run_maps import HeadPass, train_segmentation

    settings = context.settings
    passes = [HeadPass("B", settings.head.lam)] * settings.head.passes
    return train_segmentation(
        context,
        network=settings.network,
        heads={"B": settings.head.k},
        splits={"B": settings.head.splits},
        sub_heads=settings.sub_heads,
        augmentation=settings.augmentation,
        shifts=settings.shifts,
        maps=settings.maps,
        pairs=settings.pairs,
        passes=lambda epoch: passes,
        report_head="B",
        optimiser=settings.optimiser,
        schedule=settings.schedule,
        compute=settings.compute,
    )
