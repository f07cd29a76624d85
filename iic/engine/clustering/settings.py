"""Settings of methods of segmentation that cluster the features of pixels (torch-free)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from iic.params.base import Model, Problem
from iic.params.datasets import Dataset

FeatureSampling = Literal["uniform", "released"]
"""`uniform`: pixels of a batch of images without replacement. `released`: the released code drew
one pixel a batch and took it as many times over (docs/spec/released_code.md#one-pixel-a-batch), so
that Doersch's and Isola's k-means saw some hundred different points in all. As they are repeated
equally often, here each is taken once."""

FIRST_POINTS = 50_000
"""Points that streamed k-means finds its first centres on: the most that stay in memory. 200 MB of
1,000 numbers each; the literature asks for 40 to 1,000 a centre."""
FIRST_IMAGES = 4096
"""Where more pixels are sampled than those, the first ones come from so many random images, lest
they all be of the first batch."""


def first_images(samples: int, images: int) -> int:
    """Images whose features are computed for the first points alone.

    Args:
        samples: Pixels that are sampled in all.
        images: Images that there are.
    """
    return min(images, FIRST_IMAGES) if samples > FIRST_POINTS else 0


class PixelClusterSettings(Model):
    """k-means on the features of pixels, by which a representation is evaluated."""

    samples: int = Field(10_000_000, ge=1)
    """Most pixels that centres are found on, spread evenly over the images (supplement: 10 million
    for Potsdam, 50 million for COCO-Stuff)."""
    feature_sampling: FeatureSampling = "uniform"
    """How those pixels are drawn; `released` keeps a defect of the released code."""
    restarts: int = Field(3, ge=1)
    """Of the k-means of the points that come first; the run of lowest inertia is kept."""

    def looks(self, images: int) -> int:
        """Crops whose features an evaluation computes to find its centres, of so many images."""
        first = first_images(self.samples, images) if self.feature_sampling == "uniform" else 0
        return min(images, self.samples) + first

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
        yield from sample_problems(f"{key}.samples", self.samples, "k", k)


def sample_problems(key: str, samples: int, clusters_key: str, clusters: int) -> Iterator[Problem]:
    """Whether clusters can be found on so many samples.

    Args:
        key: Key of the samples.
        samples: Pixels that are sampled in all.
        clusters_key: Key of the clusters.
        clusters: How many are wanted.
    """
    if samples < clusters:
        yield Problem(key, f"{samples} pixels for {clusters} clusters", f"at least {clusters}")
    if clusters > FIRST_POINTS:
        yield Problem(
            clusters_key,
            f"{clusters} clusters, whose first centres are found on {FIRST_POINTS} points",
            f"at most {FIRST_POINTS}",
        )
