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

from iic.params.augmentation import AugmentationSettings
from iic.params.cost import Cost, clustering_cost
from iic.params.datasets import Dataset
from iic.params.fit import fit_problems
from iic.params.method import MethodSettings, Problem
from iic.params.networks import NetworkSettings
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
    """Settings of IIC with two heads."""

    network: NetworkSettings
    augmentation: AugmentationSettings
    pairs: PairSettings = PairSettings()
    head_a: HeadSettings
    """Auxiliary overclustering head, k > number of classes."""
    head_b: HeadSettings
    """Main head, k = number of classes; the only one used at test time."""
    sub_heads: int = Field(5, ge=1)
    """h: independently initialised sub-heads of each head."""
    head_order: Literal["A first", "B first"] = "B first"
    overclustering_head: bool = True
    """False: the passes of head A train head B, as the released code does for grey images."""
    optimiser: OptimiserSettings = OptimiserSettings()
    schedule: ScheduleSettings
    compute: ComputeSettings = ComputeSettings()

    def cost(self, dataset: Dataset) -> Cost:
        """Operations of one training."""
        auxiliary = "A" if self.overclustering_head else "B"
        return clustering_cost(
            dataset,
            network=self.network,
            heads={"A": self.head_a, "B": self.head_b},
            passes=["B"] * self.head_b.passes + [auxiliary] * self.head_a.passes,
            sub_heads=self.sub_heads,
            pairs=self.pairs,
            evaluation=self.evaluation,
            schedule=self.schedule,
            compute=self.compute,
        )

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether heads, batch, crops and network fit together and fit the dataset."""
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
        yield from self.head_a.problems("head_a", dataset)
        yield from self.head_b.problems("head_b", dataset)
        yield from self.pairs.problems(dataset, self.head_a.splits, self.head_b.splits)
        yield from fit_problems(self.network, self.augmentation, dataset)


def train(context: RunContext[Settings]) -> Outcome:
    """Train both heads in turns and report the main head.

    Raises:
        NonFiniteLoss: The loss was NaN or infinite; the last checkpoint is left.
        Interrupted: SIGTERM or SIGINT came; a checkpoint of this very step is left.
    """
    from iic.methods.iic.run import HeadPass, train_clustering

    settings = context.settings
    main = HeadPass("B", settings.head_b.lam)
    auxiliary = HeadPass("A", settings.head_a.lam) if settings.overclustering_head else main
    passes_b, passes_a = [main] * settings.head_b.passes, [auxiliary] * settings.head_a.passes
    return train_clustering(
        context,
        network=settings.network,
        heads={"A": settings.head_a.k, "B": settings.head_b.k},
        splits={"A": settings.head_a.splits, "B": settings.head_b.splits},
        sub_heads=settings.sub_heads,
        augmentation=settings.augmentation,
        pairs=settings.pairs,
        passes=passes_a + passes_b if settings.head_order == "A first" else passes_b + passes_a,
        report_head="B",
        optimiser=settings.optimiser,
        schedule=settings.schedule,
        compute=settings.compute,
    )
