"""Semi-supervised overclustering for segmentation, IIC* (paper, section 4.2; Figure 7).

A single head of more clusters than classes, trained as in `iic.methods.iic.maps`; each
cluster then becomes the class that it meets most often on the mapping's labels.

Source: the released code (docs/spec/segmentation.md#overclustering-of-maps). No table of the paper
has its numbers, and how long these runs were trained is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

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
    """Settings of IIC* for segmentation."""

    head: HeadSettings
    """The only head, k > number of classes."""

    @property
    def heads(self) -> dict[str, HeadSettings]:
        """The only head, which is the one that is reported."""
        return {"B": self.head}

    def turns(self, epoch: int) -> list[str]:
        """The head's passes, the same in every epoch."""
        return ["B"] * self.head.passes

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of one training."""
        return segmentation_cost(self, self.schedule, self.pairs, dataset, count)

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether all fits together and fits the dataset."""
        yield from super().problems(dataset)
        classes = len(dataset.classes)
        if self.head.k < classes:
            yield Problem(
                "head.k", f"{self.head.k} clusters for {classes} classes", f"at least {classes}"
            )
        yield from self.head.problems("head", dataset)


def train(context: RunContext[Settings]) -> Outcome:
    """Train the head and report it."""
    from iic.engine.run import run
    from iic.methods.iic.map_task import SegmentationTask

    return run(context, SegmentationTask)
