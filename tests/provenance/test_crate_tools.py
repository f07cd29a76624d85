"""Crates in the tools of others: `runcrate` reads them, and `rocrate-validator` accepts them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iic.params.runs import load_plan
from iic.provenance.audit.tree import Tree
from iic.provenance.crate.export import export
from tests.conftest import ROOT, SCALE, clone_to
from tests.provenance.crate_helpers import named, needs_tools, report, validate

pytestmark = needs_tools

UNKNOWN = {
    "process-run-crate-0.5_8.6": "receipts do not say which person started a job",
    "process-run-crate-0.5_3.2": "the code has no address on the web yet",
    "process-run-crate-0.5_5.1": "nor have its verbs, so their identifiers are local",
    "workflow-ro-crate-1.0_8.1": "the Bioschemas profile asks for that address too",
    "ro-crate-1.1_22.3": "nobody has published the crate",
    "ro-crate-1.1_30.2": "the paper's authors stand without their affiliation in CITATION.cff",
    "ro-crate-1.1_30.3": "the same",
    "ro-crate-1.1_31.2": "CITATION.cff has no address of the authors",
}
"""Recommendations that a crate does not follow, since it would have to make something up."""


def crate_of(scale: str, target: Path, source: Path, **options: Any) -> Path:
    for name in ("CITATION.cff", "LICENSE"):
        shutil.copy2(ROOT / name, source / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(source)
        load_plan.cache_clear()
        export(Path(f"results/{scale}"), target, **options)
    load_plan.cache_clear()
    return target


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clone_folder = clone_to(tmp_path_factory.mktemp("clone") / "clone")
    shutil.copytree(ROOT / "results/laptop", clone_folder / "results/laptop")
    return clone_folder


@pytest.fixture(scope="module")
def crate(clone: Path) -> Path:
    return crate_of("laptop", clone.parent / "crate", clone)


def unmet(text: str) -> set[str]:
    """Identifiers of the checks that failed."""
    return set(re.findall(r"[a-z-]*crate-[\d.]+_\d+\.\d+", text))


def test_runcrate_reports_every_job_with_its_step_tool_values_and_files(
    crate: Path, clone: Path
) -> None:
    text = report(crate)
    actions = [action for action in text.split("action: ") if action]
    jobs = Tree(load_plan("laptop"), clone).present
    assert len(actions) == len(jobs) + 1
    assert actions[0].startswith("#workflow-run/laptop")
    trained = next(
        action for action in actions if action.startswith("#job/train/laptop/mnist/iic/0")
    )
    for line in (
        "step: #step/train",
        "mnist/iic <- #parameter/train/run",
        "0.0001 <- #parameter/train/settings.optimiser.learning_rate",
        "#not-in-crate/data/prepared/mnist/images.npy <- #parameter/train/inputs",
        "results/laptop/runs/mnist/iic/seed0/history.jsonl <- #parameter/train/outputs",
    ):
        assert f"  {line}\n" in trained


@pytest.mark.long
def test_the_validator_misses_only_what_nobody_knows(crate: Path) -> None:
    done = validate(crate, "recommended")
    assert unmet(done.stdout) == set(UNKNOWN), done.stdout[-3000:] + done.stderr[-1000:]


def test_the_validator_accepts_a_zip_file(clone: Path) -> None:
    place = crate_of("laptop", clone.parent / "crate.zip", clone, zipped=True)
    done = validate(place)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "is a valid provenance-run-crate-0.5" in done.stdout
    assert report(place).count("action: ") > 20


def without_instrument(graph: dict[str, Any]) -> None:
    del graph["#job/train/laptop/mnist/iic/0"]["instrument"]


def without_licence(graph: dict[str, Any]) -> None:
    del graph["./"]["license"]


def with_an_unknown_term(graph: dict[str, Any]) -> None:
    graph["./"]["trustworthiness"] = "high"


def with_a_file_that_is_not_there(graph: dict[str, Any]) -> None:
    graph["./"]["hasPart"].append({"@id": "results/laptop/tables/table_9.csv"})
    graph["results/laptop/tables/table_9.csv"] = {
        "@id": "results/laptop/tables/table_9.csv",
        "@type": "File",
    }


def test_the_validator_refuses_a_crate_that_is_broken_and_names_each_fault(
    crate: Path, tmp_path: Path
) -> None:
    faults: list[tuple[Callable[[dict[str, Any]], None], str]] = [
        (without_instrument, "MUST have an instrument property"),
        (without_licence, "MUST have a `license` property"),
        (with_an_unknown_term, "trustworthiness"),
        (with_a_file_that_is_not_there, "does not include the Data Entity"),
    ]
    broken = Path(shutil.copytree(crate, tmp_path / "broken"))
    file = broken / "ro-crate-metadata.json"
    content = json.loads(file.read_text())
    graph = {entity["@id"]: entity for entity in content["@graph"]}
    for fault, _ in faults:
        fault(graph)
    file.write_text(json.dumps({**content, "@graph": [*graph.values()]}))
    done = validate(broken)
    assert done.returncode == 1
    said = " ".join(re.sub(r"[│\s]+", " ", done.stdout).split())
    for _, words in faults:
        assert words in said, done.stdout[-5000:]


@pytest.mark.long
def test_the_validator_accepts_a_crate_with_stand_ins_data_and_weights(
    finished_tree: Path, tmp_path: Path
) -> None:
    clone = Path(shutil.copytree(finished_tree, tmp_path / "clone"))
    place = crate_of(SCALE, tmp_path / "crate", clone, artifacts=True)
    done = validate(place, "recommended")
    assert unmet(done.stdout) == set(UNKNOWN), done.stdout[-3000:]
    graph = json.loads((place / "ro-crate-metadata.json").read_text())["@graph"]
    root = next(entity for entity in graph if entity["@id"] == "./")
    assert report(place).count("action: ") == sum(
        identifier.startswith(("#job/", "#workflow-run/")) for identifier in named(root["mentions"])
    )
