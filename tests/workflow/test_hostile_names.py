"""Names that a shell would obey: refused by the settings, or passed on without harm.

Each tries to make a file called `canary`; none may ever lie anywhere.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from iic.params.config import read_config
from iic.params.datasets import load_catalogue
from iic.params.errors import SettingsError
from iic.params.runs import load_plan
from iic.records.paths import RunPaths
from tests.workflow.workflow_helpers import ROOT, Finished, contents, copy, edit, iic, snakemake

HOSTILE = (
    "a; touch canary", "$(touch canary)", "`touch canary`", "a && touch canary", "a | touch canary",
    "a\ntouch canary", "'; touch canary; '", '"; touch canary; "', "../canary", "/tmp/canary",
    "-rf", "--version", "{canary}", "a b", "\u202e", "",
)  # fmt: skip


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "params", tmp_path / "params"))


def change(path: Path, *keys: str, to: object) -> None:
    """Replace one value of a YAML file."""
    content = yaml.safe_load(path.read_text())
    place = content
    for key in keys[:-1]:
        place = place[int(key) if isinstance(place, list) else key]
    place[keys[-1]] = to
    path.write_text(yaml.safe_dump(content))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_scale_is_refused(params: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="is no scale"):
        read_config({"scale": name}, params)
    # and where somebody has made a file of that name
    if name and "/" not in name:
        change(params / "scales/smoke.yaml", "name", to=name)
        (params / "scales/smoke.yaml").rename(params / "scales" / f"{name}.yaml")
        with pytest.raises(SettingsError, match="name"):
            load_plan(name, params)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_dataset_is_refused(params: Path, name: str) -> None:
    catalogue = yaml.safe_load((params / "datasets.yaml").read_text())
    (params / "datasets.yaml").write_text(yaml.safe_dump({name: catalogue["digits"]}))
    with pytest.raises(SettingsError, match="is no name for a dataset"):
        load_catalogue(params / "datasets.yaml")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_run_or_table_is_refused(params: Path, name: str) -> None:
    path = params / "experiments/table_1.yaml"
    before = path.read_text()
    position = next(
        number for number, row in enumerate(yaml.safe_load(before)["rows"]) if row.get("run")
    )
    change(path, "rows", str(position), "run", to=name)
    with pytest.raises(SettingsError, match=rf"rows\.{position}\.run"):
        load_plan("smoke", params)
    path.write_text(before)
    change(path, "name", to=name)
    with pytest.raises(SettingsError, match="name"):
        load_plan("smoke", params)
    path.write_text(before)
    change(params / "scales/mini.yaml", "datasets", "mnist", to=name)
    with pytest.raises(SettingsError, match="datasets"):
        load_plan("smoke", params)


def no_canary(*places: Path) -> None:
    for place in places:
        assert not list(place.rglob("*canary")), place


def test_snakemake_asked_for_hostile_things_runs_none_of_them(tiny_copy: Path) -> None:
    before = contents(tiny_copy / "results")
    for name in ("$(touch canary)", "a; touch canary"):
        said = snakemake(tiny_copy, scale=name, expect=1).said
        assert "is no scale" in said and "Traceback" not in said
    target = "results/tiny/runs/digits/kmeans;touch canary/seed0/run.json"
    assert "is no target of" in snakemake(tiny_copy, target, scale="tiny", expect=1).said
    assert contents(tiny_copy / "results") == before
    no_canary(tiny_copy)


@pytest.mark.long
def test_a_clone_and_a_mirror_in_folders_of_hostile_names_work(
    tiny: Finished, tmp_path: Path
) -> None:
    clone = tmp_path / 'it\'s a "clone" ; touch canary $(touch canary) `touch canary` {x} & \\ ü'
    copy(tiny.path, clone)
    mirror = tmp_path / 'mirror\'; touch canary; $(touch canary) "x" & y'
    shutil.move(clone / "data/raw/digits", mirror / "digits")
    for left in ("results/tiny", ".snakemake", "data", "logs"):
        shutil.rmtree(clone / left)
    # as other datasets are: no package has it, so the mirror is asked
    edit(
        clone / "params/datasets.yaml",
        "embedded: {package: sklearn, path: datasets/data/digits.csv.gz}",
        "mirrors: ['http://127.0.0.1:9/']",
    )
    snakemake(clone, scale="tiny", config=[f"mirror={mirror}"])
    said = iic(clone, "audit", "--scale", "tiny").said
    assert "verified: every number follows from the raw data" in said
    place = RunPaths("tiny", "digits/kmeans", 0)
    for path in (place.assignments, place.evaluation, place.weights):
        assert (clone / path).read_bytes() == (tiny.path / path).read_bytes()
    no_canary(tmp_path)
    assert not (ROOT / "canary").exists() and not Path("/tmp/canary").exists()
