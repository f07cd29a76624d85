from __future__ import annotations

import hashlib
import importlib
import json
from pathlib import Path

import pytest
import yaml

from iic.data.standin.formats import python2_pickle
from iic.params.datasets import Dataset, find_dataset, load_catalogue
from iic.params.errors import SettingsError
from tests.data.faulty_server import SHARED

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "params" / "datasets.yaml"


@pytest.fixture
def entry() -> dict:
    return yaml.safe_load(SHIPPED.read_text())["mnist"]


def error_of(tmp_path: Path, content: dict) -> str:
    path = tmp_path / "datasets.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    with pytest.raises(SettingsError) as caught:
        load_catalogue(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_shipped_entries() -> None:
    catalogue = load_catalogue(SHIPPED)
    mnist, digits = catalogue["mnist"], catalogue["digits"]
    assert list(mnist.splits.items()) == [("train", 60_000), ("test", 10_000)]
    assert (mnist.count, mnist.image.shape, len(mnist.mirrors)) == (70_000, (1, 28, 28), 3)
    assert (digits.count, digits.image.shape, digits.stand_in) == (1797, (1, 28, 28), False)
    assert list(digits.splits.items()) == [("train", 1297), ("test", 500)]
    stl10 = catalogue["stl10"]
    assert list(stl10.splits.items()) == [("train", 5000), ("unlabeled", 100_000), ("test", 8000)]
    for name, classes in {"cifar10": 10, "cifar100": 100, "cifar100_20": 20}.items():
        assert list(catalogue[name].splits.items()) == [("train", 50_000), ("test", 10_000)]
        assert len(catalogue[name].classes) == classes
    assert catalogue["cifar100"].files == catalogue["cifar100_20"].files
    sums = {file.name: file.checksum for file in stl10.raw_files}
    assert sums["stl10_binary/train_y.bin"] == "md5:5a34089d4802c674881badbb80307741"
    assert sums["stl10_binary/class_names.txt"].startswith("e14065ae")


def test_files_are_those_that_torchvision_knows() -> None:
    from torchvision.datasets import CIFAR10, CIFAR100, STL10

    catalogue = load_catalogue(SHIPPED)
    for name, known in {"stl10": STL10, "cifar10": CIFAR10, "cifar100": CIFAR100}.items():
        (archive,) = catalogue[name].files
        assert (archive.name, archive.md5) == (known.filename, known.tgz_md5)
        assert known.url in [mirror + archive.name for mirror in catalogue[name].mirrors]
        md5s = {file.name: file.md5 for file in archive.members}
        listed = [tuple(one) for one in known.train_list + known.test_list]
        if hasattr(known, "meta"):
            listed.append((known.meta["filename"], known.meta["md5"]))
        for file, md5 in listed:
            assert md5s[f"{known.base_folder}/{file}"] == md5
    pixels = catalogue["stl10"].image.shape
    sizes = {file.name.split("/")[1]: file.size for file in catalogue["stl10"].files[0].members}
    for split, count in catalogue["stl10"].splits.items():
        assert sizes[f"{split}_X.bin"] == count * pixels[0] * pixels[1] * pixels[2]


def test_classes_of_cifar100_are_those_of_its_own_list() -> None:
    # the file of names, written anew from the catalogue, is the official one
    catalogue = load_catalogue(SHIPPED)
    written = python2_pickle(
        {
            "fine_label_names": list(catalogue["cifar100"].classes),
            "coarse_label_names": list(catalogue["cifar100_20"].classes),
        }
    )
    meta = catalogue["cifar100"].files[0].members[0]
    assert (meta.name, meta.size) == ("cifar-100-python/meta", len(written))
    assert hashlib.sha256(written).hexdigest() == meta.sha256
    assert hashlib.md5(written).hexdigest() == meta.md5


@pytest.mark.parametrize("name", load_catalogue(SHIPPED))
def test_reader_exists(name: str) -> None:
    entry = load_catalogue(SHIPPED)[name]
    module = importlib.import_module(entry.module)
    assert callable(module.read if entry.maps is None else module.open_maps)


@pytest.mark.skipif(not (SHARED / "mnist").is_dir(), reason=f"no MNIST in {SHARED}")
def test_mnist_checksums() -> None:
    for file in load_catalogue(SHIPPED)["mnist"].files:
        content = (SHARED / "mnist" / file.name).read_bytes()
        assert len(content) == file.size
        assert hashlib.sha256(content).hexdigest() == file.sha256
        # the official sum, so that the sha256 is that of the official file
        assert hashlib.md5(content).hexdigest() == file.md5


def test_unknown_key_suggests_the_nearest(tmp_path: Path, entry: dict) -> None:
    entry["lisence"] = entry.pop("licence")
    text = error_of(tmp_path, {"mnist": entry})
    assert "mnist.lisence" in text
    assert "did you mean: licence?" in text


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("splits", {"train": 0}, "mnist.splits.train"),
        ("splits", {"Train": 5}, "mnist.splits.Train"),
        ("classes", [0, 1], "mnist.classes.0"),
        ("classes", ["one", "one"], "a class is named twice"),
        ("classes", ["one"], "one class tells nothing apart: name two, or none"),
        ("mirrors", ["https://example.org/mnist"], "did you mean: https://example.org/mnist/?"),
        ("mirrors", ["/data/mnist"], "did you mean: /data/mnist/?"),
        ("mirrors", ["mnist/"], "mnist.mirrors.0"),
        ("mirrors", ["ftp://example.org/mnist/"], "mnist.mirrors.0"),
        ("page", None, "citation and page are needed"),
        ("citation", None, "citation and page are needed"),
        ("mirrors", [], "at least one entry in mirrors"),
        ("files", [], "mnist.files"),
        ("module", "mnist", "mnist.module"),
        ("stand_in", True, "mnist.stand_in: true contradicts the name"),
        ("generator", "iic.data.standin.content", "a generator makes stand-ins"),
        ("generator", "content", "mnist.generator"),
        ("files", [{"name": "a", "size": 1}], "needs sha256 or, where none is published, md5"),
        ("files", [{"name": "a", "size": 1, "md5": "0" * 31}], "mnist.files.0.md5"),
    ],
)
def test_wrong_value(tmp_path: Path, entry: dict, key: str, value: object, expected: str) -> None:
    assert expected in error_of(tmp_path, {"mnist": {**entry, key: value}})


@pytest.mark.parametrize("folder", ["/data/", "~/data/", "./data/", "../data/"])
def test_data_in_folders_alone_need_no_address(tmp_path: Path, entry: dict, folder: str) -> None:
    del entry["page"], entry["citation"]
    entry["mirrors"] = [folder]
    path = tmp_path / "datasets.yaml"
    path.write_text(yaml.safe_dump({"mnist": entry}))
    assert load_catalogue(path)["mnist"].mirrors == (folder,)


def test_maps_are_labels(tmp_path: Path) -> None:
    entry = yaml.safe_load(SHIPPED.read_text())["potsdam3"]
    assert "a dataset with maps needs its classes" in error_of(
        tmp_path, {"potsdam3": {**entry, "classes": []}}
    )


def test_a_stand_in_comes_from_its_generator_alone(tmp_path: Path) -> None:
    entry = yaml.safe_load(SHIPPED.read_text())["mnist_standin"]
    entry["mirrors"] = ["https://example.org/"]
    text = error_of(tmp_path, {"mnist_standin": entry})
    assert "generated files have neither mirrors, members nor a package" in text


@pytest.mark.parametrize("name", ["../mnist", "/etc/mnist", "a//b", "a/../b", ".lock"])
def test_file_name_stays_in_its_folder(tmp_path: Path, entry: dict, name: str) -> None:
    entry["files"][0]["name"] = name
    assert "mnist.files.0.name" in error_of(tmp_path, {"mnist": entry})


def test_file_listed_twice(tmp_path: Path, entry: dict) -> None:
    entry["files"].append(entry["files"][0])
    text = error_of(tmp_path, {"mnist": entry})
    assert "'train-images-idx3-ubyte.gz' is listed twice" in text


@pytest.mark.parametrize("name", ["MNIST", "mnist-2", "mnist 2", "ß"])
def test_name_of_a_dataset(tmp_path: Path, entry: dict, name: str) -> None:
    assert "is no name for a dataset" in error_of(tmp_path, {name: entry})


@pytest.mark.parametrize("content", [[], {}, "mnist"])
def test_no_mapping(tmp_path: Path, content: object) -> None:
    assert "holds no datasets" in error_of(tmp_path, content)  # type: ignore[arg-type]


def test_unknown_dataset_suggests_the_nearest() -> None:
    with pytest.raises(SettingsError, match="no dataset 'mnits'") as caught:
        find_dataset("mnits", SHIPPED)
    assert "did you mean: mnist?" in str(caught.value)


def test_members_take_the_place_of_their_archive(entry: dict) -> None:
    entry["files"][0]["members"] = [
        {"name": f"data/{index}", "size": 1, "sha256": "0" * 64} for index in range(2)
    ]
    raw_files = Dataset.model_validate_json(json.dumps(entry)).raw_files
    assert [one.name for one in raw_files][:3] == ["data/0", "data/1", "train-labels-idx1-ubyte.gz"]
    assert len(raw_files) == 5
