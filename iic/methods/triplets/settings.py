"""Settings of Triplets, and their cost (torch-free)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from iic.params.cost import Cost, evaluated_images
from iic.params.datasets import Dataset
from iic.params.features import FeatureSettings
from iic.params.method import Problem
from iic.params.operations import Count, NetworkPass
from iic.params.training import OptimiserSettings


class TripletSettings(FeatureSettings):
    """Settings of Triplets (`iic.methods.triplets.method`)."""

    outputs: int = Field(ge=2)
    """Length of the linear outputs. As many as `k`: the largest one is the cluster; more: k-means
    of the outputs."""
    margin: float | None = Field(None, gt=0)
    """In nats; null, as published, leaves the loss without a lower bound
    (`iic.methods.triplets.loss`)."""
    order: Literal["dataset", "interleaved", "shuffled"] = "dataset"
    """Of the anchors, as `PairSettings.order`; negatives are shuffled anew in each epoch."""
    optimiser: OptimiserSettings = OptimiserSettings()

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of one training: three images a triplet."""
        builder = "iic.methods.triplets.network.Representation"
        operations = count(NetworkPass(builder, self.network, {"outputs": self.outputs}))
        return self._cost(
            dataset,
            training=3 * operations.training,
            features=operations.forward,
            predicted=evaluated_images(self.evaluation, dataset),
        )

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether there are at least as many outputs as clusters, and the rest fits."""
        yield from super().problems(dataset)
        if self.outputs < self.k:
            yield Problem(
                "outputs", f"{self.outputs} outputs for {self.k} clusters", f"at least {self.k}"
            )
