from __future__ import annotations

import hashlib

import numpy as np
import pytest

from iic.data.rescale import bilinear, nearest, scaled

# what OpenCV 4.5.5 and 5.0.0 make of random bytes: height, width, channels and factor; height and
# width of the result; beginnings of the sha256 of its bytes, bilinear and (first channel) nearest
OPENCV = [
    (480, 640, 3, 0.33, 158, 211, "5eb4e9127ab88674", "674199a7911ee22e"),
    (375, 500, 3, 0.33, 124, 165, "5b1bb39c2e73174b", "127fd00dd4a38853"),
    (97, 61, 4, 0.33, 32, 20, "60ff4dba3e182222", "45e72953c93743cb"),
    (101, 77, 3, 0.75, 76, 58, "918cd0da26de96fb", "672506bcac00dd5b"),
    (6, 5, 3, 0.9, 5, 4, "18de835e992f461a", "924a41e9c8012929"),
    (50, 80, 4, 0.5, 25, 40, "3d6c7a05439b7c34", "a36f3b1c084fb30b"),
]


def sum_of(array: np.ndarray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()[:16]


@pytest.mark.parametrize("case", OPENCV, ids=str)
def test_same_bytes_as_opencv(case: tuple) -> None:
    height, width, channels, factor, *size, smooth, sharp = case
    image = np.random.default_rng(7).integers(0, 256, (height, width, channels), dtype=np.uint8)
    small = bilinear(image, factor)
    assert (small.dtype, small.shape) == (np.uint8, (*size, channels))
    assert sum_of(small) == smooth
    labels = nearest(np.ascontiguousarray(image[:, :, 0]), factor)
    assert (labels.dtype, labels.shape) == (np.uint8, tuple(size))
    assert sum_of(labels) == sharp


def test_nothing_is_averaged_over_the_pixels_between() -> None:
    # stripes of one pixel stay as strong as they are: antialiasing would make them grey
    stripes = np.zeros((100, 100, 1), np.uint8)
    stripes[:, ::2] = 255
    small = bilinear(stripes, 0.33)
    assert small.min() < 20 and small.max() > 235


def test_linear_ramp_keeps_its_values() -> None:
    ramp = np.repeat(np.arange(200, dtype=np.uint8)[:, None, None], 30, axis=1)
    expected = (np.arange(66) + 0.5) / 0.33 - 0.5
    assert np.abs(bilinear(ramp, 0.33)[:, 0, 0] - expected).max() <= 1


def test_labels_are_never_mixed() -> None:
    labels = np.random.default_rng(0).choice(np.array([3, 200], np.uint8), (64, 64))
    assert set(np.unique(nearest(labels, 0.33))) == {3, 200}


@pytest.mark.parametrize(("side", "expected"), [(640, 211), (480, 158), (360, 119), (50, 16)])
def test_rounded_side(side: int, expected: int) -> None:
    assert scaled(side, 0.33) == expected


def test_factor_one_changes_nothing() -> None:
    image = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    assert np.array_equal(bilinear(image, 1), image)
    assert np.array_equal(nearest(image[:, :, 0], 1), image[:, :, 0])


def test_nothing_left() -> None:
    with pytest.raises(ValueError, match=r"1x500 pixels leave none at factor 0\.33"):
        bilinear(np.zeros((1, 500, 3), np.uint8), 0.33)
