"""Features of pixels: which are drawn, what they are, and what is counted."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from iic.data.maps import IGNORED
from iic.engine.clustering import pixels as pixel_features
from iic.engine.clustering import settings as params
from iic.engine.clustering.pixels import (
    budget,
    cluster_pixels,
    count_clusters,
    draw_pixels,
    interpolate_at,
    nearest_maps,
    random_crops,
    sampled,
    spread_first,
)
from iic.engine.clustering.settings import PixelClusterSettings
from iic.engine.map_context import MapContext
from iic.engine.map_images import MapImages, Windows
from iic.params.errors import IICError
from iic.params.segmentation import MapSettings
from tests.engine.scenes import SIDE, context


def made(folder: Path, **changes: Any) -> MapImages:
    run = context(folder, **changes)
    return images_of(run, run.settings.maps)


def images_of(run: MapContext[Any], maps: MapSettings) -> MapImages:
    """All images of the run."""
    return MapImages(
        run,
        maps=maps,
        augmentation=run.settings.augmentation,
        training=torch.arange(len(run.data.images)),
        device=torch.device("cpu"),
    )


def embed(pixels: Tensor) -> Tensor:
    """Two channels at half the size."""
    return functional.avg_pool2d(pixels.float()[:, :2], 2)


def test_pixels_are_drawn_without_replacement_from_those_that_are_free() -> None:
    mask = torch.zeros(3, 10, 10, dtype=torch.bool)
    mask[0, :4] = mask[2, 5:] = True
    for most, number in ((20, 20), (90, 90), (1000, 90)):
        places = draw_pixels(mask, most, "uniform", np.random.default_rng(0))
        assert len(places) == number == len(places.unique())
        assert mask.flatten()[places].all()
    # no image or row is preferred
    times = torch.zeros(300)
    for seed in range(2000):
        times[draw_pixels(mask, 9, "uniform", np.random.default_rng(seed))] += 1
    assert abs(times[mask.flatten()] / 2000 - 0.1).max() < 0.035


def test_as_released_a_batch_gives_one_pixel() -> None:
    """numpy's choice of one number, as the released code calls it, has no second one in it.

    All batches repeat theirs equally often, which is the same as once.
    """
    mask = torch.zeros(3, 10, 10, dtype=torch.bool)
    mask[1] = True
    places = draw_pixels(mask, 30, "released", np.random.default_rng(0))
    assert len(places) == 1
    assert 100 <= int(places[0]) < 200
    pixels = {
        int(draw_pixels(mask, 5, "released", np.random.default_rng(seed))[0]) for seed in range(900)
    }
    assert len(pixels) > 95


def test_nothing_to_draw_from() -> None:
    mask = torch.zeros(2, 4, 4, dtype=torch.bool)
    for sampling in ("uniform", "released"):
        assert draw_pixels(mask, 5, sampling, np.random.default_rng(0)).tolist() == []  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(12, 12), (25, 31), (4, 9)])
def test_a_pixels_feature_is_that_of_the_stretched_map(size: tuple[int, int]) -> None:
    features = torch.randn(2, 5, 7, 9, generator=torch.Generator().manual_seed(0))
    stretched = functional.interpolate(features, size=size, mode="bilinear", align_corners=False)
    places = torch.randperm(2 * size[0] * size[1])
    there = interpolate_at(features, places, size)
    assert torch.allclose(there, stretched.movedim(1, -1).reshape(-1, 5)[places], atol=1e-5)


def test_the_nearest_centre_is_that_of_the_stretched_map() -> None:
    features = torch.randn(2, 5, 7, 9, generator=torch.Generator().manual_seed(0)) + 100
    centres = np.random.default_rng(0).normal(100, 1, (4, 5)).astype(np.float32)
    stretched = functional.interpolate(
        features.double(), size=(24, 30), mode="bilinear", align_corners=False
    )
    far = (stretched[:, None] - torch.from_numpy(centres).double()[None, :, :, None, None]).square()
    far = far.sum(2)
    nearest = nearest_maps(features, centres, (24, 30))
    assert (far.gather(1, nearest[:, None])[:, 0] - far.amin(1)).max() < 1e-3


def test_counts_are_those_of_every_scored_pixel(tmp_path: Path) -> None:
    for number, area in enumerate(("centre", "whole")):
        images = made(tmp_path, maps={"evaluation_area": area})
        centres = np.array([[60, 60], [120, 120], [180, 180]], np.float32)
        counts = count_clusters(images, embed, centres, 3, batch=4)
        labels = context(tmp_path).data.labels
        if area == "centre":
            labels = labels[:, 2:26, 4:28]
        assert counts.shape == (10, 1, 3, 3)
        for label in range(3):
            assert np.array_equal(counts[..., label].sum((1, 2)), (labels == label).sum((1, 2))), (
                number
            )
        again = count_clusters(images, embed, centres, 3, batch=10)
        assert np.array_equal(counts, again)


def test_samples_are_those_asked_for_and_repeat_by_seed(tmp_path: Path) -> None:
    images = made(tmp_path)
    for samples, each, number in ((500, 50, 500), (4, 1, 4)):
        assert budget(samples, 10) == each
        points = [
            np.concatenate(
                list(
                    sampled(
                        random_crops(images, samples, 4, seed, "a"), embed, each, "uniform", seed
                    )
                )
            )
            for seed in (0, 0, 1)
        ]
        assert points[0].shape == (number, 2)
        assert points[0].tobytes() == points[1].tobytes() != points[2].tobytes()


def test_masked_pixels_are_not_drawn(tmp_path: Path) -> None:
    run = context(tmp_path)
    run.data.labels[:, :, 14:] = IGNORED
    run.data.images[:, :, :, 13:] = 255
    run.data.images[:, :, :, :13] //= 2

    def drawn(**changes: Any) -> np.ndarray:
        maps = run.settings.maps.model_copy(update=changes)
        images = images_of(run, maps)
        crops = random_crops(images, 5000, 4, 0, "a")
        # features at the crop's own size: a pixel's is its colour
        points = sampled(crops, lambda pixels: pixels.float(), 500, "uniform", 0)
        return np.concatenate(list(points))

    # column 13 is free and white
    assert (drawn() == 255).all(1).mean() < 0.2
    assert (drawn(training_mask=False) == 255).all(1).mean() > 0.3


def test_released_sampling_gives_k_means_a_point_a_batch(tmp_path: Path) -> None:
    images = made(tmp_path)
    crops = list(random_crops(images, 2000, 2, 0, "a"))
    points = np.concatenate(list(sampled(crops, embed, 200, "released", 0)))
    assert len(points) == 5
    # as many as fill the memory of k-means many times over, if each were there as often as released
    settings = PixelClusterSettings(samples=10_000_000, feature_sampling="released")
    clustering = cluster_pixels(images, embed, 3, settings, name="test", seed=0, threads=1, batch=2)
    assert clustering.points == 5
    assert len(np.unique(clustering.centres, axis=0)) == 3


def test_first_centres_are_found_on_pixels_of_many_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = made(tmp_path)
    seen = []

    def noted(pixels: Tensor) -> Tensor:
        seen.append(len(pixels))
        return embed(pixels)

    for module in (pixel_features, params):
        monkeypatch.setattr(module, "FIRST_POINTS", 40)
    assert list(spread_first(images, noted, 40, 2, 0, "a")) == [] and not seen
    first = np.concatenate(list(spread_first(images, noted, 1000, 2, 0, "a")))
    assert seen == [2] * 5 and len(first) == 40
    monkeypatch.setattr(params, "FIRST_IMAGES", 4)
    assert sum(map(len, spread_first(images, noted, 1000, 2, 0, "a"))) == 40
    assert seen == [2] * 7
    settings = PixelClusterSettings(samples=1000)
    assert settings.looks(10) == 14
    clustering = cluster_pixels(images, noted, 3, settings, name="test", seed=0, threads=1, batch=2)
    assert clustering.points == 1040 and seen[7:] == [2] * 7


def test_too_few_pixels(tmp_path: Path) -> None:
    run = context(tmp_path)
    run.data.labels[:] = IGNORED
    images = images_of(run, run.settings.maps)
    with pytest.raises(IICError, match="scenes: 0 points for 3 clusters"):
        cluster_pixels(
            images, embed, 3, PixelClusterSettings(), name="scenes", seed=0, threads=1, batch=4
        )


def test_memory_does_not_grow_with_the_images() -> None:
    def peak(number: int) -> int:
        def batches() -> Iterator[Windows]:
            for _ in range(number):
                yield Windows(
                    torch.zeros(4, 3, SIDE, SIDE, dtype=torch.uint8),
                    torch.zeros(4, SIDE, SIDE, dtype=torch.int64),
                    torch.ones(4, SIDE, SIDE, dtype=torch.bool),
                )

        tracemalloc.start()
        # numpy's memory is traced, and what a batch is turned into is numpy's
        for points in sampled(batches(), embed, 500, "uniform", 0):
            assert points.shape[1] == 2
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(60) < 1.2 * peak(6)
