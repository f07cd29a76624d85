"""Settings that the wide residual networks of Table 3 share, and their cost (torch-free)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from iic.methods.wide_residual.network_settings import WideResidualNetworkSettings
from iic.params.classifiers import ClassifierSettings
from iic.params.cost import Cost
from iic.params.datasets import Dataset
from iic.params.fit import image_problems
from iic.params.method import Problem
from iic.params.operations import Count, NetworkPass
from iic.params.optimisers import MomentumSettings


class PlainOptimiserSettings(MomentumSettings):
    """SGD with momentum; the defaults are those of both sources."""

    learning_rate: float = Field(0.1, gt=0)
    weight_decay: float = Field(5e-4, ge=0)
    nesterov: bool = False
    """Whether momentum is Nesterov's."""


class NesterovOptimiserSettings(PlainOptimiserSettings):
    """The same with Nesterov's momentum."""

    nesterov: bool = True


class WideResidualSettings(ClassifierSettings):
    """Settings of a wide residual network that learns from labels."""

    classifier: WideResidualNetworkSettings
    shift: int = Field(ge=0)
    """Most pixels that an image is shifted by along each axis in training."""
    surroundings: Literal["black", "mirrored"]
    """What comes in from outside the image where it is shifted."""
    flip_probability: float = Field(0.5, ge=0, le=1)
    """How often an image is mirrored left to right in training."""
    square: int = Field(0, ge=0)
    """Side in pixels of the square that is cut out in training; 0 for none."""
    optimiser: PlainOptimiserSettings = PlainOptimiserSettings()

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of one training; Fourier transforms are not counted."""
        builder = "iic.methods.wide_residual.network.WideResidualNetwork"
        others = {"classes": len(dataset.classes)}
        return self._cost(dataset, count, NetworkPass(builder, self.classifier, others))

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether network, shift and square fit the images too."""
        yield from super().problems(dataset)
        yield from image_problems("classifier", self.classifier, dataset)
        side = self.classifier.input_size
        for key in ("shift", "square"):
            if getattr(self, key) >= side:
                yield Problem(
                    key,
                    f"{getattr(self, key)} pixels of images of {side}",
                    f"at most {side - 1}",
                )
