"""Deep InfoMax's encoder, finetuned with labels (Table 3, row "DeepINFOMAX").

Objective: cross-entropy on labelled images. The convolutions start from a run of
`iic.methods.deep_infomax.method`, whose vector is left out, a small network classifies their last
map, and all is trained. Source as there: its semi-supervised experiment on STL10.

As in the source: a hidden layer of 200 with BatchNorm and dropout of 0.1, as the classifiers of the
released code have it; Adam 1e-4, batches of 64; the convolutions are trained too.

Our choices where the source is silent: the 5,000 labelled training images; the last epoch of the
run without labels; 100 epochs; no random transforms; the last epoch and, as `as_published`, the
one of best test accuracy, as the paper's own rows have it.

No known deviation besides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from iic.methods.deep_infomax.network_settings import DIMEncoderSettings
from iic.params.classifiers import ClassifierSettings
from iic.params.cost import Cost
from iic.params.datasets import Dataset
from iic.params.experiments import RUN
from iic.params.fit import image_problems
from iic.params.method import Problem
from iic.params.operations import Count, NetworkPass
from iic.params.training import OptimiserSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(ClassifierSettings):
    """Settings of the classifier; the encoder is that of the run that it starts from."""

    start_from: str | None = Field(None, pattern=RUN)
    """Run of the same dataset and seed whose convolutions this one starts from; null for random
    ones."""
    checkpoint: Literal["best_label", "last"] = "last"
    """Which of that run's two checkpoints."""
    encoder: DIMEncoderSettings
    hidden: int = Field(200, ge=1)
    """Width of the classifier's hidden layer."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """Share that is dropped after it."""
    batch_images: int = Field(64, ge=2)
    optimiser: OptimiserSettings = OptimiserSettings(learning_rate=1e-4)

    @property
    def base(self) -> str | None:
        """Run of the same dataset and seed whose weights this one starts from."""
        return self.start_from

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of one training."""
        builder = "iic.methods.deep_infomax.network.DIMClassifier"
        others = {
            "classes": len(dataset.classes),
            "hidden": self.hidden,
            "dropout": self.dropout,
        }
        return self._cost(dataset, count, NetworkPass(builder, self.encoder, others))

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether the images fit too."""
        yield from super().problems(dataset)
        yield from image_problems("encoder", self.encoder, dataset, "resized")


def train(context: RunContext[Settings]) -> Outcome:
    """Train on labels and report the classes of the evaluated images.

    Raises:
        IICError: The dataset has no such fold, a training image has no label, a batch would have
            one image, or the weights are of another network.
        RecordError: The weights to start from are absent or damaged.
    """
    from iic.engine.run import run
    from iic.methods.deep_infomax.classifier_task import DIMClassifierTask

    return run(context, DIMClassifierTask)
