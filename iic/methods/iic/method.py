"""Invariant Information Clustering (Ji, Henriques, Vedaldi, ICCV 2019), image clustering.

Objective: mutual information between the cluster assignments of an image and of its random
transform (eq. 1 to 3), on a main head with as many clusters as classes and an auxiliary
overclustering head, each of several sub-heads (section 4.1). The heads are trained in turns.

Known deviation, kept as a switch: the released script for grey images never passes the head's
name to the network, so for MNIST the "overclustering" passes trained the main head
(``overclustering_head: false``; `as_published`). The paper's text is ``true`` (`corrected`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from iic.methods.iic.cost import clustering_cost
from iic.methods.iic.settings import ClusteringSettings
from iic.params.cost import Cost
from iic.params.datasets import Dataset
from iic.params.method import Problem
from iic.params.operations import Count
from iic.params.training import HeadSettings, OptimiserSettings, ScheduleSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(ClusteringSettings):
    """Settings of IIC with two heads."""

    head_a: HeadSettings
    """Auxiliary overclustering head, k > number of classes."""
    head_b: HeadSettings
    """Main head, k = number of classes; the only one used at test time."""
    head_order: Literal["A first", "B first"] = "B first"
    overclustering_head: bool = True
    """False: the passes of head A train head B, as the released code does for grey images."""
    optimiser: OptimiserSettings = OptimiserSettings()
    schedule: ScheduleSettings

    @property
    def heads(self) -> dict[str, HeadSettings]:
        """The auxiliary head and the main head."""
        return {"A": self.head_a, "B": self.head_b}

    def turns(self, epoch: int) -> list[str]:
        """Both heads' passes, the same in every epoch."""
        auxiliary = ["A" if self.overclustering_head else "B"] * self.head_a.passes
        main = ["B"] * self.head_b.passes
        return auxiliary + main if self.head_order == "A first" else main + auxiliary

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of one training."""
        return clustering_cost(self, self.schedule, dataset, count)

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether all fits together and fits the dataset."""
        yield from super().problems(dataset)
        classes = len(dataset.classes)
        if dataset.labelled and self.head_b.k != classes:
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
    """Train both heads in turns and report the main head."""
    from iic.engine.run import run
    from iic.methods.iic.task import ClusteringTask

    return run(context, ClusteringTask)
