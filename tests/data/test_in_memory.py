"""Arrays in memory as a prepared dataset."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from iic.data.in_memory import in_memory

IMAGES = np.arange(6 * 2 * 3 * 3, dtype=np.uint8).reshape(6, 2, 3, 3)


def test_splits_lie_in_order_and_checksums_are_those_of_the_arrays() -> None:
    labels = np.arange(6) % 2
    data = in_memory(IMAGES, labels, 2, {"train": 4, "test": 2})
    assert data.indices(("test", "train")).tolist() == [4, 5, 0, 1, 2, 3]
    assert data.manifest.classes == ("0", "1") and data.manifest.labels is not None
    assert data.manifest.images.sha256 == hashlib.sha256(IMAGES.tobytes()).hexdigest()
    assert data.manifest.labels.sha256 == hashlib.sha256(labels.tobytes()).hexdigest()
    mirrored = in_memory(IMAGES[:, :, ::-1])
    assert mirrored.labels is None and len(mirrored.indices()) == 6
    assert mirrored.manifest.images.sha256 != data.manifest.images.sha256


def test_splits_or_labels_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="splits do not cover the 6 images"):
        in_memory(IMAGES, None, 0, {"train": 4, "test": 3})
    with pytest.raises(ValueError, match="labels contradicts count"):
        in_memory(IMAGES, np.zeros(5, np.int64), 1)
