"""Settings of methods of segmentation that cluster the features of pixels (torch-free)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from iic.params.base import Model, Problem
from iic.params.datasets import Dataset

FeatureSampling = Literal["uniform", "released"]
"""`uniform`: pixels of a batch of images without replacement. `released`: the released code drew
one pixel a batch and took it as many times over (spec/iic.md, 0.1-10 and 4.5), so that Doersch's
and Isola's k-means saw some hundred different points in all."""


class PixelClusterSettings(Model):
    """k-means on the features of pixels, by which a representation is evaluated."""

    samples: int = Field(10_000_000, ge=1)
    """Most pixels that centres are found on, spread evenly over the images (supplement: 10 million
    for Potsdam, 50 million for COCO-Stuff)."""
    feature_sampling: FeatureSampling = "uniform"
    """How those pixels are drawn; `released` keeps a defect of the released code."""
    restarts: int = Field(3, ge=1)
    """Of the k-means of the points that come first; the run of lowest inertia is kept."""

    def problems(self, key: str, k: int, dataset: Dataset) -> Iterator[Problem]:
        """Whether there are as many samples as clusters, and clusters as classes.

        Args:
            key: Key of these settings in the method's.
            k: Clusters of the evaluation.
            dataset: The dataset.
        """
        classes = len(dataset.classes)
        if k < classes:
            yield Problem("k", f"{k} clusters for {classes} classes", f"at least {classes}")
        if self.samples < k:
            yield Problem(
                f"{key}.samples", f"{self.samples} pixels for {k} clusters", f"at least {k}"
            )
