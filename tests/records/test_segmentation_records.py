"""Counts of pixels and maps of probabilities, written and read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from iic.records.counts import read_counts, write_counts
from iic.records.files import RecordError
from iic.records.maps import read_maps, write_maps


def counts(seed: int) -> np.ndarray:
    """Of 4 images, 2 sub-heads, 5 clusters and 3 classes; as many pixels of a class for all."""
    draw = np.random.default_rng(seed)
    shares = draw.dirichlet(np.ones(5), (4, 2, 3)).swapaxes(2, 3)
    found = np.floor(shares * 1000).astype(int)
    found[:, :, 0] += 5000 - found.sum(axis=2)
    return found


INDICES = np.array([1, 2, 7, 9])


def test_counts_come_back(tmp_path: Path) -> None:
    path = tmp_path / "assignments.parquet"
    write_counts(path, {"last": counts(0), "best_label": counts(1)}, INDICES)
    found = read_counts(path)
    assert list(found) == ["last", "best_label"]
    for seed, one in enumerate(found.values()):
        assert np.array_equal(one.counts, counts(seed))
        assert np.array_equal(one.indices, INDICES)
    before = path.read_bytes()
    write_counts(path, {"last": counts(0), "best_label": counts(1)}, INDICES)
    assert path.read_bytes() == before


def test_counts_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "assignments.parquet"
    for checkpoints, indices, message in (
        ({"last": counts(0), "best_label": counts(1)[:3]}, INDICES, "different shapes"),
        ({"last": counts(0)}, INDICES[:3], "indices of shape"),
        ({"last": counts(0)}, INDICES[::-1], "not ascending"),
        ({"last": counts(0) - 5}, INDICES, "negative"),
    ):
        if message == "negative":
            checkpoints["last"][0, 0, 0, 0] = -1
        with pytest.raises(ValueError, match=message):
            write_counts(path, checkpoints, indices)
    assert not path.exists()


def test_sub_heads_that_disagree_on_the_classes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "assignments.parquet"
    forged = counts(1)
    forged[2, 1, 3, 0] += 1
    write_counts(path, {"last": counts(0), "best_label": forged}, INDICES)
    with pytest.raises(RecordError, match="disagree on the pixels of a class"):
        read_counts(path)


@pytest.mark.parametrize("read", [read_counts, read_maps])
def test_absent_and_damaged_files_are_named(tmp_path: Path, read: object) -> None:
    assert callable(read)
    path = tmp_path / "some.parquet"
    with pytest.raises(RecordError, match=r"some\.parquet: missing"):
        read(path)
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(RecordError, match=r"some\.parquet: no "):
        read(path)


def test_assignments_of_a_classification_are_no_counts(tmp_path: Path) -> None:
    from iic.records.assignments import write_assignments

    path = tmp_path / "assignments.parquet"
    write_assignments(path, {"last": np.zeros((4, 2), np.uint8)}, None)
    with pytest.raises(RecordError, match="no counts of pixels"):
        read_counts(path)


def test_maps_come_back(tmp_path: Path) -> None:
    maps = np.random.default_rng(0).random((4, 2, 3, 5, 6)).astype(np.float16)
    path = tmp_path / "probabilities.parquet"
    write_maps(path, maps, INDICES)
    found = read_maps(path)
    assert np.array_equal(found.indices, INDICES)
    assert np.array_equal(found.probabilities, maps.swapaxes(0, 1))
    with pytest.raises(ValueError, match="4 maps for 3 images"):
        write_maps(path, maps, INDICES[:3])
