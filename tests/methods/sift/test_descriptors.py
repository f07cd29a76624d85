"""Dense SIFT: where descriptors lie, what they are, and what does not matter to them."""

from __future__ import annotations

import numpy as np
import pytest

from iic.methods.sift.descriptors import (
    NUMBERS,
    box_centres,
    dense_sift,
    descriptor_count,
    orientation_maps,
)

VLFEAT = """
    3 29 119 0 2 0 6 6 0 22 119 50 23 0 55 17 4 7 17 48 4 0 85 28 16 9 0 0 0 0 9 12
    13 33 5 98 31 0 22 75 35 14 23 92 33 4 25 119 44 32 15 91 97 40 18 29 47 114 0 1 12 0 0 27
    50 0 22 63 11 50 7 77 90 11 12 55 72 24 9 25 62 64 15 77 43 46 33 2 41 113 9 6 85 81 10 56
    47 6 41 10 21 16 41 7 21 11 52 24 7 9 79 7 17 31 43 18 8 26 77 7 83 31 13 9 84 17 14 16
"""
"""What VLFeat 0.9.21's dsift (step 10, bins of 3 pixels) gives for the second box of `pattern`."""


def pattern() -> np.ndarray:
    y, x = np.mgrid[:20, :20]
    return ((7 * y * y + 13 * x * y + 5 * x) % 256).astype(np.float32)


def plain(image: np.ndarray, top: int, left: int) -> np.ndarray:
    """The descriptor whose first bin lies at (top, left), pixel by pixel."""
    height, width = image.shape
    maps = orientation_maps(image[None])[:, 0].astype(np.float64)
    histogram = np.zeros((4, 4, 8))
    for row, column in np.ndindex(4, 4):
        for dy, dx in np.ndindex(5, 5):
            y, x = top + 3 * row + dy - 2, left + 3 * column + dx - 2
            share = (1 - abs(dy - 2) / 3) * (1 - abs(dx - 2) / 3)
            far = (y - top - 4.5) ** 2 + (x - left - 4.5) ** 2
            inside = maps[:, min(max(y, 0), height - 1), min(max(x, 0), width - 1)]
            histogram[row, column] += share * np.exp(-0.5 * far / 36) * inside
    unit = histogram.ravel() / np.linalg.norm(histogram)
    cut = unit.clip(max=0.2)
    return 512 * cut / np.linalg.norm(cut)


@pytest.mark.parametrize("size", [1, 9, 10, 19, 20, 40, 53, 128, 200, 333])
def test_a_descriptor_every_ten_pixels(size: int) -> None:
    """floor(size / 10), labelled at the middle of each ten: 144 for 128 pixels, 400 for 200."""
    assert descriptor_count(size) == size // 10
    assert box_centres(size).tolist() == list(range(5, size - 4, 10))[: size // 10]


def test_shape_and_type() -> None:
    descriptors = dense_sift(np.random.default_rng(0).random((3, 47, 61)).astype(np.float32))
    assert descriptors.shape == (3, 4, 6, NUMBERS) and descriptors.dtype == np.uint8


def test_as_vlfeat() -> None:
    expected = np.array(VLFEAT.split(), int)
    assert len(expected) == 128
    assert np.abs(dense_sift(pattern()[None])[0, 0, 1].astype(int) - expected).max() <= 2


def test_as_summed_pixel_by_pixel() -> None:
    image = np.random.default_rng(0).random((31, 24)).astype(np.float32)
    descriptors = dense_sift(image[None])[0].astype(float)
    for row, column in np.ndindex(3, 2):
        expected = plain(image, 10 * row, 10 * column)
        assert np.all(descriptors[row, column] <= expected + 1e-3)
        assert np.all(descriptors[row, column] > expected - 1 - 1e-3)


def test_brightness_and_contrast_do_not_matter() -> None:
    image = np.random.default_rng(0).random((2, 40, 40)).astype(np.float32)
    first, other = dense_sift(image), dense_sift(200 * image + 30)
    assert np.abs(first.astype(int) - other).max() <= 1


def test_an_edge_has_its_orientation() -> None:
    y, x = np.mgrid[:10, :10].astype(np.float32)
    for image, orientation in ((x, 0), (y, 2), (-x, 4), (-y, 6)):
        bins = dense_sift(image[None])[0, 0, 0].reshape(16, 8)
        assert (bins.argmax(axis=1) == orientation).all()
        assert bins.sum() == bins[:, orientation].sum()


def test_a_flat_image_has_descriptors_of_zero() -> None:
    assert dense_sift(np.full((1, 20, 20), 7, np.float32)).max() == 0


def test_one_by_one_or_together() -> None:
    images = np.random.default_rng(0).random((4, 30, 30)).astype(np.float32)
    alone = np.concatenate([dense_sift(image[None]) for image in images])
    assert np.abs(dense_sift(images).astype(int) - alone).max() <= 1
