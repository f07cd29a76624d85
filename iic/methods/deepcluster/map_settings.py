"""Settings of DeepCluster for segmentation, and their cost (torch-free)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from pydantic import Field

from iic.engine.clustering.settings import PixelClusterSettings, first_images, sample_problems
from iic.params.base import Problem
from iic.params.cost import Cost, evaluated_images, scheduled
from iic.params.datasets import Dataset
from iic.params.method import MethodSettings
from iic.params.operations import Count, NetworkPass
from iic.params.optimisers import MomentumSettings
from iic.params.segmentation import (
    MapSettings,
    SegmentationAugmentation,
    SegmentationNetworkSettings,
    ShiftSettings,
    map_problems,
)
from iic.params.splits import image_count, split_problems
from iic.params.training import ComputeSettings, ScheduleSettings


class DeepClusterMapSettings(MethodSettings):
    """Settings of DeepCluster on pixels (`iic.methods.deepcluster.maps`)."""

    network: SegmentationNetworkSettings
    augmentation: SegmentationAugmentation
    maps: MapSettings = MapSettings()
    k: int = Field(ge=2)
    """Clusters of the evaluation."""
    clusters: int = Field(ge=2)
    """Pseudo-classes; 10 times the classes in the paper's runs."""
    splits: tuple[str, ...] = ()
    """Splits that are trained on; empty: the whole dataset."""
    batch_images: int = Field(ge=1)
    samples: int = Field(10_000_000, ge=1)
    """Most pixels that pseudo-classes are found on before each epoch, spread evenly over the images
    (supplement: 10 million for Potsdam, 50 million for COCO-Stuff)."""
    directions_samples: int = Field(1_000_000, ge=1)
    """So many of them, or all if there are fewer, for the principal directions: those of random
    images. Their few hundred times as many numbers a feature need no more."""
    components: int = Field(256, ge=1)
    """Principal directions that are clustered, whitened; fewer where there are fewer features."""
    balanced: bool = True
    """Whether each pseudo-class of a batch counts the same in the loss. DeepCluster samples images
    uniformly over them, which a crop full of pixels does not allow; the paper names the weights as
    another way to the same (section 3.2)."""
    pseudo_restarts: int = Field(1, ge=1)
    """Starts of the clustering before each epoch."""
    pseudo_iterations: int = Field(20, ge=1)
    """Most iterations of each, as in the official code."""
    evaluate_on: Literal["features", "whitened"] = "features"
    """What the evaluation clusters: features of length 1 after whitening, as for the pseudo-labels,
    or as they are."""
    evaluation_clusters: PixelClusterSettings = PixelClusterSettings()
    optimiser: MomentumSettings = MomentumSettings(
        learning_rate=0.05, momentum=0.9, weight_decay=1e-5
    )
    schedule: ScheduleSettings
    compute: ComputeSettings = ComputeSettings()

    def directions_images(self, samples: int, images: int) -> int:
        """Images that principal directions are found on, where `samples` pixels are taken of all.

        Args:
            samples: Most pixels in all.
            images: Images that are trained on.
        """
        each = max(1, samples // max(1, images))
        return min(images, samples, math.ceil(self.directions_samples / each))

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of one training; clustering is not counted.

        The teacher's labels, and features of the images before each epoch, count as evaluation.
        """
        components = min(self.components, self.network.channels[-1])
        others = {"components": components, "clusters": self.clusters}
        builder = "iic.methods.deepcluster.map_network.PseudoLabelledMaps"
        features, training = (
            count(NetworkPass(builder, self.network, others, route)) for route in (("trunk",), ())
        )
        images = image_count(self.splits, dataset)
        steps = math.ceil(images / self.batch_images)
        sampled = self.evaluation_clusters.looks(images)
        if self.evaluate_on == "whitened":
            sampled += self.directions_images(self.evaluation_clusters.samples, images)
        cost = scheduled(
            self.schedule,
            self.compute,
            steps,
            training.training * images,
            predicting=features.forward * (evaluated_images(self.evaluation, dataset) + sampled),
            finishing=0,
        )
        epochs = cost.steps / steps if steps else 0.0
        # features before an epoch: for the clusters, for their first points, for the directions
        looks = min(images, self.samples) + first_images(self.samples, images)
        looks += self.directions_images(self.samples, images)
        between = math.ceil(epochs) * looks + epochs * images
        return replace(cost, evaluation=cost.evaluation + features.forward * between)

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether network, crops, batch, samples and clusters fit the dataset."""
        yield from super().problems(dataset)
        yield from split_problems("splits", self.splits, dataset)
        yield from map_problems(
            self.network, self.augmentation, ShiftSettings(half_side=0), self.maps, dataset
        )
        yield from self.evaluation_clusters.problems("evaluation_clusters", self.k, dataset)
        yield from sample_problems("samples", self.samples, "clusters", self.clusters)
        images = image_count(self.splits, dataset)
        if 0 < images < self.batch_images:
            yield Problem(
                "batch_images",
                f"{self.batch_images} images a batch, but there are {images} to train on",
                f"at most {images}",
            )
        if self.schedule.snapshot_steps:
            yield Problem(
                "schedule.snapshot_steps", "segmentation stores no snapshots", "leave it out"
            )
