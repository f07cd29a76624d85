"""The untrained network C (Table 4, row "Random CNN"), evaluated like a trained one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from iic.methods.iic.cost import segmentation_cost
from iic.methods.iic.map_settings import SegmentationSettings
from iic.params.cost import Cost
from iic.params.datasets import Dataset
from iic.params.method import Problem
from iic.params.operations import Count
from iic.params.segmentation import ShiftSettings, map_problems
from iic.params.training import HeadSettings, OptimiserSettings, PairSettings, ScheduleSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext

PAIRS = PairSettings(batch_pairs=1, repeats=1)


class Settings(SegmentationSettings):
    """Settings of the untrained network."""

    k: int = Field(ge=2)
    """Clusters of each sub-head."""
    evaluation_batch: int = Field(100, ge=1)
    """Images in a batch of evaluation."""

    @property
    def heads(self) -> dict[str, HeadSettings]:
        """The only head, compared on the images that are scored."""
        return {"B": HeadSettings(k=self.k, splits=self.evaluation.test)}

    def turns(self, epoch: int) -> list[str]:
        """The head; no epoch comes."""
        return ["B"]

    @property
    def pairs(self) -> PairSettings:
        """Nothing is trained: pairs are drawn only where several sub-heads are compared."""
        return PAIRS

    @property
    def shifts(self) -> ShiftSettings:
        """None."""
        return ShiftSettings(half_side=0)

    @property
    def optimiser(self) -> OptimiserSettings:
        """Of no account: it takes no step."""
        return OptimiserSettings()

    @property
    def schedule(self) -> ScheduleSettings:
        """One evaluation, and no epoch."""
        return ScheduleSettings(epochs=0, evaluation_batch=self.evaluation_batch)

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of the evaluation: nothing is trained."""
        return segmentation_cost(self, self.schedule, PAIRS, dataset, count)

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether the network fits the transforms and the dataset."""
        yield from super().problems(dataset)
        classes = len(dataset.classes)
        if self.k < classes:
            yield Problem("k", f"{self.k} clusters for {classes} classes", f"at least {classes}")
        yield from map_problems(self.network, self.augmentation, self.shifts, self.maps, dataset)


def train(context: RunContext[Settings]) -> Outcome:
    """Initialise the network and report it: a run of no epochs."""
    from iic.engine.run import run
    from iic.methods.iic.map_task import SegmentationTask

    return run(context, SegmentationTask)
