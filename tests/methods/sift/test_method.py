"""k-means on dense SIFT descriptors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from iic.data.maps import IGNORED
from iic.evaluate.matching import match
from iic.methods.sift import method as sift
from iic.methods.sift.descriptors import dense_sift
from iic.params.errors import IICError
from tests.methods.iic.test_maps import context


def test_descriptors_have_the_label_of_the_middle_of_their_box() -> None:
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (4, 30, 27)).astype(np.uint8)
    classes = np.arange(30 * 27).reshape(30, 27)
    descriptors, truth = sift.described(pixels, classes, "rgb")
    assert descriptors.shape == (6, 128)
    assert truth.tolist() == [5 * 27 + 5, 5 * 27 + 15, 15 * 27 + 5, 15 * 27 + 15, 25 * 27 + 5,
                              25 * 27 + 15]  # fmt: skip
    red, green, blue = pixels[:3].astype(np.float32)
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    assert np.abs(descriptors - dense_sift(grey[None])[0].reshape(6, 128)).max() <= 1
    # infrared is not looked at
    assert np.array_equal(descriptors, sift.described(pixels[:3], classes, "rgb")[0])


def test_bgr_swaps_the_weights_of_red_and_blue() -> None:
    """As if the image had its channels swapped, and another thing than not to swap them."""
    pixels = np.random.default_rng(0).integers(0, 256, (3, 30, 27)).astype(np.uint8)
    classes = np.zeros((30, 27), np.int64)
    swapped = sift.described(pixels, classes, "bgr")[0]
    assert np.array_equal(swapped, sift.described(pixels[::-1], classes, "rgb")[0])
    assert not np.array_equal(swapped, sift.described(pixels, classes, "rgb")[0])


def test_the_order_of_channels_decides_centres_and_counts(tmp_path: Path) -> None:
    outcomes = [sift.train(context(tmp_path, "sift", channel_order=one)) for one in ("rgb", "bgr")]
    centres = [outcome.tensors["centres"] for outcome in outcomes]  # type: ignore[index]
    assert not np.array_equal(*centres)
    run = context(tmp_path, "sift", channel_order="rgb")
    run.data.images[:, :3] = run.data.images[:, 2::-1].copy()
    assert np.array_equal(sift.train(run).tensors["centres"], centres[1])  # type: ignore[index]


def test_only_descriptors_with_a_class_are_counted_and_learnt_from(tmp_path: Path) -> None:
    run = context(tmp_path, "sift")
    run.data.labels[:, :, 14:] = IGNORED
    assert sum(len(one) for one in sift._training(run)) < 40
    outcome = sift.train(run)
    labels = run.data.labels[:, 2:26, 4:28][:, 5::10, 5::10][:, :2, :2]
    totals = np.stack([(labels == one).sum((1, 2)) for one in range(3)], axis=1)
    assert np.array_equal(outcome.last.clusters.sum((1, 2)), totals)
    free = context(tmp_path, "sift", maps={"training_mask": False})
    free.data.labels[:] = IGNORED
    assert sum(len(one) for one in sift._training(free)) == 40


def test_whole_images_have_as_many_descriptors_as_fit(tmp_path: Path) -> None:
    run = context(tmp_path, "sift", maps={"evaluation_area": "whole"})
    run.data.labels[:] = 0
    assert sift.train(run).last.clusters.sum() == 10 * 2 * 3


def test_textures_are_told_apart(tmp_path: Path) -> None:
    """Left half upright stripes, right half level ones: 90 of 100 at the least, chance being 50."""
    run = context(tmp_path, "sift")
    y, x = np.mgrid[:28, :32]
    draw = np.random.default_rng(0)
    for index in range(10):
        border = draw.integers(12, 21)
        right = x >= border
        stripes = np.where(right, y // 2 % 2, x // 2 % 2) * 90
        run.data.images[index] = (80 + stripes + draw.integers(0, 40, (28, 32))).astype(np.uint8)
        run.data.labels[index] = right
    counts = sift.train(run).last.clusters.sum(0)[0]
    mapping = match(counts, "one_to_one")
    assert sum(counts[cluster, one] for cluster, one in enumerate(mapping)) > 0.65 * counts.sum()
    two = context(tmp_path, "sift", k=2)
    two.data.images[:], two.data.labels[:] = run.data.images, run.data.labels
    counts = sift.train(two).last.clusters.sum(0)[0][:, :2]
    assert max(np.trace(counts), np.trace(counts[::-1])) > 0.9 * counts.sum()


def test_nothing_left_to_describe(tmp_path: Path) -> None:
    run = context(tmp_path, "sift")
    run.data.labels[:] = IGNORED
    with pytest.raises(IICError, match="0 points for 3 clusters"):
        sift.train(run)
