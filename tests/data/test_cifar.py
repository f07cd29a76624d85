from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iic.data import cifar, cifar10, cifar100, cifar100_20
from iic.data.download import download
from iic.data.errors import DataError
from iic.data.load import load
from iic.data.prepare import prepare
from iic.data.standin.content import SUPERCLASSES
from iic.data.standin.formats import python2_pickle
from iic.params.datasets import Dataset
from tests.data.faulty_server import SHARED
from tests.data.standin_helpers import CATALOGUE, tiny, write_raw

REAL = CATALOGUE["cifar10"]
needs_cifar10 = pytest.mark.skipif(
    not (SHARED / "cifar10").is_dir(), reason=f"no CIFAR-10 in {SHARED}"
)
SPLITS = {"train": 20, "test": 7}
TEN, HUNDRED = "cifar-10-batches-py", "cifar-100-python"


@pytest.fixture
def ten(tmp_path: Path) -> tuple[Path, Dataset]:
    dataset = tiny("cifar10_standin", splits=SPLITS)
    raw = tmp_path / "data/raw/cifar10_standin"
    write_raw(dataset, raw)
    return raw, dataset


def content_of(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        content: dict[str, Any] = pickle.load(file, encoding="latin-1")
    return content


def test_cifar10_as_torchvision_reads_it(ten: tuple[Path, Dataset], tmp_path: Path) -> None:
    from torchvision.datasets import CIFAR10

    class Unchecked(CIFAR10):  # type: ignore[misc]
        def _check_integrity(self) -> bool:
            return True

        def _load_meta(self) -> None:
            pass

    raw, dataset = ten
    manifest = prepare("cifar10_standin", dataset, tmp_path)
    data = load("cifar10_standin", tmp_path)
    assert data.labels is not None
    for split in SPLITS:
        theirs = Unchecked(raw, train=split == "train")
        part = manifest.split(split)
        assert np.array_equal(data.images[part].transpose(0, 2, 3, 1), theirs.data)
        assert data.labels[part].tolist() == theirs.targets
    assert len(list(cifar10.read(raw, dataset))) == 6


def test_both_labels_of_cifar100(tmp_path: Path) -> None:
    fine, coarse = (tiny(f"cifar100{one}_standin", splits=SPLITS) for one in ("", "_20"))
    write_raw(fine, tmp_path)
    ours = list(zip(cifar100.read(tmp_path, fine), cifar100_20.read(tmp_path, coarse), strict=True))
    for split, (by_fine, by_coarse) in zip(SPLITS, ours, strict=True):
        content = content_of(tmp_path / HUNDRED / split)
        assert np.array_equal(by_fine.images, content["data"].reshape(-1, 3, 32, 32))
        assert np.array_equal(by_fine.images, by_coarse.images)
        assert by_fine.labels is not None and by_fine.labels.tolist() == content["fine_labels"]
        assert by_coarse.labels is not None
        for one, above in zip(by_fine.labels, by_coarse.labels, strict=True):
            assert fine.classes[one] in SUPERCLASSES[coarse.classes[above]]


class Attack:
    """Runs a command when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.target}",)


def dangerous(target: Path) -> dict[str, bytes]:
    command = b"touch " + str(target).encode()
    return {
        "posix.system": pickle.dumps({"data": Attack(target)}),
        "os.system": b"cos\nsystem\n(S'" + command + b"'\ntR.",
        "builtins.eval": b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.",
        "__builtin__.eval": b"c__builtin__\neval\n(S'1'\ntR.",
        "numpy.load": b"cnumpy\nload\n(S'x'\ntR.",
        "numpy.ndarray.tofile": b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.",
    }


@pytest.mark.parametrize("asked", dangerous(Path("x")))
def test_malicious_pickle(ten: tuple[Path, Dataset], tmp_path: Path, asked: str) -> None:
    raw, dataset = ten
    path = raw / TEN / "data_batch_2"
    path.write_bytes(dangerous(tmp_path / "done")[asked])
    with pytest.raises(DataError, match="only arrays are let in") as caught:
        list(cifar10.read(raw, dataset))
    assert not (tmp_path / "done").exists()
    text = str(caught.value)
    assert f"{path}: no CIFAR file: it asks for {asked}" in text
    assert "iic download --dataset cifar10_standin" in text


def rewrite(path: Path, **changes: Any) -> None:
    content = content_of(path) | changes
    path.write_bytes(python2_pickle({k: v for k, v in content.items() if v is not None}))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"labels": [0, 1, 2]}, "labels is 3 values, expected a list of 4"),
        ({"labels": "0123"}, "labels is bytes, expected a list of 4"),
        ({"labels": [0, 1, 5, 2]}, "label 5 at index 2 of labels, expected 0 to 4"),
        ({"labels": ["0", "1", "2", "3"]}, "label b'0' at index 0 of labels"),
        ({"labels": None}, "has no 'labels' among batch_label, data, filenames"),
        ({"data": None}, "has no 'data' among"),
        ({"data": [1, 2, 3, 4]}, r"data is list, expected uint8 rows of 3,072"),
        (
            {"data": np.zeros((4, 3071), np.uint8)},
            r"data is uint8 \(4, 3071\), expected uint8 rows of 3,072",
        ),
    ],
)
def test_wrong_batch(ten: tuple[Path, Dataset], changes: dict[str, Any], problem: str) -> None:
    raw, dataset = ten
    rewrite(raw / TEN / "data_batch_3", **changes)
    with pytest.raises(DataError, match=rf"data_batch_3: {problem}"):
        list(cifar10.read(raw, dataset))


def test_arrays_of_another_kind(ten: tuple[Path, Dataset]) -> None:
    raw, dataset = ten
    path = raw / TEN / "test_batch"
    content = content_of(path)
    path.write_bytes(pickle.dumps(content | {"data": content["data"].astype(np.float32)}))
    with pytest.raises(DataError, match=r"test_batch: no CIFAR file: .* of type 'f4', expected u1"):
        list(cifar10.read(raw, dataset))
    # as today's Python and numpy write it
    path.write_bytes(pickle.dumps(content, protocol=4))
    assert len(list(cifar10.read(raw, dataset))) == 6


@pytest.mark.parametrize("length", [0, 3, 40, 5000])
def test_cut_pickle(ten: tuple[Path, Dataset], length: int) -> None:
    raw, dataset = ten
    path = raw / TEN / "data_batch_1"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DataError, match=r"data_batch_1: cut or no pickle: .*\n  remedy"):
        list(cifar10.read(raw, dataset))


@pytest.mark.parametrize("content", [b"no pickle at all", b"\x80\xff.", b"I1\n.", b"]."])
def test_no_pickle_of_a_batch(ten: tuple[Path, Dataset], content: bytes) -> None:
    raw, dataset = ten
    path = raw / TEN / "data_batch_1"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"data_batch_1: (cut or no pickle|holds a (int|list))"):
        list(cifar10.read(raw, dataset))


def test_missing_or_short_files(ten: tuple[Path, Dataset]) -> None:
    raw, dataset = ten
    rewrite(
        raw / TEN / "data_batch_5",
        data=np.zeros((3, 3072), np.uint8),
        labels=[0, 0, 0],
    )
    with pytest.raises(DataError, match=r"19 images in .*data_batch_5, expected 20"):
        list(cifar10.read(raw, dataset))
    (raw / TEN / "data_batch_4").unlink()
    with pytest.raises(DataError, match="data_batch_4: cannot be read: No such file"):
        list(cifar10.read(raw, dataset))


def test_other_class_names(ten: tuple[Path, Dataset]) -> None:
    raw, dataset = ten
    rewrite(raw / TEN / "batches.meta", label_names=list(reversed(dataset.classes)))
    with pytest.raises(DataError, match=r"batches.meta: label_names is .*expected the classes"):
        list(cifar10.read(raw, dataset))


def test_unknown_split(ten: tuple[Path, Dataset]) -> None:
    raw, dataset = ten
    wrong = Dataset.model_validate(dataset.model_dump() | {"splits": {"unlabeled": 3}})
    with pytest.raises(DataError, match="splits: 'unlabeled' is none of train, test"):
        list(cifar10.read(raw, wrong))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror with the official batches, restored from the shared folder."""
    mirror = tmp_path_factory.mktemp("mirror")
    subprocess.run(
        [sys.executable, SHARED / "restore_cifar10.py", mirror / "cifar10"],
        check=True,
        capture_output=True,
    )
    return mirror


@needs_cifar10
def test_real_cifar10(real: Path, tmp_path: Path) -> None:
    download(REAL, "cifar10", tmp_path, str(real))
    manifest = prepare("cifar10", REAL, tmp_path)
    data = load("cifar10", tmp_path)
    assert data.images.shape == (60_000, 3, 32, 32)
    train, test = manifest.split("train"), manifest.split("test")
    assert (train, test) == (slice(0, 50_000), slice(50_000, 60_000))
    assert data.labels is not None
    named = [REAL.classes[label] for label in data.labels[train][:4]]
    assert named == ["frog", "truck", "truck", "deer"]
    named = [REAL.classes[label] for label in data.labels[test][:4]]
    assert named == ["cat", "ship", "ship", "airplane"]
    assert np.bincount(data.labels[train]).tolist() == [5000] * 10
    assert np.bincount(data.labels[test]).tolist() == [1000] * 10
    # the first pixel of the frog: red, green, blue
    assert data.images[0, :, 0, 0].tolist() == [59, 62, 63]


@needs_cifar10
def test_pickles_are_written_as_the_official_ones(real: Path) -> None:
    for name in ("data_batch_1", "batches.meta"):
        path = real / "cifar10" / TEN / name
        assert python2_pickle(content_of(path)) == path.read_bytes()


@needs_cifar10
def test_cut_real_batch(real: Path, tmp_path: Path) -> None:
    raw = tmp_path / "data/raw/cifar10"
    shutil.copytree(real / "cifar10", raw)
    with (raw / TEN / "data_batch_3").open("r+b") as file:
        file.truncate(20_000_000)
    with pytest.raises(DataError, match="cut short: 20,000,000 bytes, expected 31,035,999"):
        prepare("cifar10", REAL, tmp_path)
    with pytest.raises(DataError, match="data_batch_3: cut or no pickle"):
        cifar.load(raw / TEN / "data_batch_3")
