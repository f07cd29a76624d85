"""The untrained network of IIC (Table 1, row "Random network").

The arg max of a randomly initialised head, evaluated like a trained one. The table reports the
mean over sub-heads, since no objective picks one. Numbers depend on the initialisation, so they
are averaged over seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

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
    """Settings of the untrained network."""

    network: NetworkSettings
    augmentation: AugmentationSettings
    k: int = Field(ge=2)
    """Clusters of each sub-head."""
    sub_heads: int = Field(5, ge=1)
    pairs: PairSettings = PairSettings()
    """Pairs on which the sub-heads' objective is reported; nothing is trained on them."""
    evaluation_batch: int = Field(700, ge=1)
    double_evaluation: bool = False
    """Evaluate as the trained network of the same column: see `ScheduleSettings`."""
    compute: ComputeSettings = ComputeSettings()

    @property
    def schedule(self) -> ScheduleSettings:
        """One evaluation, and no epoch."""
        return ScheduleSettings(
            epochs=0,
            evaluation_batch=self.evaluation_batch,
            double_evaluation=self.double_evaluation,
        )

    def cost(self, dataset: Dataset) -> Cost:
        """Operations of the evaluation: nothing is trained."""
        return clustering_cost(
            dataset,
            network=self.network,
            heads={"B": HeadSettings(k=self.k, splits=self.evaluation.test)},
            passes=[],
            sub_heads=self.sub_heads,
            pairs=self.pairs,
            evaluation=self.evaluation,
            schedule=self.schedule,
            compute=self.compute,
        )

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether the network fits the transforms and the dataset."""
        yield from super().problems(dataset)
        if self.k < len(dataset.classes):
            yield Problem(
                "k",
                f"{self.k} clusters for {len(dataset.classes)} classes",
                f"at least {len(dataset.classes)}",
            )
        yield from self.pairs.problems(dataset, self.evaluation.test)
        yield from fit_problems(self.network, self.augmentation, dataset)


def train(context: RunContext[Settings]) -> Outcome:
    """Initialise the network and report it: a run of no epochs."""
    from iic.methods.iic.run import HeadPass, train_clustering

    settings = context.settings
    return train_clustering(
        context,
        network=settings.network,
        heads={"B": settings.k},
        splits={"B": settings.evaluation.test},
        sub_heads=settings.sub_heads,
        augmentation=settings.augmentation,
        pairs=settings.pairs,
        passes=[HeadPass("B", 1.0)],
        report_head="B",
        optimiser=OptimiserSettings(),
        schedule=settings.schedule,
        compute=settings.compute,
    )
