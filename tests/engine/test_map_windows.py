"""Parts of images, one after another."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from iic.engine.map_windows import count, in_chunks, scored_areas, training_crops
from tests.engine.scenes import SIDE, context


def test_every_image_once_in_random_order(tmp_path: Path) -> None:
    run = context(tmp_path, splits={"train": 7, "val": 3})
    run.data.images[:] = np.arange(10)[:, None, None, None]
    for splits, most, number in (((), None, 10), (("train",), None, 7), ((), 4, 4)):
        seen = [
            [int(crop.pixels[0, 0, 0]) for crop in crops]
            for crops in (
                training_crops(
                    run, run.settings.maps, SIDE, splits, np.random.default_rng(seed), most
                )
                for seed in (0, 0, 1)
            )
        ]
        assert seen[0] == seen[1] != seen[2]
        assert len(set(seen[0])) == number and (most or set(seen[0]) == set(range(number)))


def test_crops_and_areas_lie_inside_the_image(tmp_path: Path) -> None:
    sizes = np.array([[24, 32], [28, 24]] * 5)
    run = context(tmp_path, sizes=sizes)
    corners = set()
    run.data.images[:, 0] = np.arange(28)[:, None]
    run.data.images[:, 1] = np.arange(32)
    for seed in range(30):
        draw = np.random.default_rng(seed)
        for pixels, classes in training_crops(run, run.settings.maps, SIDE, (), draw):
            assert pixels.shape == (3, SIDE, SIDE) and classes.shape == (SIDE, SIDE)
            corners.add((int(pixels[0, 0, 0]), int(pixels[1, 0, 0])))
    assert corners == {(0, left) for left in range(9)} | {(top, 0) for top in range(5)}
    whole = run.settings.maps.model_copy(update={"evaluation_area": "whole"})
    shapes = [area.classes.shape for area in scored_areas(run, whole, SIDE)]
    assert shapes == [tuple(size) for size in sizes]
    starts = [int(area.pixels[1, 0, 0]) for area in scored_areas(run, run.settings.maps, SIDE)]
    assert starts == [4, 0] * 5


def test_chunks_have_all_points_in_order() -> None:
    parts = [np.full((n, 2), n, np.float32) for n in (3, 0, 5, 1, 9, 2)]
    chunks = list(in_chunks(parts, 6))
    assert [len(one) for one in chunks] == [8, 10, 2]
    assert np.array_equal(np.concatenate(chunks), np.concatenate(parts))
    assert list(in_chunks([], 6)) == []


def test_chunks_hold_no_more_than_one() -> None:
    def peak(number: int) -> int:
        def parts() -> Iterator[np.ndarray]:
            for _ in range(number):
                yield np.zeros((1000, 16), np.float32)

        tracemalloc.start()
        for _ in in_chunks(parts(), 8000):
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(400) < 1.2 * peak(40)


def test_clusters_and_classes_are_counted() -> None:
    draw = np.random.default_rng(0)
    clusters, truth = draw.integers(0, 4, 500), draw.integers(0, 3, 500)
    found = count(clusters, truth, 4, 3)
    for cluster, one in np.ndindex(4, 3):
        assert found[cluster, one] == ((clusters == cluster) & (truth == one)).sum()
