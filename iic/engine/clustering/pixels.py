"""Features of pixels: drawn by seed, clustered as they come, counted in constant memory.

A trunk's map is smaller than the image. The feature of a pixel is the map's bilinear interpolation
to the image's size at that pixel, as the released code stretches Doersch's and Isola's maps
(docs/spec/baselines.md#patch-network), but only at the pixels that were drawn. To tell the nearest
centre of every pixel, no feature is stretched at all: |c|^2 - 2 c.f is affine in f, so that its k
maps are stretched in place of the d of f, with the same result.

What is held is one batch of images and the first points of k-means
(`iic.engine.clustering.streamed`), however many images there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from iic.engine.clustering.settings import (
    FIRST_POINTS,
    FeatureSampling,
    PixelClusterSettings,
    first_images,
)
from iic.engine.clustering.streamed import Centres, streamed_kmeans
from iic.engine.map_images import MapImages, Windows
from iic.engine.seeding import derive, generator

Points = NDArray[np.float32]
Embed = Callable[[Tensor], Tensor]
"""uint8 windows (b, C, h, w) -> features (b, d, h', w') float32; in evaluation mode, without
gradients: both are the caller's business."""

CHUNK = 16_384
"""Points that are interpolated and handed on together."""


def budget(samples: int, images: int) -> int:
    """Most pixels of each image where `samples` are wanted of so many images; at least 1."""
    return max(1, samples // images)


def draw_pixels(
    mask: Tensor, most: int, sampling: FeatureSampling, draw: np.random.Generator
) -> Tensor:
    """Pixels of a batch whose features are taken.

    Args:
        mask: Pixels that may be drawn, booleans (b, H, W).
        most: At most so many.
        sampling: `uniform`: without replacement, in random order. `released`: one alone.
        draw: Source of the random numbers.

    Returns:
        Places in the flattened batch, int64 (n,), n the smaller of `most` and the pixels there are,
        or at most 1.
    """
    free = mask.flatten().nonzero()[:, 0]
    number = min(most, len(free))
    if number == 0:
        return free[:0]
    if sampling == "released":
        return free[int(draw.integers(len(free)))].reshape(1)
    chosen = torch.from_numpy(draw.choice(len(free), number, replace=False))
    return free[chosen.to(free.device)]


def interpolate_at(features: Tensor, places: Tensor, size: tuple[int, int]) -> Tensor:
    """Features of single pixels: bilinear interpolation of the map to the image's size there.

    Args:
        features: Maps (b, d, h', w').
        places: Pixels, as places in the flattened batch of images (b, H, W), (n,).
        size: Height and width (H, W) of the images.

    Returns:
        (n, d).
    """
    height, width = size
    image = places // (height * width)
    corners = [
        _neighbours(places // width % height, features.shape[2], height),
        _neighbours(places % width, features.shape[3], width),
    ]
    channels_last = features.movedim(1, -1)
    result = features.new_zeros(len(places), features.shape[1])
    for row, of_row in corners[0]:
        for column, of_column in corners[1]:
            result += (of_row * of_column)[:, None] * channels_last[image, row, column]
    return result


def sampled(
    batches: Iterable[Windows],
    embed: Embed,
    each: int,
    sampling: FeatureSampling,
    *seed_parts: str | int,
) -> Iterator[Points]:
    """Features of the pixels that are drawn, batch by batch, in chunks (n, d).

    Args:
        batches: Windows of images.
        embed: Features of windows.
        each: Most pixels of each image, on the average of its batch.
        sampling: How pixels are drawn.
        *seed_parts: The run's seed and what the points are for, to seed each batch's draw by.
    """
    seed, *purpose = seed_parts
    with torch.no_grad():
        for number, windows in enumerate(batches):
            draw = np.random.default_rng(derive(int(seed), *purpose, number))
            places = draw_pixels(windows.mask, each * len(windows.mask), sampling, draw)
            if not len(places):
                continue
            features = embed(windows.pixels)
            height, width = windows.mask.shape[1:]
            for piece in torch.split(places, CHUNK):
                yield interpolate_at(features, piece, (height, width)).cpu().numpy()


def random_crops(
    images: MapImages, samples: int, batch: int, seed: int, *purpose: str | int
) -> Iterator[Windows]:
    """A random crop of every image that is trained on, in random order.

    Args:
        images: The images.
        samples: Where that is less than there are images, so many of them.
        batch: Images at a time.
        seed: Seed of the run.
        *purpose: What the crops are for, to seed the order and the corners by.
    """
    shuffle = generator(torch.device("cpu"), seed, *purpose, "order")
    order = images.training[torch.randperm(len(images.training), generator=shuffle)][:samples]
    for number, indices in enumerate(torch.split(order, batch)):
        yield images.crops(indices, generator(images.device, seed, *purpose, "crops", number))


def spread_first(
    images: MapImages, embed: Embed, samples: int, batch: int, seed: int, *purpose: str | int
) -> Iterator[Points]:
    """Points for the first centres, of many images; none where the samples are no more than these.

    Args:
        images: The images.
        embed: Features of windows.
        samples: Pixels that are sampled in all.
        batch: Images at a time.
        seed: Seed of the run.
        *purpose: What the points are for, to seed images, crops and pixels by.
    """
    some = first_images(samples, len(images.training))
    if some:
        crops = random_crops(images, some, batch, seed, *purpose, "first")
        each = math.ceil(FIRST_POINTS / some)
        yield from sampled(crops, embed, each, "uniform", seed, *purpose, "first pixels")


def cluster_pixels(
    images: MapImages,
    embed: Embed,
    k: int,
    settings: PixelClusterSettings,
    *,
    name: str,
    seed: int,
    threads: int,
    batch: int,
) -> Centres:
    """Find the centres that the representation is evaluated by.

    They are found on random crops of the images that are trained on, the same crops and pixels at
    each call.

    Args:
        images: The images.
        embed: Features of windows.
        k: Clusters.
        settings: How many pixels, and how they are drawn.
        name: The run, for messages.
        seed: Seed of the run.
        threads: CPU threads of k-means.
        batch: Images at a time; with `released` sampling each batch gives one point.

    Raises:
        IICError: Fewer pixels than clusters, or a feature is not finite.
    """
    each = budget(settings.samples, len(images.training))
    crops = random_crops(images, settings.samples, batch, seed, "evaluation")
    points = sampled(crops, embed, each, settings.feature_sampling, seed, "evaluation", "pixels")
    if settings.feature_sampling == "uniform":
        first = spread_first(images, embed, settings.samples, batch, seed, "evaluation")
        points = chain(first, points)
    return streamed_kmeans(
        points,
        k,
        name=name,
        seed=derive(seed, "kmeans") % 2**32,
        threads=threads,
        restarts=settings.restarts,
    )


def count_clusters(
    images: MapImages, embed: Embed, centres: Points, classes: int, batch: int
) -> NDArray[np.int32]:
    """Pixels of each cluster and class of every evaluated image, (n, 1, k, classes).

    Args:
        images: The images.
        embed: Features of windows.
        centres: (k, d).
        classes: Number of ground-truth classes.
        batch: Images at a time.
    """
    k = len(centres)
    counts = np.zeros((len(images.evaluated), 1, k, classes), np.int32)
    with torch.no_grad():
        for rows, windows in images.areas(images.evaluated, batch):
            height, width = windows.classes.shape[1:]
            clusters = nearest_maps(embed(windows.pixels), centres, (height, width))
            start = torch.arange(len(rows), device=clusters.device)[:, None, None]
            cell = (start * k + clusters) * classes + windows.classes.clamp(min=0)
            counted = torch.bincount(cell[windows.classes >= 0], minlength=len(rows) * k * classes)
            counts[rows, 0] = counted.view(len(rows), k, classes).cpu().numpy()
    return counts


def nearest_maps(features: Tensor, centres: Points, size: tuple[int, int]) -> Tensor:
    """Cluster of each pixel: whose centre is nearest to its interpolated feature.

    Args:
        features: Maps (b, d, h', w').
        centres: (k, d).
        size: Height and width (H, W) of the images.

    Returns:
        (b, H, W) int64.
    """
    return functional.interpolate(
        distances(features, centres), size=size, mode="bilinear", align_corners=False
    ).argmin(dim=1)


def distances(features: Tensor, centres: Points) -> Tensor:
    """Squared distance of features (b, d, h, w) to centres (k, d), (b, k, h, w), up to |f|^2."""
    points = torch.from_numpy(centres).to(features.device)
    # about their mean, since large numbers in common would drown the differences
    middle = points.mean(dim=0)
    points = points - middle
    products = torch.einsum("bdhw,kd->bkhw", features - middle[:, None, None], points)
    return points.square().sum(dim=1)[:, None, None] - 2 * products


def _neighbours(pixel: Tensor, source: int, target: int) -> list[tuple[Tensor, Tensor]]:
    """The two places of a line of `source` that a pixel of one of `target` lies between."""
    at = ((pixel + 0.5) * (source / target) - 0.5).clamp(min=0)
    low = at.floor().long().clamp(max=source - 1)
    share = at - low
    return [(low, 1 - share), ((low + 1).clamp(max=source - 1), share)]
