from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from iic.params.datasets import ImageShape
from iic.params.experiments import Listing
from iic.params.runs import Plan
from iic.publish.built import write_files
from iic.publish.dataset_sizes import build
from iic.records.files import RecordError, write_record
from iic.records.prepared import ImagesRecord, LabelsRecord, PreparedManifest, Split

NAMES: dict[str, Any] = {
    "methods": {"iic": "IIC", "iic_star*": "IIC*"},
    "datasets": {
        "stl10": "STL10", "mnist": "MNIST", "cocostuff3": "COCO-Stuff-3",
        "cocostuff15": "COCO-Stuff", "potsdam3": "Potsdam-3",
    },
}  # fmt: skip
LISTING = Listing(title="Sizes", caption="Images.", module="iic.publish.dataset_sizes", **NAMES)
RECORD: dict[str, Any] = {"path": "x", "sha256": "0" * 64, "size": 1}
STL10 = {"train": 5000, "unlabeled": 100_000, "test": 8000}


def describe(root: Path, name: str, splits: dict[str, int], shape: tuple[int, int, int]) -> None:
    parts, start = [], 0
    for split, count in splits.items():
        parts.append(Split(name=split, start=start, stop=start + count))
        start += count
    manifest = PreparedManifest(
        dataset=name,
        stand_in=name.endswith("_standin"),
        image=ImageShape(channels=shape[0], height=shape[1], width=shape[2]),
        count=start,
        classes=tuple("0123456789"),
        splits=tuple(parts),
        images=ImagesRecord(**RECORD, shape=(start, *shape)),
        labels=LabelsRecord(**RECORD, shape=(start,)),
    )
    (root / "data/prepared" / name).mkdir(parents=True)
    write_record(root / "data/prepared" / name / "data.json", manifest)


class Settings(SimpleNamespace):
    """Names and values in turn, as those of pydantic."""

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(self.__dict__.items())


def run(identifier: str, test: tuple[str, ...] = (), **heads: tuple[str, ...]) -> SimpleNamespace:
    dataset, name = identifier.split("/")
    settings = {key: SimpleNamespace(splits=splits) for key, splits in heads.items()}
    settings["evaluation"] = SimpleNamespace(test=test)
    method = name.split("-")[0]
    return SimpleNamespace(
        id=identifier,
        dataset=dataset,
        name=name,
        method=f"iic.methods.{method}",
        settings=Settings(**settings),
    )


def plan_of(datasets: dict[str, str], *runs: SimpleNamespace) -> Plan:
    """As much of a plan as the listing reads."""
    scale: Any = SimpleNamespace(name="tiny", datasets=datasets)
    by_id: Any = {one.id: one for one in runs}
    return Plan(
        scale=scale,
        datasets={},
        runs=by_id,
        tables={},
        figures={},
        listings={"supp_table_5": LISTING},
        **({"definitions": {}} if "definitions" in Plan.__dataclass_fields__ else {}),
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    describe(tmp_path, "stl10", STL10, (3, 96, 96))
    describe(tmp_path, "mnist_standin", {"train": 1000, "test": 500}, (1, 28, 28))
    return tmp_path


PLAN = plan_of(
    {"stl10": "stl10", "mnist": "mnist_standin"},
    run("stl10/iic", head_a=("train", "unlabeled", "test"), head_b=("train", "test")),
    run("stl10/iic-no_unlabelled", head_a=("train", "test"), head_b=("train", "test")),
    run("stl10/iic_star-pct100", ("test",), head=("train", "unlabeled")),
    run("stl10/iic_star-pct50", ("test",), head=("train", "unlabeled")),
    run("mnist_standin/kmeans"),
    run("mnist_standin/iic", head_a=(), head_b=()),
)


def test_sizes_are_the_papers(root: Path) -> None:
    built = build(PLAN, "supp_table_5", root)
    lines = list(csv.DictReader(io.StringIO(built.csv.decode())))
    shown = [
        (one["dataset"], one["data"], one["method"], one["run"], one["train"], one["test"])
        for one in lines
    ]
    # docs/spec/images.md#image-counts; the ablation's run does not count
    assert shown == [
        ("stl10", "real", "IIC", "stl10/iic", "113000", "13000"),
        ("stl10", "real", "IIC*", "stl10/iic_star-pct100", "105000", "8000"),
        ("mnist_standin", "stand-in", "IIC", "mnist_standin/iic", "1500", "1500"),
        ("mnist_standin", "stand-in", "IIC*", "", "", ""),
    ]
    assert [one["status"] for one in lines] == ["counted"] * 3 + ["not_run"]
    assert (lines[0]["train_splits"], lines[0]["test_splits"]) == (
        "train+unlabeled+test",
        "train+test",
    )
    text = built.md.decode()
    assert "| STL10 | real | 96×96 RGB | 10 | 113,000 | 13,000 | 105,000 | 8,000 |" in text
    name = "MNIST: mnist\\_standin"
    assert f"| {name} | stand-in | 28×28 grey | 10 | 1,500 | 1,500 | – | – |" in text
    assert b"113,000" in built.tex


def test_sources_are_the_descriptions(root: Path) -> None:
    files = write_files(build(PLAN, "supp_table_5", root), Path("results/sizes.csv"), root)
    assert [file.suffix for file in files] == [".csv", ".md", ".tex", ".json"]
    assert all((root / file).is_file() for file in files)
    for series in build(PLAN, "supp_table_5", root).sources.series:
        (file,) = series.files
        assert file.path == f"data/prepared/{series.name}/data.json"
        content = (root / file.path).read_bytes()
        assert file.sha256 == hashlib.sha256(content).hexdigest()


def test_runs_that_differ_are_both_shown(root: Path) -> None:
    plan = plan_of(
        {"stl10": "stl10"},
        run("stl10/iic_star-a", ("test",), head=("train",)),
        run("stl10/iic_star-b", ("test",), head=("train", "unlabeled")),
    )
    text = build(plan, "supp_table_5", root).md.decode()
    assert "| – | – | 5,000 / 105,000 | 8,000 |" in text


def test_a_method_is_shown_for_a_line_in_the_params_alone(root: Path) -> None:
    plan = plan_of({"stl10": "stl10"}, run("stl10/new-b", ("test",), main_head=("train",)))
    new = LISTING.model_copy(update={"methods": {"new*": "New"}})
    built = build(replace(plan, listings={"supp_table_5": new}), "supp_table_5", root)
    text = built.md.decode()
    assert "| Dataset | data | image | classes | New train | New test |" in text
    assert "| STL10 | real | 96×96 RGB | 10 | 5,000 | 8,000 |" in text


def test_dataset_that_is_not_prepared(root: Path) -> None:
    plan = plan_of({"cifar10": "cifar10"})
    with pytest.raises(RecordError, match=r"data/prepared/cifar10/data.json: missing"):
        build(plan, "supp_table_5", root)
