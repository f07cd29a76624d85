"""A linear machine on Exemplar-CNN's features (Table 3, row "Dosovitskiy").

Objective: none of its own. Features of a run of `iic.methods.exemplar.method` stay fixed, and a
linear support vector machine for each class against all others learns from the 1,000 labels of one
of the ten predefined folds; the row is the mean of the ten. Source: as there.

Our choices where the source is silent: squared hinge; each number of the features gets mean 0 and
deviation 1 over the labelled images; C is the best of seven by cross-validation on them, where the
source draws it at random on a logarithmic scale; the last epoch.

No known deviation besides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from iic.methods.exemplar.network_settings import ExemplarNetworkSettings
from iic.methods.exemplar.settings import image_problems
from iic.params.classifiers import FixedFeatureSettings, MachineSettings, Penalties
from iic.params.cost import Cost
from iic.params.datasets import Dataset
from iic.params.method import Problem
from iic.params.operations import Count, NetworkPass

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class LinearMachineSettings(MachineSettings):
    """A machine without a kernel, its C chosen."""

    kernel: Literal["rbf", "linear"] = "linear"
    penalties: Penalties = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    standardised: bool = True


class Settings(FixedFeatureSettings):
    """Settings of a machine on Exemplar-CNN's features; the network is that of the other run."""

    encoder: ExemplarNetworkSettings
    machine: LinearMachineSettings = LinearMachineSettings()
    evaluation_batch: int = Field(100, ge=1)

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of all features."""
        builder, others = "iic.methods.exemplar.network.on_images", {"side": dataset.image.height}
        return self._cost(dataset, count, NetworkPass(builder, self.encoder, others))

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether the network takes the images."""
        yield from super().problems(dataset)
        yield from image_problems(self.encoder, dataset)


def train(context: RunContext[Settings]) -> Outcome:
    """Classify the features of the evaluated images.

    Raises:
        IICError: The dataset has no such fold, a labelled image has no label, or the weights are of
            another network.
        RecordError: The weights to start from are absent or damaged.
    """
    from iic.engine.run import run
    from iic.methods.exemplar.machine_task import ExemplarMachineTask

    return run(context, ExemplarMachineTask)
