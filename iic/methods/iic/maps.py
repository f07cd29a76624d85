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

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from iic.methods.iic.cost import segmentation_cost
from iic.methods.iic.map_settings import TrainedSegmentationSettings
from iic.params.cost import Cost
from iic.params.datasets import Dataset
from iic.params.method import Problem
from iic.params.operations import Count
from iic.params.training import HeadSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(TrainedSegmentationSettings):
    """Settings of IIC for segmentation with two heads."""

    head_a: HeadSettings
    """Auxiliary overclustering head, k > number of classes."""
    head_b: HeadSettings
    """Main head, k = number of classes; the only one used at test time."""
    heads_per_epoch: Literal["one", "both"] = "one"
    """`one`: an epoch trains one head, and an evaluation follows each. `both`: both heads."""
    head_order: Literal["A first", "B first"] = "A first"

    @property
    def heads(self) -> dict[str, HeadSettings]:
        """The auxiliary head and the main head."""
        return {"A": self.head_a, "B": self.head_b}

    def turns(self, epoch: int) -> list[str]:
        """One head's passes in turns, or both heads' in every epoch."""
        turns = [["A"] * self.head_a.passes, ["B"] * self.head_b.passes]
        if self.head_order == "B first":
            turns.reverse()
        return turns[epoch % 2] if self.heads_per_epoch == "one" else turns[0] + turns[1]

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of one training."""
        return segmentation_cost(self, self.schedule, self.pairs, dataset, count)

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether all fits together and fits the dataset."""
        yield from super().problems(dataset)
        classes = len(dataset.classes)
        if self.head_b.k != classes:
            yield Problem(
                "head_b.k",
                f"{self.head_b.k} clusters, but {classes} classes",
                f"the number of classes, {classes}",
            )
        if self.head_a.k < classes:
            yield Problem(
                "head_a.k",
                f"an overclustering head of {self.head_a.k} clusters for {classes} classes",
                f"at least {classes}",
            )
        yield from self.head_a.problems("head_a", dataset)
        yield from self.head_b.problems("head_b", dataset)


def train(context: RunContext[Settings]) -> Outcome:
    """Train the heads in turns and report the main head."""
    from iic.engine.run import run
    from iic.methods.iic.map_task import SegmentationTask

    return run(context, SegmentationTask)
