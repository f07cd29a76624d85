"""A support vector machine on ADC's embeddings (Table 3, row "ADC").

Objective: none of its own. Embeddings of Table 1's ADC run stay fixed, and a machine with a radial
kernel learns the classes of labelled images from them. IIC's supplement says that the row's number
is that of an SVM on fixed features; the released code of ADC has such an evaluation, with
scikit-learn's defaults: C = 1, and gamma, in 2018, 1 / (numbers of an embedding)
(docs/spec/baselines.md#adc).

Our choices where the source is silent: the 5,000 labelled training images; the last epoch; the
crop at the centre.

Known deviations: Table 1's run has seen the images of split test, without their labels. Whether
those of the paper's run had is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from iic.methods.adc.network_settings import ADCNetworkSettings
from iic.params.augmentation import AugmentationSettings
from iic.params.classifiers import FixedFeatureSettings, MachineSettings
from iic.params.cost import Cost
from iic.params.datasets import Dataset
from iic.params.fit import fit_problems
from iic.params.method import Problem
from iic.params.operations import Count, NetworkPass

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class ReleasedMachineSettings(MachineSettings):
    """scikit-learn's defaults in 2018."""

    gamma: Literal["scale", "auto"] = "auto"


class Settings(FixedFeatureSettings):
    """Settings of a machine on ADC's embeddings; network and crop are those of the ADC run."""

    start_from: str = "adc"
    embedder: ADCNetworkSettings
    augmentation: AugmentationSettings
    """Of which only the crop counts: images are not transformed."""
    machine: ReleasedMachineSettings = ReleasedMachineSettings()

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of all embeddings."""
        builder, others = "iic.methods.adc.network.ADCNetwork", {"k": len(dataset.classes)}
        return self._cost(
            dataset, count, NetworkPass(builder, self.embedder, others, ("embedder",))
        )

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether all fits the dataset."""
        yield from super().problems(dataset)
        yield from fit_problems(self.embedder, self.augmentation, dataset, "embedder")


def train(context: RunContext[Settings]) -> Outcome:
    """Classify the embeddings of the evaluated images.

    Raises:
        IICError: The dataset has no such fold, a labelled image has no label, or the weights are of
            another network.
        RecordError: The weights to start from are absent or damaged.
    """
    from iic.engine.run import run
    from iic.methods.adc.machine_task import ADCMachineTask

    return run(context, ADCMachineTask)
