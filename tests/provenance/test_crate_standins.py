"""Crates of results on stand-ins, with data and artifacts at hand."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from iic.params.runs import load_plan
from iic.provenance.crate.errors import CrateError
from iic.provenance.crate.export import export
from iic.records.files import sha256_file
from tests.conftest import ROOT, SCALE
from tests.provenance.crate_helpers import entities, named, of_type


@pytest.fixture(scope="module")
def smoke(
    finished_tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Path]]:
    clone = Path(shutil.copytree(finished_tree, tmp_path_factory.mktemp("smoke") / "clone"))
    for name in ("CITATION.cff", "LICENSE"):
        shutil.copy2(ROOT / name, clone / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(clone)
        # the plan of this clone, which has a seed more
        load_plan.cache_clear()
        export(Path(f"results/{SCALE}"), clone.parent / "crate")
        export(Path(f"results/{SCALE}"), clone.parent / "whole", artifacts=True)
        yield clone.parent / "crate", clone.parent / "whole"
    load_plan.cache_clear()


def test_stand_ins_say_so_in_the_crate_the_dataset_and_the_jobs(smoke: tuple[Path, Path]) -> None:
    graph = entities(smoke[0])
    for text in (graph["./"]["description"], (smoke[0] / "README.md").read_text()):
        assert "STAND-IN DATA" in text
    datasets = {
        one["alternateName"]: one for one in of_type(graph, "Dataset") if one["@id"] != "./"
    }
    assert datasets["digits"]["description"].startswith("1,797")
    made_up = {name for name in datasets if name.endswith("_standin")}
    assert made_up
    for name in made_up:
        assert datasets[name]["description"].startswith("STAND-IN DATA")
    for action in of_type(graph, "CreateAction"):
        if "/train/" in action["@id"]:
            said = action["description"].startswith("Stand-in data")
            assert said == ("_standin/" in action["@id"])


def test_data_are_described_by_their_jobs_and_no_byte_of_them_goes_in(
    smoke: tuple[Path, Path],
) -> None:
    for crate in smoke:
        names = {path.name for path in (crate / "data").rglob("*") if path.is_file()}
        assert names == {"files.json", "files.run.json", "data.json", "data.run.json"}
    graph = entities(smoke[0])
    made = named(graph["#job/download/digits"]["result"])
    assert "#not-in-crate/data/raw/digits/digits.csv.gz" in made
    assert set(made) <= set(graph)
    raw = graph["#not-in-crate/data/raw/digits/digits.csv.gz"]
    assert raw["license"] == "CC BY 4.0"
    assert "sklearn" in raw["description"]
    roles = set(named(raw["exampleOfWork"]))
    assert {"#parameter/download/outputs", "#parameter/prepare/inputs"} <= roles


def test_weights_go_in_when_they_are_asked_for(smoke: tuple[Path, Path]) -> None:
    bare, whole = smoke
    weights = f"results/{SCALE}/artifacts/digits/iic/seed0/weights.safetensors"
    assert not (bare / weights).exists()
    assert f"#not-in-crate/{weights}" in entities(bare)
    graph = entities(whole)
    assert graph[weights]["sha256"] == sha256_file(whole / weights)
    assert weights in named(graph["./"]["hasPart"])


def test_data_alone_are_no_results(smoke: tuple[Path, Path]) -> None:
    Path("results/mini").mkdir()
    with pytest.raises(CrateError, match=r"no receipt of scale 'mini'"):
        export(Path("results/mini"), smoke[0].parent / "mini")
    assert not (smoke[0].parent / "mini").exists()
