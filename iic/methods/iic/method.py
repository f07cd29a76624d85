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

from pydantic import Field

from iic.methods.iic.cost import clustering_cost
from iic.methods.iic.settings import TOGETHER, ClusteringSettings
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
    heads_trained: Literal["in turns", "together"] = "in turns"
    """`together`: a step trains both heads on the same features, by the sum of their losses. The
    passes of both heads are then the same ones."""
    weight_a: float = Field(1.0, gt=0)
    """Weight of head A's loss where both heads are trained together."""
    optimiser: OptimiserSettings = OptimiserSettings()
    schedule: ScheduleSettings

    @property
    def heads(self) -> dict[str, HeadSettings]:
        """The auxiliary head and the main head."""
        return {"A": self.head_a, "B": self.head_b}

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each head's loss where both are trained together."""
        return {"A": self.weight_a, "B": 1.0}

    def turns(self, epoch: int) -> list[str]:
        """Both heads' passes, the same in every epoch."""
        if self.heads_trained == "together":
            return [TOGETHER] * self.head_b.passes
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
        if self.heads_trained == "together":
            yield from self._together()
        yield from self.head_a.problems("head_a", dataset)
        yield from self.head_b.problems("head_b", dataset)

    def _together(self) -> Iterator[Problem]:
        """Whether both heads can be trained by the same passes."""
        if not self.overclustering_head:
            yield Problem(
                "overclustering_head", "head A is never trained, so not together with B", "true"
            )
        for key in ("passes", "splits"):
            own, other = getattr(self.head_a, key), getattr(self.head_b, key)
            if own != other:
                yield Problem(
                    f"head_a.{key}", f"{own}, but {other} of head_b, and both train together", other
                )


def train(context: RunContext[Settings]) -> Outcome:
    """Train both heads in turns and report the main head."""
    from iic.engine.run import run
    from iic.methods.iic.task import ClusteringTask

    return run(context, ClusteringTask)
