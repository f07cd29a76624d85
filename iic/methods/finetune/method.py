"""Supervised finetuning of IIC features (Table 3; docs/spec/images.md#finetuning).

Objective: cross-entropy on labelled images; trunk and classifier are both trained, each with a
learning rate of its own (Adam, constant). The trunk starts from a clustering run of the same
dataset and seed (`start_from`), or at random (a purely supervised reference).

Choices of the released code, each a setting: the classifier takes the flattened map before the
last stage (``features: penultimate``; network A's last stage is thrown away), has two layers
(``head: two_layer``), and test images are scored on ten crops. The paper's text says one linear
layer (``features: pooled``, ``head: linear``).

Known deviations: the released run started from the epoch of best *test* accuracy of the clustering
(``checkpoint: best_label``; ``last`` is `corrected`), so that even the selection `label_free`, its
last epoch, owes something to test labels; and it reports the best epoch on the test set
(`as_published`). How the ten folds of 1,000 labels were run is not published: here each fold is one
run, and the row is their mean at the same selection.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from iic.params.augmentation import ColourAugmentation
from iic.params.classifiers import ClassifierSettings
from iic.params.cost import Cost
from iic.params.datasets import Dataset
from iic.params.experiments import RUN
from iic.params.fit import fit_problems
from iic.params.method import Problem
from iic.params.networks import NetworkSettings
from iic.params.operations import Count, NetworkPass
from iic.params.training import OptimiserSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext

CROPS = 10
"""Forward passes of a test image where logits are averaged over ten crops."""


class Settings(ClassifierSettings):
    """Settings of a classifier."""

    start_from: str | None = Field(None, pattern=RUN)
    """Run of the same dataset and seed whose trunk this one starts from; null for a random one."""
    checkpoint: Literal["best_label", "last"] = "best_label"
    """Which of that run's two checkpoints."""
    network: NetworkSettings
    augmentation: ColourAugmentation
    batch_images: int = Field(700, ge=2)
    features: Literal["penultimate", "pooled"] = "penultimate"
    head: Literal["two_layer", "linear"] = "two_layer"
    hidden: int = Field(2048, ge=1)
    """Width of the hidden layer of a two-layer head."""
    trunk_learning_rate: float = Field(1e-4, gt=0)
    head_learning_rate: float = Field(1e-3, gt=0)
    ten_crop: bool = True
    """Whether logits of a test image are averaged over ten crops."""

    @property
    def base(self) -> str | None:
        """Run of the same dataset and seed whose weights this one starts from."""
        return self.start_from

    @property
    def optimiser(self) -> OptimiserSettings:
        """Adam; the trunk has a learning rate of its own."""
        return OptimiserSettings(learning_rate=self.head_learning_rate)

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of one training."""
        others = {
            "classes": len(dataset.classes),
            "features": self.features,
            "head": self.head,
            "hidden": self.hidden,
        }
        way = NetworkPass("iic.methods.finetune.network.Classifier", self.network, others)
        return self._cost(dataset, count, way, CROPS if self.ten_crop else 1)

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether transforms and network fit together and fit the dataset too."""
        yield from super().problems(dataset)
        yield from fit_problems(self.network, self.augmentation, dataset)
        if self.features == "penultimate" and self.network.family != "A":
            yield Problem(
                "features",
                f"penultimate features of network {self.network.family}",
                "pooled; only network A has penultimate ones",
            )


def train(context: RunContext[Settings]) -> Outcome:
    """Train on labels and report the classes of the test images.

    Raises:
        IICError: The dataset has no such fold, a training image has no label, a batch would have
            one image, or the weights are of another network.
        RecordError: The weights to start from are absent or damaged.
    """
    from iic.engine.run import run
    from iic.methods.finetune.task import ClassificationTask

    return run(context, ClassificationTask)
