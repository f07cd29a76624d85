"""IIC*: semi-supervised overclustering with a single head (section 4.2; supplement, Tables 3, 4).

Objective: mutual information as in `iic.methods.iic.method`, on one head with more clusters than
classes. It is trained without labels, on the training images alone. Labels enter afterwards: each
cluster goes to its most frequent class among the labelled training images, and the test images are
scored (`evaluation`: many-to-one, mapping and test splits). ``evaluation.label_fractions`` repeats
that with fewer labels (supplement, Table 4).

Known deviations of the released code, shown by the selections and not by a switch: it keeps the
epoch of best accuracy on the *test* images, and of its sub-heads the one of best accuracy on the
labels that clusters are mapped with (`as_published`); `label_free` takes the last epoch and the
sub-head of lowest loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

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
    """Settings of IIC with a single overclustering head."""

    head: HeadSettings
    """The only head; k > number of classes."""
    optimiser: OptimiserSettings = OptimiserSettings()
    schedule: ScheduleSettings

    @property
    def heads(self) -> dict[str, HeadSettings]:
        """The only head, which is the one that is reported."""
        return {"B": self.head}

    def turns(self, epoch: int) -> list[str]:
        """The head's passes, the same in every epoch."""
        return ["B"] * self.head.passes

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of one training."""
        return clustering_cost(self, self.schedule, dataset, count)

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether all fits together and fits the dataset."""
        yield from super().problems(dataset)
        classes = len(dataset.classes)
        if self.head.k < classes:
            yield Problem(
                "head.k",
                f"{self.head.k} clusters for {classes} classes: some class can have none",
                f"at least {classes}, and more for overclustering",
            )
        if self.evaluation.matching != "many_to_one":
            yield Problem(
                "evaluation.matching",
                f"{self.evaluation.matching!r} for an overclustering head",
                "many_to_one",
            )
        yield from self.head.problems("head", dataset)


def train(context: RunContext[Settings]) -> Outcome:
    """Train the head and report its clusters."""
    from iic.engine.run import run
    from iic.methods.iic.task import ClusteringTask

    return run(context, ClusteringTask)
