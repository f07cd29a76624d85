"""Crates: what stands in one is what the receipts say, and nothing is claimed that is not there."""

from __future__ import annotations

import filecmp
import json
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from iic.cli.app import app
from iic.params.datasets import find_dataset
from iic.params.runs import load_plan
from iic.provenance.audit.run import verify
from iic.provenance.audit.tree import Tree
from iic.provenance.crate.export import default_place, export
from iic.provenance.jobs import Job
from iic.records.files import sha256_file
from iic.records.receipt import Receipt
from tests.conftest import ROOT
from tests.provenance.crate_helpers import LAPTOP, Entity, entities, files_in, named, of_type


@pytest.fixture(scope="module")
def crate(measured: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The crate of `measured`. Read only."""
    out = tmp_path_factory.mktemp("crate") / "laptop"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(measured)
        export(LAPTOP, out)
    return out


@pytest.fixture(scope="module")
def graph(crate: Path) -> dict[str, Entity]:
    return entities(crate)


@pytest.fixture(scope="module")
def jobs(measured: Path) -> list[tuple[Job, Receipt]]:
    present = Tree(load_plan("laptop"), measured).present
    assert {job.rule for job, _ in present} == {"train", "evaluate", "tabulate", "draw"}
    return present


def action_of(graph: dict[str, Entity], job: Job) -> Entity:
    return graph["/".join(["#job", job.rule, *job.wildcards.values()])]


def test_every_receipt_is_an_action_with_what_went_in_and_came_out(
    graph: dict[str, Entity], jobs: list[tuple[Job, Receipt]]
) -> None:
    assert len([*of_type(graph, "CreateAction")]) == len(jobs) + 1
    for job, receipt in jobs:
        action = action_of(graph, job)
        assert named(action["subjectOf"]) == [str(job.receipt)]
        assert action["startTime"][:19] == receipt.timing.start.isoformat()[:19]
        assert action["endTime"][:19] == receipt.timing.end.isoformat()[:19]
        for records, key in ((receipt.inputs, "object"), (receipt.outputs, "result")):
            told = {
                (entity["name"], entity["sha256"], entity["contentSize"])
                for entity in (graph[identifier] for identifier in named(action[key]))
                if entity["@type"] == "File" and not entity["name"].startswith("settings ")
            }
            assert told == {(record.path, record.sha256, str(record.size)) for record in records}


def test_an_action_names_its_code_packages_machine_and_lock_file(
    graph: dict[str, Entity], jobs: list[tuple[Job, Receipt]]
) -> None:
    locks = {
        graph[identifier]["sha256"] for identifier in named(graph["Snakefile"]["buildInstructions"])
    }
    for job, receipt in jobs:
        action = action_of(graph, job)
        tool = graph[action["instrument"]["@id"]]
        assert tool["name"] == f"iic {receipt.rule}"
        code = graph[tool["isBasedOn"]["@id"]]
        assert code["version"] == receipt.code.commit
        assert tool["softwareVersion"].endswith(".dirty") == receipt.code.dirty
        packages = {
            graph[identifier]["name"]: graph[identifier]["softwareVersion"]
            for identifier in named(tool["softwareRequirements"])
        }
        assert packages == {"python": receipt.environment.python, **receipt.environment.packages}
        machine = graph[action["location"]["@id"]]
        facts = {
            graph[identifier]["name"]: graph[identifier]["value"]
            for identifier in named(machine["additionalProperty"])
        }
        assert facts["cpu"] == receipt.environment.cpu
        assert receipt.environment.lock in locks


def test_settings_are_a_file_with_the_hash_of_the_receipt_and_values_of_the_trainings(
    crate: Path, graph: dict[str, Entity], jobs: list[tuple[Job, Receipt]]
) -> None:
    for job, receipt in jobs:
        action = action_of(graph, job)
        path = f"settings/{receipt.settings_sha256}.json"
        assert path in named(action["object"])
        assert sha256_file(crate / path) == receipt.settings_sha256
        assert json.loads((crate / path).read_text()) == receipt.fingerprint.settings
        values = {
            graph[identifier]["name"]: graph[identifier]["value"]
            for identifier in named(action["object"])
            if graph[identifier]["@type"] == "PropertyValue"
        }
        assert {name: values[name] for name in receipt.wildcards} == receipt.wildcards
        if receipt.wildcards.get("run") == "mnist/iic" and receipt.rule == "train":
            settings = receipt.fingerprint.settings
            assert values["settings.schedule.epochs"] == settings["schedule"]["epochs"]
            assert values["settings.optimiser.learning_rate"] == 0.0001
            assert values["precision"] == "bfloat16"


def test_the_crate_holds_what_it_says_that_it_holds_and_nothing_else(
    crate: Path, graph: dict[str, Entity]
) -> None:
    parts = named(graph["./"]["hasPart"])
    assert set(parts) == files_in(crate) - {"ro-crate-metadata.json"}
    for part in parts:
        if part != "README.md":
            assert graph[part]["sha256"] == sha256_file(crate / part)
        assert graph[part]["contentSize"] == str((crate / part).stat().st_size)


def test_the_crate_has_tables_figures_receipts_code_settings_and_the_lock_file(
    crate: Path, measured: Path
) -> None:
    inside = files_in(crate)
    # the audit and the page are made from what the crate has, and say when they were made
    pages = {"audit.json", "audit.html", "report.html", "report.run.json"}
    own = {f"{LAPTOP}/{name}" for name in set(files_in(measured / LAPTOP)) - pages}
    assert own <= inside
    code = {
        name
        for name in files_in(measured)
        if name.split("/")[0] in ("iic", "params", "workflow") and "__pycache__" not in name
    }
    assert code <= inside
    assert {"Snakefile", "requirements.lock", "pyproject.toml", "CITATION.cff"} <= inside
    assert not [name for name in inside if "__pycache__" in name]


def test_weights_and_data_are_known_by_their_hash_and_not_claimed_to_be_there(
    crate: Path, graph: dict[str, Entity], jobs: list[tuple[Job, Receipt]]
) -> None:
    away = {
        record.path: record
        for _, receipt in jobs
        for record in (*receipt.inputs, *receipt.outputs)
        if record.path.startswith(("data/", f"{LAPTOP}/artifacts/"))
    }
    assert any(path.endswith(".safetensors") for path in away)
    assert any(path.endswith(".npy") for path in away)
    parts = set(named(graph["./"]["hasPart"]))
    for path, record in away.items():
        entity = graph[f"#not-in-crate/{path}"]
        assert (entity["sha256"], entity["contentSize"]) == (record.sha256, str(record.size))
        assert entity["description"].startswith("Not in this crate")
        assert not {path, entity["@id"]} & parts
    assert not (crate / "data").exists()
    assert not (crate / LAPTOP / "artifacts").exists()


def test_raw_data_have_their_sources_licence_and_checksum(graph: dict[str, Entity]) -> None:
    mnist = find_dataset("mnist", ROOT / "params/datasets.yaml")
    dataset = graph["#dataset/mnist"]
    assert (dataset["license"], dataset["url"]) == (mnist.licence, mnist.page)
    assert len(named(dataset["hasPart"])) == len(mnist.files)
    for file in mnist.files:
        entity = graph[f"#not-in-crate/data/raw/mnist/{file.name}"]
        assert (entity["sha256"], entity["contentSize"]) == (file.sha256, str(file.size))
        assert entity["contentUrl"] == [f"{mirror}{file.name}" for mirror in mnist.mirrors]
        assert entity["license"] == mnist.licence
        assert entity["@id"] in named(graph["#workflow-run/laptop"]["object"])


def test_licence_authors_and_paper_come_from_the_citation_file(graph: dict[str, Entity]) -> None:
    root = graph["./"]
    assert root["license"] == {"@id": "https://spdx.org/licenses/MIT"}
    assert graph[root["author"]["@id"]]["name"] == "The IIC reproduction authors"
    paper = graph[root["citation"]["@id"]]
    assert paper["name"].startswith("Invariant Information Clustering")
    assert [graph[identifier]["name"] for identifier in named(paper["author"])] == [
        "Xu Ji",
        "João F. Henriques",
        "Andrea Vedaldi",
    ]


def test_the_address_of_the_code_is_that_of_the_citation_file(laptop: Path) -> None:
    with Path("CITATION.cff").open("a") as file:
        file.write("repository-code: https://example.org/iic\n")
    export(LAPTOP, Path("out"))
    graph = entities(Path("out"))
    verbs = [verb for verb in of_type(graph, "SoftwareApplication") if verb["name"][:4] == "iic "]
    assert verbs
    for entity in (graph["Snakefile"], *verbs):
        assert entity["url"] == "https://example.org/iic"


def test_results_that_are_real_and_verify_say_so(crate: Path, graph: dict[str, Entity]) -> None:
    assert graph["./"]["creativeWorkStatus"] == "verified"
    for text in (graph["./"]["description"], (crate / "README.md").read_text()):
        assert "Verified at export" in text
        assert "STAND-IN" not in text


def test_two_exports_are_the_same_bytes_whatever_the_times_of_the_files(
    laptop: Path, crate: Path
) -> None:
    export(LAPTOP, Path("one.zip"), zipped=True)
    for path in laptop.rglob("*"):
        path.touch()
    export(LAPTOP, Path("other"))
    export(LAPTOP, Path("other.zip"), zipped=True)
    inside = files_in(crate)
    assert inside == files_in(Path("other"))
    _, different, wrong = filecmp.cmpfiles(crate, "other", inside, shallow=False)
    assert (different, wrong) == ([], [])
    assert Path("one.zip").read_bytes() == Path("other.zip").read_bytes()
    with zipfile.ZipFile("one.zip") as archive:
        assert set(archive.namelist()) == inside
        assert {name: archive.read(name) for name in inside} == {
            name: (crate / name).read_bytes() for name in inside
        }


def test_the_date_is_that_of_the_newest_receipt(
    graph: dict[str, Entity], jobs: list[tuple[Job, Receipt]]
) -> None:
    last = max(receipt.timing.end for _, receipt in jobs)
    assert graph["./"]["datePublished"] == last.date().isoformat()


def test_the_verb_writes_where_neither_git_nor_the_audit_looks(laptop: Path) -> None:
    done = CliRunner().invoke(app, ["export", "rocrate", "results/laptop/"], catch_exceptions=False)
    assert done.exit_code == 0
    target = default_place("laptop", zipped=False)
    assert str(target) in done.output
    assert (target / "ro-crate-metadata.json").is_file()
    assert verify(load_plan("laptop")) == []
    assert f"/{target.parts[0]}/" in (ROOT / ".gitignore").read_text().splitlines()
    assert [path.name for path in target.parent.iterdir()] == ["laptop"], (
        "nothing temporary is left"
    )
