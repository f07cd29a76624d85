"""The untrained network of IIC (Table 1, row "Random network").

The arg max of a randomly initialised head, evaluated like a trained one. The table reports the
mean over sub-heads, since no objective picks one. Numbers depend on the initialisation, so they
are averaged over seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

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
    """Settings of the untrained network; on its `pairs` its sub-heads' objective is reported."""

    k: int = Field(ge=2)
    """Clusters of each sub-head."""
    evaluation_batch: int = Field(700, ge=1)
    double_evaluation: bool = False
    """Evaluate as the trained network of the same column: see `ScheduleSettings`."""

    @property
    def heads(self) -> dict[str, HeadSettings]:
        """The only head, compared on the images that are scored."""
        return {"B": HeadSettings(k=self.k, splits=self.evaluation.test)}

    def turns(self, epoch: int) -> list[str]:
        """The head; no epoch comes."""
        return ["B"]

    @property
    def optimiser(self) -> OptimiserSettings:
        """Of no account: it takes no step."""
        return OptimiserSettings()

    @property
    def schedule(self) -> ScheduleSettings:
        """One evaluation, and no epoch."""
        return ScheduleSettings(
            epochs=0,
            evaluation_batch=self.evaluation_batch,
            double_evaluation=self.double_evaluation,
        )

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of the evaluation: nothing is trained."""
        return clustering_cost(self, self.schedule, dataset, count)

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether the network fits the transforms and the dataset."""
        yield from super().problems(dataset)
        if self.k < len(dataset.classes):
            yield Problem(
                "k",
                f"{self.k} clusters for {len(dataset.classes)} classes",
                f"at least {len(dataset.classes)}",
            )


def train(context: RunContext[Settings]) -> Outcome:
    """Initialise the network and report it: a run of no epochs."""
    from iic.engine.run import run
    from iic.methods.iic.task import ClusteringTask

    return run(context, ClusteringTask)
