from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans

from iic.data import mnist
from iic.data.download import download
from iic.data.errors import DataError
from iic.data.load import load
from iic.data.prepare import prepare
from iic.data.standin import formats
from iic.data.standin.content import SUPERCLASSES, content
from iic.data.standin.shapes import SHAPES, Chance, figure, shuffled, texture
from iic.params.datasets import Dataset
from tests.data.standin_helpers import CATALOGUE, ROOT, STAND_INS, tiny, write_raw


def test_which_there_are() -> None:
    assert STAND_INS == [
        f"{name}_standin"
        for name in ("stl10", "cifar10", "cifar100", "cifar100_20", "tiny_imagenet", "mnist")
    ]
    for name in STAND_INS:
        stand_in, real = CATALOGUE[name], CATALOGUE[name.removesuffix("_standin")]
        assert stand_in.module == real.module
        assert list(stand_in.splits) == list(real.splits)
        assert stand_in.image.channels == real.image.channels
        # the official names of the files, so that the official readers find them
        assert {file.name for file in stand_in.files} == {file.name for file in real.raw_files}
    both = (CATALOGUE["cifar100_standin"].files, CATALOGUE["cifar100_20_standin"].files)
    assert both[0] == both[1]


@pytest.mark.parametrize("name", STAND_INS)
def test_the_catalogue_has_the_checksums_of_what_is_written(name: str, tmp_path: Path) -> None:
    dataset = CATALOGUE[name]
    manifest = download(dataset, name, tmp_path)
    assert [one.sha256 for one in manifest.files] == [file.sha256 for file in dataset.files]
    prepared = prepare(name, dataset, tmp_path)
    assert prepared.stand_in and prepared.classes == dataset.classes
    data = load(name, tmp_path)
    assert data.labels is not None
    for split, count in dataset.splits.items():
        labels = data.labels[prepared.split(split)]
        if split == "unlabeled":
            assert set(labels) == {-1}
        else:
            # as many images of each class as can be
            assert np.ptp(np.bincount(labels, minlength=len(dataset.classes))) <= 1
            assert len(labels) == count
    pixels = data.images.reshape(len(data.images), -1)
    assert len(np.unique(pixels, axis=0)) == len(pixels)


@pytest.mark.parametrize("name", STAND_INS)
def test_coarse_labels_follow_from_the_catalogue(name: str) -> None:
    classes = CATALOGUE[name].classes
    if name == "cifar100_20_standin":
        assert classes == tuple(sorted(SUPERCLASSES))
    else:
        assert set(classes) <= set(SHAPES)
    assert len(classes) >= 4


def test_changed_generator_is_noticed(tmp_path: Path) -> None:
    wrong = CATALOGUE["mnist_standin"].model_dump()
    wrong["files"][1]["sha256"] = "0" * 64
    dataset = Dataset.model_validate(wrong)
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte.gz: corrupt: sha256") as caught:
        download(dataset, "mnist_standin", tmp_path)
    assert "python -m iic.data.standin.content mnist_standin" in str(caught.value)
    assert not (tmp_path / "data/raw/mnist_standin/train-labels-idx1-ubyte.gz").exists()
    for size, problem in ((1030, "too long"), (1032, "cut short")):
        wrong["files"][1]["size"] = size
        with pytest.raises(DataError, match=problem):
            download(Dataset.model_validate(wrong), "mnist_standin", tmp_path)


@pytest.mark.parametrize("generator", ["iic.data.nothing", "iic.data.errors"])
def test_generator_that_does_not_exist(tmp_path: Path, generator: str) -> None:
    wrong = CATALOGUE["mnist_standin"].model_dump() | {"generator": generator}
    with pytest.raises(DataError, match=f"mnist_standin.generator: '{generator}' has no function"):
        download(Dataset.model_validate(wrong), "mnist_standin", tmp_path)


@pytest.mark.parametrize(
    ("name", "file", "changes", "problem"),
    [
        ("stl10_standin", "elsewhere/train_X.bin", {}, "file 'elsewhere/train_X.bin' is in none"),
        ("stl10_standin", "stl10_binary/train_Z.bin", {}, "no file of STL-10"),
        ("stl10_standin", "stl10_binary/train_X.bin", {"classes": ("discs", "dogs")}, "'dogs' is"),
        ("cifar10_standin", "cifar-10-batches-py/data_batch_6", {}, "no file of CIFAR-10"),
        (
            "cifar10_standin",
            "cifar-10-batches-py/batches.meta",
            {"splits": {"train": 12, "test": 1}},
            "12 training images in equal batches",
        ),
        ("cifar100_standin", "cifar-100-python/extra", {}, "no file of CIFAR-100"),
        ("cifar100_standin", "cifar-100-python/meta", {"classes": ("a", "b")}, "classes: neither"),
        ("mnist_standin", "extra-images-idx3-ubyte.gz", {}, "no file of MNIST"),
    ],
)
def test_what_cannot_be_written(
    name: str, file: str, changes: dict[str, object], problem: str
) -> None:
    dataset = Dataset.model_validate(CATALOGUE[name].model_dump() | changes)
    with pytest.raises(DataError, match=problem):
        content(file, dataset)


def test_entries_for_the_catalogue() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "iic.data.standin.content", "mnist_standin"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.stdout and done.stdout in (ROOT / "params/datasets.yaml").read_text(), done.stderr


def test_mnist_stand_in_through_the_reader(tmp_path: Path) -> None:
    dataset = tiny("mnist_standin", splits={"train": 12, "test": 5})
    write_raw(dataset, tmp_path)
    train, test = mnist.read(tmp_path, dataset)
    packed = (tmp_path / "train-images-idx3-ubyte.gz").read_bytes()
    assert gzip.decompress(packed)[16:] == train.images.tobytes()
    assert (train.images.shape, test.images.shape) == ((12, 1, 28, 28), (5, 1, 28, 28))
    assert test.labels is not None and set(test.labels) == set(range(5))


@pytest.mark.parametrize("size", [0, 1, formats.STORED - 8, formats.STORED, 200_000])
def test_gzip_of_any_length(size: int) -> None:
    values = np.frombuffer(Chance("gzip", size).rest(), np.uint8)
    packed = formats.idx_gz(values)
    assert gzip.decompress(packed)[8:] == values.tobytes()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_in_pixels(shape: str) -> None:
    image = texture(shape, 32, "a")
    assert (image.shape, image.dtype) == ((3, 32, 32), np.uint8)
    assert np.array_equal(image, texture(shape, 32, "a"))
    assert not np.array_equal(image, texture(shape, 32, "b"))
    light = figure(shape, 28, "a")
    assert (light.shape, light.dtype) == ((1, 28, 28), np.uint8)


def test_pinned_pixels() -> None:
    # a change here changes every stand-in, and so every number on them
    pixels = b"".join(texture(shape, 16, "pinned").tobytes() for shape in SHAPES)
    assert hashlib.sha256(pixels).hexdigest() == PINNED


PINNED = "d55240e72759c7dd84a2c85e0e804bf611e7cb7399c459c90b90822cdfdfdc27"


def test_chance() -> None:
    draws = [Chance(f"{i}").between(-3, 3) for i in range(700)]
    assert set(draws) == set(range(-3, 4))
    assert sorted(shuffled("x", 100)) == list(range(100))
    assert shuffled("x", 100).tolist() != shuffled("y", 100).tolist()


@pytest.mark.parametrize("name", ["stl10_standin", "cifar10_standin", "cifar100_20_standin"])
def test_raw_pixels_say_little(name: str, tmp_path: Path) -> None:
    download(CATALOGUE[name], name, tmp_path)
    manifest = prepare(name, CATALOGUE[name], tmp_path)
    data = load(name, tmp_path)
    assert data.labels is not None
    part = manifest.split("train")
    pixels = data.images[part].reshape(part.stop - part.start, -1) / 255
    k = len(manifest.classes)
    clusters = KMeans(k, n_init=2, random_state=0).fit_predict(pixels)
    counts = np.zeros((k, k), dtype=int)
    np.add.at(counts, (clusters, data.labels[part]), 1)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    assert 100 / k < 100 * counts[rows, columns].sum() / len(pixels) < 100 / k + 10
