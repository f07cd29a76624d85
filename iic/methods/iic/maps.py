"""Invariant Information Clustering for segmentation (paper, section 3.3; Table 4).

Objective: mutual information between the clusters of a patch and those of the patches around its
transformed version, averaged over displacements (equation 5), on a main head with as many clusters
as classes and an auxiliary overclustering head. The heads are trained in turns.

Source: the released code and its logs (docs/spec/segmentation.md#objective-over-shifts,
docs/spec/segmentation.md#table-4). Kept as switches, since the published numbers depend on them:
the heads' padding and with it a frame of uniform predictions (``network.head_padding``), unlabelled
pixels that count as sky (``maps.unlabelled_as_sky``), OpenCV's order of channels
(``augmentation.channel_order``), the scored part of each image (``maps.evaluation_area``), and one
head an epoch as the paper's runs had it, or both as in the released script (``heads_per_epoch``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

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
    from iic.engine.task import HeadPass


class Settings(MethodSettings):
    """Settings of IIC for segmentation with two heads."""

    network: SegmentationNetworkSettings
    augmentation: SegmentationAugmentation
    shifts: ShiftSettings = ShiftSettings()
    maps: MapSettings = MapSettings()
    pairs: PairSettings
    head_a: HeadSettings
    """Auxiliary overclustering head, k > number of classes."""
    head_b: HeadSettings
    """Main head, k = number of classes; the only one used at test time."""
    sub_heads: int = Field(1, ge=1)
    """h: independently initialised sub-heads of each head; the paper has one here."""
    heads_per_epoch: Literal["one", "both"] = "one"
    """`one`: an epoch trains one head, and an evaluation follows each. `both`: both heads."""
    head_order: Literal["A first", "B first"] = "A first"
    optimiser: OptimiserSettings = OptimiserSettings()
    schedule: ScheduleSettings
    compute: ComputeSettings = ComputeSettings()

    def cost(self, dataset: Dataset) -> Cost:
        """Operations of one training."""
        return segmentation_cost(
            dataset,
            network=self.network,
            heads={"A": self.head_a, "B": self.head_b},
            passes=["A"] * self.head_a.passes + ["B"] * self.head_b.passes,
            share=0.5 if self.heads_per_epoch == "one" else 1.0,
            sub_heads=self.sub_heads,
            pairs=self.pairs,
            maps=self.maps,
            evaluation=self.evaluation,
            schedule=self.schedule,
            compute=self.compute,
        )

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether heads, batch, crops, shifts and network fit together and fit the dataset."""
        yield from super().problems(dataset)
        classes = len(dataset.classes)
        if self.head_b.k != classes:
            yield Problem(
                "head_b.k", f"{self.head_b.k} clusters, but {classes} classes",
                f"the number of classes, {classes}",
            )  # fmt: skip
        if self.head_a.k < classes:
            yield Problem(
                "head_a.k",
                f"an overclustering head of {self.head_a.k} clusters for {classes} classes",
                f"at least {classes}",
            )
        if self.schedule.snapshot_steps:
            yield Problem(
                "schedule.snapshot_steps", "segmentation stores no snapshots", "leave it out"
            )
        yield from self.head_a.problems("head_a", dataset)
        yield from self.head_b.problems("head_b", dataset)
        yield from self.pairs.problems(dataset, self.head_a.splits, self.head_b.splits)
        yield from map_problems(self.network, self.augmentation, self.shifts, self.maps, dataset)


def train(context: RunContext[Settings]) -> Outcome:
    """Train the heads in turns and report the main head.

    Raises:
        NonFiniteLoss: The loss was NaN or infinite; the last checkpoint is left.
        Interrupted: SIGTERM or SIGINT came; a checkpoint of this very step is left.
    """
    from iic.methods.iic.run_maps import HeadPass, train_segmentation

    settings = context.settings
    of_a = [HeadPass("A", settings.head_a.lam)] * settings.head_a.passes
    of_b = [HeadPass("B", settings.head_b.lam)] * settings.head_b.passes
    turns = [of_a, of_b] if settings.head_order == "A first" else [of_b, of_a]

    def passes(epoch: int) -> Sequence[HeadPass]:
        return turns[epoch % 2] if settings.heads_per_epoch == "one" else turns[0] + turns[1]

    return train_segmentation(
        context,
        network=settings.network,
        heads={"A": settings.head_a.k, "B": settings.head_b.k},
        splits={"A": settings.head_a.splits, "B": settings.head_b.splits},
        sub_heads=settings.sub_heads,
        augmentation=settings.augmentation,
        shifts=settings.shifts,
        maps=settings.maps,
        pairs=settings.pairs,
        passes=passes,
        report_head="B",
        optimiser=settings.optimiser,
        schedule=settings.schedule,
        compute=settings.compute,
    )
