from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from iic.params.datasets import ImageShape, LabelMaps
from iic.params.experiments import Listing
from iic.params.runs import Plan
from iic.publish import dataset_sizes
from iic.publish.map_sizes import build, labelled
from iic.records.files import RecordError, read_record, write_record
from iic.records.prepared import ImagesRecord, Split
from iic.records.prepared_maps import LabelMapsRecord, MapManifest
from tests.publish.map_helpers import entry
from tests.publish.test_dataset_sizes import NAMES, RECORD, describe, plan_of, run

LISTING = Listing(title="Sizes", caption="Images.", module="iic.publish.map_sizes", **NAMES)
COCO3 = {"train": 35228, "val": 1432}
COCO15 = {"train": 49629, "val": 2175}
POTSDAM = {"unlabelled_train": 3150, "labelled_train": 4545, "labelled_test": 855}
LABELLED = ("labelled_train", "labelled_test")
UNSUPERVISED = ("unlabelled_train", "labelled_train")


def describe_maps(
    root: Path,
    name: str,
    splits: dict[str, int],
    shape: tuple[int, int, int],
    *,
    empty: tuple[int, ...] = (),
    smallest: tuple[int, int] | None = None,
    classes: int = 3,
) -> None:
    parts, start = [], 0
    for split, count in splits.items():
        parts.append(Split(name=split, start=start, stop=start + count))
        start += count
    sizes = [shape[1:]] * start
    sizes[-1] = smallest or shape[1:]
    manifest = MapManifest(
        dataset=name,
        stand_in=name.endswith("_standin"),
        image=ImageShape(channels=shape[0], height=shape[1], width=shape[2]),
        count=start,
        classes=tuple(f"class {number}" for number in range(classes)),
        splits=tuple(parts),
        maps=LabelMaps(scale=0.5, least_side=8, tiles=None),
        images=ImagesRecord(**RECORD, shape=(start, *shape)),
        labels=LabelMapsRecord(**RECORD, shape=(start, *shape[1:])),
        names=tuple(str(number) for number in range(start)),
        sizes=tuple(sizes),
        empty=empty,
    )
    (root / "data/prepared" / name).mkdir(parents=True)
    write_record(root / "data/prepared" / name / "data.json", manifest)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    describe(tmp_path, "mnist", {"train": 10, "test": 5}, (1, 28, 28))
    describe_maps(
        tmp_path, "cocostuff3", COCO3, (3, 211, 211), empty=(7, 36_000), smallest=(128, 140)
    )
    describe_maps(tmp_path, "cocostuff15_standin", {"train": 90, "val": 30}, (3, 40, 40))
    describe_maps(tmp_path, "potsdam3", POTSDAM, (4, 200, 200), empty=tuple(range(3150)))
    return tmp_path


def plan() -> Plan:
    made = plan_of(
        {
            "mnist": "mnist", "cocostuff3": "cocostuff3", "cocostuff15": "cocostuff15_standin",
            "potsdam3": "potsdam3",
        },
        run("mnist/iic", head_a=(), head_b=()),
        run("cocostuff3/iic", head_a=(), head_b=()),
        run("cocostuff3/iic_star", ("val",), head=("train",)),
        run("cocostuff15_standin/iic", head_a=(), head_b=()),
        run("potsdam3/iic", LABELLED, head_a=(), head_b=()),
        run("potsdam3/iic-lam_1", LABELLED[:1], head_a=(), head_b=()),
        run("potsdam3/iic_star", ("labelled_test",), head=UNSUPERVISED),
    )  # fmt: skip
    maps = entry("cocostuff3")
    segmented = dict.fromkeys(("cocostuff3", "cocostuff15_standin", "potsdam3"), maps)
    return replace(made, datasets=segmented, listings={"supp_table_6": LISTING})


def test_sizes_are_the_papers(root: Path) -> None:
    built = build(plan(), "supp_table_6", root)
    lines = list(csv.DictReader(io.StringIO(built.csv.decode())))
    shown = [
        (one["dataset"], one["data"], one["method"], one["run"], one["train"], one["test"])
        for one in lines
    ]
    # docs/spec/images.md#image-counts
    assert shown == [
        ("cocostuff3", "real", "IIC", "cocostuff3/iic", "36660", "36660"),
        ("cocostuff3", "real", "IIC*", "cocostuff3/iic_star", "35228", "1432"),
        ("cocostuff15_standin", "stand-in", "IIC", "cocostuff15_standin/iic", "120", "120"),
        ("cocostuff15_standin", "stand-in", "IIC*", "", "", ""),
        ("potsdam3", "real", "IIC", "potsdam3/iic", "8550", "5400"),
        ("potsdam3", "real", "IIC*", "potsdam3/iic_star", "7695", "855"),
    ]
    assert [one["status"] for one in lines] == ["counted"] * 3 + ["not_run"] + ["counted"] * 2
    assert [one["test_without_class"] for one in lines] == ["2", "1", "0", "", "0", "0"]
    assert (lines[0]["smallest"], lines[0]["largest"]) == ("128x140", "211x211")
    text = built.md.decode()
    row = "| COCO-Stuff-3 | real | 128–211×140–211 RGB | 3 | 36,660 | 36,660 | 35,228 | 1,432 |"
    assert row in text
    assert (
        "| Potsdam-3 | real | 200×200 RGB and infrared | 3 | 8,550 | 5,400 | 7,695 | 855 |" in text
    )
    assert "| COCO-Stuff: cocostuff15\\_standin | stand-in | 40×40 RGB |" in text
    assert "cocostuff3: 2 of the 36,660 test images of IIC have no pixel of a class." in text
    assert b"8,550" in built.tex and "mnist" not in text


def test_without_splits_in_the_settings_all_labelled_ones_are_scored(root: Path) -> None:
    manifest = read_record(root / "data/prepared/potsdam3/data.json", MapManifest)
    assert labelled(manifest) == LABELLED
    made = plan()
    made.runs["potsdam3/iic"] = run("potsdam3/iic", (), head_a=(), head_b=())
    line = build(made, "supp_table_6", root).csv.decode().splitlines()[5]
    assert "potsdam3/iic,unlabelled_train+labelled_train+labelled_test,8550," in line
    assert ",labelled_train+labelled_test,5400,0,counted" in line


def test_table_5_leaves_them_out_and_table_6_the_others(root: Path) -> None:
    other = LISTING.model_copy(update={"module": "iic.publish.dataset_sizes"})
    made = replace(plan(), listings={"supp_table_5": other})
    lines = dataset_sizes.build(made, "supp_table_5", root).csv.decode().splitlines()
    assert [line.split(",")[1] for line in lines[1:]] == ["mnist", "mnist"]


def test_sources_are_the_descriptions(root: Path) -> None:
    series = build(plan(), "supp_table_6", root).sources.series
    assert [one.files[0].path for one in series] == [
        f"data/prepared/{name}/data.json"
        for name in ("cocostuff3", "cocostuff15_standin", "potsdam3")
    ]


def test_dataset_that_is_not_prepared(root: Path) -> None:
    (root / "data/prepared/potsdam3/data.json").unlink()
    with pytest.raises(RecordError, match=r"data/prepared/potsdam3/data.json: missing"):
        build(plan(), "supp_table_6", root)
