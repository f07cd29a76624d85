"""Crates: what stands in one is what the receipts say, and nothing is claimed that is not there."""

from __future__ import annotations

import filecmp
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from iic.cli.app import app
from iic.params.datasets import find_dataset
from iic.params.errors import IICError, SettingsError
from iic.params.runs import plan
from iic.provenance.audit.run import verify
from iic.provenance.audit.tree import Tree
from iic.provenance.crate.errors import CrateError
from iic.provenance.crate.export import default_place, export
from iic.provenance.jobs import Job
from iic.records.files import read_record, sha256_file, write_record
from iic.records.receipt import Receipt
from tests.conftest import ROOT, clone_to, run_in
from tests.provenance.crate_helpers import Entity, entities, named, of_type

LAPTOP = Path("results/laptop")
TABLE = LAPTOP / "tables/table_1.csv"


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with the results of scale laptop as they stand in git, without data. Read only."""
    clone = clone_to(tmp_path_factory.mktemp("measured") / "clone")
    for name in ("CITATION.cff", "LICENSE"):
        shutil.copy2(ROOT / name, clone / name)
    shutil.copytree(ROOT / LAPTOP, clone / LAPTOP)
    return clone


@pytest.fixture
def laptop(measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to do anything to, as the working directory."""
    clone = Path(shutil.copytree(measured, tmp_path / "clone"))
    monkeypatch.chdir(clone)
    return clone


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
    found = Tree(plan("laptop"), measured).present
    assert {job.rule for job, _ in found} == {"train", "evaluate", "tabulate", "draw"}
    return found


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


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
                (one["name"], one["sha256"], one["contentSize"])
                for one in (graph[identifier] for identifier in named(action[key]))
                if one["@type"] == "File" and not one["name"].startswith("settings ")
            }
            assert told == {(one.path, one.sha256, str(one.size)) for one in records}


def test_an_action_names_its_code_packages_machine_and_lock_file(
    graph: dict[str, Entity], jobs: list[tuple[Job, Receipt]]
) -> None:
    locks = {graph[one]["sha256"] for one in named(graph["Snakefile"]["buildInstructions"])}
    for job, receipt in jobs:
        action = action_of(graph, job)
        tool = graph[action["instrument"]["@id"]]
        assert tool["name"] == f"iic {receipt.rule}"
        code = graph[tool["isBasedOn"]["@id"]]
        assert code["version"] == receipt.code.commit
        assert tool["softwareVersion"].endswith(".dirty") == receipt.code.dirty
        packages = {
            graph[one]["name"]: graph[one]["softwareVersion"]
            for one in named(tool["softwareRequirements"])
        }
        assert packages == {"python": receipt.environment.python, **receipt.environment.packages}
        machine = graph[action["location"]["@id"]]
        facts = {
            graph[one]["name"]: graph[one]["value"] for one in named(machine["additionalProperty"])
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
            graph[one]["name"]: graph[one]["value"]
            for one in named(action["object"])
            if graph[one]["@type"] == "PropertyValue"
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
    assert [graph[one]["name"] for one in named(paper["author"])] == [
        "Xu Ji", "João F. Henriques", "Andrea Vedaldi"
    ]  # fmt: skip


def test_the_address_of_the_code_is_that_of_the_citation_file(laptop: Path) -> None:
    with Path("CITATION.cff").open("a") as file:
        file.write("repository-code: https://example.org/iic\n")
    export(LAPTOP, Path("out"))
    graph = entities(Path("out"))
    verbs = [one for one in of_type(graph, "SoftwareApplication") if one["name"][:4] == "iic "]
    assert verbs
    for one in (graph["Snakefile"], *verbs):
        assert one["url"] == "https://example.org/iic"


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
    place = default_place("laptop", zipped=False)
    assert str(place) in done.output
    assert (place / "ro-crate-metadata.json").is_file()
    assert verify(plan("laptop")) == []
    assert f"/{place.parts[0]}/" in (ROOT / ".gitignore").read_text().splitlines()
    assert [path.name for path in place.parent.iterdir()] == ["laptop"], "nothing temporary is left"


def test_what_lies_there_is_replaced_only_on_demand_and_only_if_it_is_a_crate(laptop: Path) -> None:
    export(LAPTOP, Path("out"))
    (Path("out") / "README.md").write_text("mine")
    with pytest.raises(CrateError, match=r"out: is there already; --force"):
        export(LAPTOP, Path("out"))
    assert (Path("out") / "README.md").read_text() == "mine"
    export(LAPTOP, Path("out"), force=True)
    assert (Path("out") / "README.md").read_text() != "mine"
    Path("thesis").mkdir()
    Path("thesis/chapter.tex").write_text("years of work")
    Path("photos.zip").write_bytes(b"PK")
    for place, zipped in ((Path("thesis"), False), (Path("photos.zip"), True)):
        with pytest.raises(CrateError, match="is no crate, so it is left alone"):
            export(LAPTOP, place, zipped=zipped, force=True)
    assert Path("thesis/chapter.tex").read_text() == "years of work"


def test_results_that_do_not_verify_are_refused_and_the_file_is_named(laptop: Path) -> None:
    TABLE.write_text(TABLE.read_text().replace("9", "8", 1))
    with pytest.raises(CrateError, match="do not verify") as error:
        export(LAPTOP, Path("out"))
    assert str(TABLE) in str(error.value)
    assert "iic audit --scale laptop" in str(error.value)
    assert not Path("out").exists()


def test_unverified_results_say_so_in_the_crate_and_lie_about_no_file(laptop: Path) -> None:
    before = sha256_file(TABLE)
    TABLE.write_text(TABLE.read_text().replace("9", "8", 1))
    assert export(LAPTOP, Path("out"), unverified=True).failures == 1
    graph = entities(Path("out"))
    assert graph["./"]["creativeWorkStatus"] == "not verified"
    assert "NOT VERIFIED" in graph["./"]["description"]
    text = Path("out/README.md").read_text()
    assert "NOT VERIFIED" in text and f"altered: {TABLE}" in text
    assert str(TABLE) not in graph
    assert graph[f"#not-in-crate/{TABLE}"]["sha256"] == before


def test_even_wreckage_can_be_exported_unverified_and_each_loss_is_named(laptop: Path) -> None:
    run = LAPTOP / "runs/mnist"
    lost, torn, gone = run / "iic/seed0/run.json", run / "vae/seed0/run.json", TABLE
    lost.unlink()
    torn.write_text(torn.read_text()[:200])
    gone.unlink()
    export(LAPTOP, Path("out"), unverified=True)
    text = Path("out/README.md").read_text()
    for path in (lost, torn, gone):
        assert str(path) in text
    graph = entities(Path("out"))
    assert "#job/train/laptop/mnist/iic/0" not in graph
    assert set(named(graph["./"]["hasPart"])) == files_in(Path("out")) - {"ro-crate-metadata.json"}
    assert not (Path("out") / torn).exists(), "no job stands for it"
    assert "missing" in graph[f"#not-in-crate/{gone}"]["description"]


def test_wrong_folders_are_named(laptop: Path) -> None:
    with pytest.raises(SettingsError, match="did you mean: laptop"):
        export(Path("results/labtop"))
    for wrong in ("tables", "results", "results/laptop/tables", "/tmp/laptop", "laptop"):
        with pytest.raises(CrateError, match="is no folder of results"):
            export(Path(wrong))
    with pytest.raises(CrateError, match=r"results/mini: no such folder"):
        export(Path("results/mini"))
    Path("results/mini").mkdir()
    with pytest.raises(CrateError, match=r"no receipt of scale 'mini'.*iic run --scale mini"):
        export(Path("results/mini"))
    assert not Path("scratch").exists() or not list(Path("scratch").rglob("*"))


@pytest.mark.parametrize("place", ["results/laptop/tables/crate", "iic/crate", ".", "data/crate"])
def test_a_crate_does_not_go_where_the_clone_keeps_other_things(laptop: Path, place: str) -> None:
    with pytest.raises(CrateError, match="does not go there"):
        export(LAPTOP, Path(place))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("license: MIT", ""), "license: missing"),
        (lambda text: text.replace("version: 0.1.0", ""), "version: missing"),
        (lambda text: text.replace("  - name: The IIC reproduction authors", ""), "authors"),
        (lambda _: "- a list", "holds no keys"),
        (lambda _: None, "no such file"),
    ],
)
def test_a_wrong_citation_file_is_named(laptop: Path, change: object, said: str) -> None:
    file = Path("CITATION.cff")
    text = change(file.read_text())  # type: ignore[operator]
    file.unlink()
    if text is not None:
        file.write_text(text)
    with pytest.raises(IICError, match=rf"CITATION\.cff: .*{said}"):
        export(LAPTOP, Path("out"))
    assert not Path("out").exists()


LIMITED = """
import resource, sys
from iic.cli.app import main
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sys.argv = ["iic", "export", "rocrate", "results/laptop", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize(("words", "limit"), [([], 100_000), (["--zip"], 1_000_000)])
def test_a_full_disk_leaves_nothing_and_an_earlier_crate_alone(
    laptop: Path, words: list[str], limit: int
) -> None:
    place = default_place("laptop", zipped=bool(words))
    export(LAPTOP, zipped=bool(words))
    entry = place if words else place / "ro-crate-metadata.json"
    before = sha256_file(entry)
    done = run_in(laptop, "-c", LIMITED, str(limit), *words, "--force")
    assert done.returncode == 1
    assert f"error: {place}: cannot be written: File too large" in done.stderr
    assert sha256_file(entry) == before
    assert [path.name for path in place.parent.iterdir()] == [place.name]


def test_a_lock_file_that_has_changed_since_comes_from_the_commit_of_its_job(laptop: Path) -> None:
    lock = Path("requirements.lock")
    old = lock.read_bytes() + b"# as it was\n"
    lock.write_bytes(old)
    person = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for words in (("init", "-q"), ("add", str(lock)), (*person, "commit", "-qm", "a")):
        subprocess.run(["git", *words], check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout
    digest = sha256_file(lock)
    lock.write_bytes(old + b"# as it is\n")
    path = TABLE.with_suffix(".run.json")
    receipt = read_record(path, Receipt)
    changed = receipt.model_copy(
        update={
            "environment": receipt.environment.model_copy(update={"lock": digest}),
            "code": receipt.code.model_copy(update={"commit": commit.strip()}),
        }
    )
    write_record(path, changed.sealed())
    export(LAPTOP, Path("out"))
    assert (Path("out/locks") / f"{digest}.lock").read_bytes() == old
    graph = entities(Path("out"))
    assert f"locks/{digest}.lock" in named(graph["Snakefile"]["buildInstructions"])
