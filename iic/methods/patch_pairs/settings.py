"""Settings that context prediction and co-occurrence share (docs/spec/baselines.md#patch-pairs)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, model_validator

from iic.engine.clustering.settings import PixelClusterSettings
from iic.params.base import Model, Problem
from iic.params.cost import Cost, evaluated_images, scheduled
from iic.params.datasets import Dataset
from iic.params.method import MethodSettings
from iic.params.operations import Count, NetworkPass
from iic.params.segmentation import (
    MapSettings,
    SegmentationAugmentation,
    SegmentationNetworkSettings,
    ShiftSettings,
    map_problems,
)
from iic.params.splits import image_count, split_problems
from iic.params.training import ComputeSettings, OptimiserSettings, ScheduleSettings

SIDES = 4
"""Patch sides that an image must have: half a patch to each edge, the first centre one and a half
away from it, and two sides between the centres."""


class PatchHeadSettings(Model):
    """The head on two patches; the widths are those of the released code."""

    branch_channels: int = Field(1024, ge=1)
    """Channels of the 3x3 convolution that both patches go through."""
    hidden: int = Field(1024, ge=1)
    """Width of the fully connected layer that sees both."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of its numbers that are dropped in training."""


class PatchSettings(Model):
    """The pairs of patches of the stretched feature map."""

    side: int = Field(11, ge=3)
    """Side of a patch in pixels, odd."""
    shared_place: bool = True
    """One pair of places for all images of a batch, and so one answer, as in the released code (it
    says: for ease of computation). False draws them for each image."""

    @model_validator(mode="after")
    def _centred(self) -> Self:
        if self.side % 2 == 0:
            raise ValueError(f"side {self.side} has no pixel in its centre: give an odd number")
        return self


class PatchPairSettings(MethodSettings):
    """Settings of a method that learns from pairs of patches and clusters features of pixels."""

    network: SegmentationNetworkSettings
    """The trunk; `head_padding` belongs to IIC's heads and is not used."""
    augmentation: SegmentationAugmentation
    """A single image is cropped, jittered and mirrored by chance: there is no pair of images."""
    maps: MapSettings = MapSettings()
    """`training_mask`: the loss is over images where at least one patch's centre has a class."""
    patches: PatchSettings = PatchSettings()
    patch_head: PatchHeadSettings = PatchHeadSettings()
    k: int = Field(ge=2)
    """Clusters."""
    evaluation_clusters: PixelClusterSettings = PixelClusterSettings()
    """k-means on the trunk's features of pixels, at every evaluation."""
    splits: tuple[str, ...] = ()
    """Splits that are trained on, without their labels; empty: the whole dataset."""
    batch_images: int = Field(ge=1)
    optimiser: OptimiserSettings = OptimiserSettings()
    """Adam. Which commands made the published numbers, and so learning rate, batch and epochs, is
    not known; the released scripts have 0.01 by default, which no released command keeps."""
    schedule: ScheduleSettings
    compute: ComputeSettings = ComputeSettings()

    @property
    def outputs(self) -> int:
        """Numbers that the head gives for a pair."""
        raise NotImplementedError

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of one training; k-means is not counted."""
        network = "iic.methods.patch_pairs.network"
        others = {"side": self.patches.side, "head": self.patch_head, "outputs": self.outputs}
        training = count(NetworkPass(f"{network}.pair_pass", self.network, others))
        builder = f"{network}.build_patch_pairs"
        features = count(NetworkPass(builder, self.network, others, ("trunk",)))
        images = image_count(self.splits, dataset)
        # k-means samples pixels of the training images; those of the evaluated ones are assigned
        looked_at = self.evaluation_clusters.looks(images) + evaluated_images(
            self.evaluation, dataset
        )
        return scheduled(
            self.schedule,
            self.compute,
            math.ceil(images / self.batch_images),
            training.training * images,
            predicting=features.forward * looked_at,
            finishing=0,
        )

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether patches, crops, network, splits and clusters fit together and fit the dataset."""
        yield from super().problems(dataset)
        yield from split_problems("splits", self.splits, dataset)
        yield from map_problems(
            self.network, self.augmentation, ShiftSettings(half_side=0), self.maps, dataset
        )
        yield from self.evaluation_clusters.problems("evaluation_clusters", self.k, dataset)
        size, side = self.network.input_size, self.patches.side
        if SIDES * side > size:
            most = size // SIDES
            yield Problem(
                "patches.side",
                f"two patches of {side} pixels, apart from each other, do not fit into crops of "
                f"{size}",
                f"an odd number up to {most - 1 + most % 2}",
            )
        images = image_count(self.splits, dataset)
        if 0 < images < self.batch_images:
            yield Problem(
                "batch_images",
                f"{self.batch_images} images a batch, but there are {images} to train on",
                f"at most {images}",
            )
        if self.schedule.snapshot_steps:
            yield Problem(
                "schedule.snapshot_steps",
                "k-means gives no probabilities, which snapshots store",
                "leave it out",
            )
