"""``iic audit --rerun``: trainings that are repeated and compared with what the results say."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from iic.cli.app import app
from iic.params.datasets import Dataset
from iic.params.runs import load_plan
from iic.provenance import fingerprint
from iic.provenance.audit import preparation, rerun, workshop
from iic.provenance.audit.comparison import TRAINED, UNTRAINED, nearest, with_chance
from iic.provenance.audit.preparation import Preparations, checksums
from iic.provenance.audit.report import AuditReport, Finding, Reruns
from iic.provenance.audit.rerun import Repetitions, Request
from iic.provenance.audit.run import audit
from iic.provenance.audit.tree import Tree
from iic.provenance.audit.workshop import Repeated
from iic.provenance.jobs import Job
from iic.records.assignments import read_assignments, write_assignments
from iic.records.evaluation import Evaluation
from iic.records.files import read_record, sha256_file
from iic.records.paths import prepared_manifest
from iic.records.receipt import Environment, Receipt
from tests.conftest import ROOT, SCALE
from tests.provenance.audit_helpers import (
    ARTIFACTS,
    RESULTS,
    RUNS,
    flip,
    forge,
    replace,
    state,
    vouch,
)

IIC, KMEANS = RUNS / "iic/seed0", RUNS / "kmeans/seed0"
ONE = ("digits/kmeans", 0)


@pytest.fixture
def again(finished_tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeating a training gives what the untouched tree has, at no cost."""

    def copied(job: Job, receipt: Receipt, place: Path, root: Path, most: float) -> Repeated:
        for room in ("runs", "artifacts"):
            folder = RESULTS / room / job.wildcards["run"] / f"seed{job.wildcards['seed']}"
            shutil.copytree(finished_tree / folder, place / folder)
        return Repeated(1.0, None)

    def prepared(self: Preparations, dataset: str, entry: Dataset) -> None:
        shutil.copytree(
            finished_tree / prepared_manifest(dataset).parent,
            self.folder / prepared_manifest(dataset).parent,
        )

    monkeypatch.setattr(rerun, "repeat", copied)
    monkeypatch.setattr(Preparations, "make", prepared)


def only(monkeypatch: pytest.MonkeyPatch, *names: tuple[str, int]) -> None:
    """Leave no other trainings to choose from."""
    full = Repetitions._obstacle

    def obstacle(self: Repetitions, job: Job, receipt: Receipt) -> str | None:
        asked = (job.wildcards["run"], int(job.wildcards["seed"]))
        return full(self, job, receipt) if asked in names else "they are not meant"

    monkeypatch.setattr(Repetitions, "_obstacle", obstacle)


def repeated(**options: float | str) -> tuple[list[Finding], Reruns]:
    repetitions = Repetitions(Tree(load_plan(SCALE)), Request(**{"number": 1, **options}))  # type: ignore[arg-type]
    return list(repetitions.check()), repetitions.report


def of_failures(findings: list[Finding]) -> dict[str, str]:
    assert {finding.kind for finding in findings} <= {"rerun"}
    return {finding.path: finding.message for finding in findings if finding.level == "failure"}


def shuffle(path: Path, share: float) -> None:
    """Give a share of the images a cluster by chance, and let the receipt vouch for it."""
    random = np.random.default_rng(0)
    assignments = read_assignments(path)
    for checkpoint in assignments.values():
        chosen = random.random(len(checkpoint.clusters)) < share
        checkpoint.clusters.setflags(write=True)
        checkpoint.clusters[chosen] = random.permutation(checkpoint.clusters[chosen])
    labels = assignments["last"].labels
    write_assignments(path, {name: one.clusters for name, one in assignments.items()}, labels)
    vouch(path)


def test_untouched_trainings_come_out_with_the_same_bytes(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, ONE, ("digits/spectral", 0))
    before = state(tree)
    report = audit(load_plan(SCALE), rerun=Request(number=2))
    assert (report.verdict, report.exit_status) == ("verified", 0)
    assert report.reruns is not None
    trainings = report.reruns.trainings
    assert [training.run for training in trainings] == ["digits/kmeans", "digits/spectral"]
    for training in trainings:
        assert (training.outcome, training.other_machine, training.differences) == (
            "same bytes",
            [],
            [],
        )
        assert training.seconds > 0 and training.accuracies
    assert state(tree) == before, "nothing of the results is touched"
    assert not list(Path("scratch").glob("audit-*"))


@pytest.mark.long
def test_a_finetuning_is_repeated_from_the_weights_that_it_started_from(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, ("stl10_standin/finetune", 0))
    findings, report = repeated()
    assert of_failures(findings) == {}
    assert [training.outcome for training in report.trainings] == ["same bytes"]
    base = RESULTS / "artifacts/stl10_standin/iic_star-features/seed0/weights.safetensors"
    assert base.is_file() and not base.is_symlink()


def spoil_history() -> None:
    replace(IIC / "history.jsonl", '"steps": 0', '"steps": 7')
    vouch(IIC / "history.jsonl")


def spoil_weights() -> None:
    path = ARTIFACTS / "kmeans/seed0/weights.safetensors"
    flip(path, -1)
    vouch(path)


SPOILT: dict[str, tuple[Callable[[], None], Path, str]] = {
    "assignments": (lambda: shuffle(KMEANS / "assignments.parquet", 0.2),
                    KMEANS / "assignments.parquet", "sub_head_0 in "),
    "history": (spoil_history, IIC / "history.jsonl", "epoch 0, steps: 7 then, 0 now"),
    "weights": (spoil_weights, ARTIFACTS / "kmeans/seed0/weights.safetensors",
                "1 of 1 tensors differ, by up to "),
}  # fmt: skip


@pytest.mark.usefixtures("again")
@pytest.mark.parametrize("what", SPOILT)
def test_a_forgery_whose_receipts_all_agree_is_found(
    tree: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    spoil, path, words = SPOILT[what]
    run = path.parents[1].name
    only(monkeypatch, (f"digits/{run}", 0))
    spoil()
    findings, report = repeated()
    assert [training.outcome for training in report.trainings] == ["different"]
    failures = of_failures(findings)
    assert list(failures) == [str(path)]
    said = f"train digits/{run}/seed0, trained again on the same kind of machine, gives another "
    assert f"{said}{path.name}" in failures[str(path)]
    assert words in failures[str(path)]
    assert "label_free" in failures[str(path)], "what it means for the numbers"


def on_an_abacus(there: Environment) -> Environment:
    return there.model_copy(update={"cpu": "an abacus"})


def of_another_stepping(there: Environment) -> Environment:
    assert there.machine is not None
    processor = there.machine.processor.model_copy(update={"stepping": "-1"})
    machine = there.machine.model_copy(update={"processor": processor})
    return there.model_copy(update={"machine": machine})


def from_before(there: Environment) -> Environment:
    return there.model_copy(update={"machine": None})


@pytest.mark.usefixtures("again")
@pytest.mark.parametrize(
    ("share", "outcome", "change", "words"),
    [
        (0.02, "within tolerance", on_an_abacus, "cpu: an abacus then, "),
        (0.02, "within tolerance", of_another_stepping, "processor's stepping: -1 then, "),
        (0.02, "within tolerance", from_before, "libraries and their kernels: not recorded"),
        (0.5, "beyond tolerance", on_an_abacus, "cpu: an abacus then, "),
    ],
)
def test_between_machines_accuracies_count_and_not_bytes(
    tree: Path,
    monkeypatch: pytest.MonkeyPatch,
    share: float,
    outcome: str,
    change: Callable[[Environment], Environment],
    words: str,
) -> None:
    only(monkeypatch, ONE)
    shuffle(KMEANS / "assignments.parquet", share)
    machine = read_record(KMEANS / "run.json", Receipt).environment
    forge(KMEANS / "run.json", environment=change(machine))
    assert (
        CliRunner().invoke(app, ["evaluate", "--scale", SCALE, "--dataset", "digits"]).exit_code
        == 0
    )
    repetition, report = repeated(tolerance=3.0)
    (training,) = report.trainings
    assert training.outcome == outcome
    assert any(words in fact for fact in training.other_machine)
    (about,) = [finding for finding in repetition if "gives other bytes in" in finding.message]
    assert "other bytes in assignments.parquet, and what decides them differs: " in about.message
    assert words in about.message and "points are allowed" in about.message
    if outcome == "within tolerance":
        assert about.level == "note" and of_failures(repetition) == {}
    else:
        assert list(of_failures(repetition)) == [str(KMEANS / "evaluation.json")]
        assert "points are allowed" in about.message


@pytest.mark.usefixtures("again")
def test_the_sample_is_that_of_its_seed(tree: Path) -> None:
    def sample(nonce: str) -> list[tuple[str, int]]:
        findings, report = repeated(number=2, nonce=nonce)
        assert of_failures(findings) == {} and report.nonce == nonce
        return [(training.run, training.seed) for training in report.trainings]

    assert len(set(sample("a"))) == 2
    assert sample("a") == sample("a")
    assert len({tuple(sample(nonce)) for nonce in "abc"}) > 1
    assert Request(1).nonce != Request(1).nonce, "nobody knows beforehand what is drawn"


@pytest.mark.usefixtures("again")
def test_no_receipt_says_that_its_training_is_too_long(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, ONE)
    receipt = read_record(KMEANS / "run.json", Receipt)
    forge(KMEANS / "run.json", timing=receipt.timing.model_copy(update={"seconds": 1e6}))
    _, report = repeated()
    assert [training.outcome for training in report.trainings] == ["same bytes"]
    _, report = repeated(most_seconds=0.0)
    assert report.trainings == []
    assert "they are thought to take more than 0 s" in report.impossible


@pytest.mark.usefixtures("again")
def test_a_training_on_replaced_labels_is_found(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, ("digits/iic", 0))
    labels = Path("data/prepared/digits/labels.npy")
    np.save(labels, np.load(labels)[::-1])
    vouch(labels)
    inputs = [
        read.model_copy(update={"sha256": sha256_file(labels)})
        if read.path == str(labels)
        else read
        for read in read_record(IIC / "run.json", Receipt).inputs
    ]
    forge(IIC / "run.json", inputs=inputs)
    findings, _ = repeated()
    said = of_failures(findings)[str(IIC / "run.json")]
    assert f"was trained on another {labels}" in said and "than the raw bytes give" in said


def test_raw_files_are_those_of_the_commit(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checksum that is edited together with the raw file has no commit."""
    raw, entry = Path("data/raw/digits/digits.csv.gz"), load_plan(SCALE).datasets["digits"]
    (file,) = entry.raw_files
    flip(raw)
    for committed, words in (
        ({"digits/digits.csv.gz": "0" * 64}, "and the commit has 0000"),
        ({"digits/digits.csv.gz": file.checksum}, "is not the file of the catalogue"),
    ):
        monkeypatch.setattr(preparation, "checksums", lambda root, known=committed: known)
        wrong = Preparations(tree, tree / "scratch/none").make("digits", entry)
        assert wrong is not None and words in wrong
    known = checksums(ROOT)
    assert known is not None and known["digits/digits.csv.gz"] == file.checksum
    assert checksums(tree) is None, "no clone of its own"


def test_accuracies_that_nobody_measured_are_beyond_what_is_declared() -> None:
    """Scale laptop's IIC, raised from 97.61 to 99.27 with a processor of which nothing is known."""
    now = read_record(ROOT / "results/laptop/runs/mnist/iic/seed0/evaluation.json", Evaluation)
    for forged, beyond in ((99.27, True), (97.7, False)):
        own = nearest("label_free", forged, now)
        assert (abs(forged - own) > with_chance(TRAINED, own, now.n_scoring)) == beyond
    assert UNTRAINED < TRAINED < 2


def stale() -> None:
    replace(Path(f"params/scales/{SCALE}.yaml"), "restarts: 1", "restarts: 2")
    fingerprint.forget()


OBSTACLES: dict[str, tuple[tuple[str, int], Callable[[], object], str]] = {
    "raw data not here": (ONE, lambda: shutil.rmtree("data/raw/digits"),
                          "the raw data of digits are not here"),
    "no weights to start from": (
        ("stl10_standin/finetune", 0),
        lambda: shutil.rmtree(RESULTS / "artifacts/stl10_standin/iic_star-features"),
        "iic_star-features/seed0, which they start from, are not here"),
    "stale": (ONE, stale, "they are stale"),
}  # fmt: skip


@pytest.mark.usefixtures("again")
@pytest.mark.parametrize("what", OBSTACLES)
def test_what_cannot_be_repeated_is_said_with_its_reason(
    tree: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    training, act, reason = OBSTACLES[what]
    only(monkeypatch, training)
    act()
    findings, report = repeated()
    assert (report.possible, report.trainings) == (0, [])
    assert any(reason in name for name in report.impossible)
    assert {finding.level for finding in findings} == {"note"}
    text = " ".join(finding.message for finding in findings)
    assert reason in text and f"{training[0]}/seed{training[1]}" in text
    assert "1 re-runs were asked for, 0 are possible" in text


@pytest.mark.usefixtures("again")
def test_a_run_on_a_gpu_is_not_repeated_without_one(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = load_plan(SCALE).runs
    run = runs["digits/iic"]
    settings = run.settings.model_copy(update={"gpu": True})
    monkeypatch.setitem(runs, run.id, dataclasses.replace(run, settings=settings))
    monkeypatch.setattr(Tree, "drift", lambda *_: ([], None))
    monkeypatch.setattr(rerun, "gpus", lambda: 0)
    only(monkeypatch, ("digits/iic", 0))
    _, report = repeated()
    assert "they need a GPU, and there is none here" in report.impossible
    assert report.possible == 0


@pytest.mark.long
def test_gpus_are_those_that_torch_sees() -> None:
    import torch

    assert workshop.gpus() == torch.cuda.device_count()


def test_an_audit_that_repeated_nothing_does_not_look_clean(tree: Path) -> None:
    shutil.rmtree("data/raw")
    done = CliRunner().invoke(app, ["audit", "--scale", SCALE, "--no-infer", "--rerun", "3"])
    assert done.exit_code == 1
    assert "0 of 3 re-runs made, of 0 possible" in done.stdout
    assert "no training could be repeated" in done.stdout and "verified:" not in done.stdout
    written = read_record(RESULTS / "audit.json", AuditReport)
    assert written.verdict == "nothing re-run"
    assert written.reruns is not None and written.reruns.asked == 3


@pytest.mark.parametrize(
    ("done", "outcome", "level", "words"),
    [
        (Repeated(2.0, "exit status 1: error: out of luck"), "failed", "failure", "out of luck"),
        (Repeated(300.0, None, timed_out=True), "not compared", "note", "given up after 300 s"),
    ],
)
def test_a_training_that_does_not_end_well(
    tree: Path,
    monkeypatch: pytest.MonkeyPatch,
    done: Repeated,
    outcome: str,
    level: str,
    words: str,
) -> None:
    monkeypatch.setattr(rerun, "repeat", lambda *_: done)
    monkeypatch.setattr(Preparations, "make", lambda *_: None)
    only(monkeypatch, ONE)
    findings, report = repeated()
    assert [training.outcome for training in report.trainings] == [outcome]
    assert [finding for finding in findings if finding.level == level and words in finding.message]
    assert report.compared == (outcome == "failed")


def test_the_folder_for_repetitions_is_deleted_whatever_happens(tree: Path) -> None:
    (tree / "scratch/kept").mkdir(parents=True)
    before = sorted((tree / "scratch").iterdir())
    with pytest.raises(RuntimeError), workshop.workshop(tree) as folder:
        assert (folder / "iic/cli/app.py").is_file() and (folder / "data/raw").is_symlink()
        assert not (folder / "results").exists()
        assert folder.parent == tree / "scratch"
        raise RuntimeError
    assert sorted((tree / "scratch").iterdir()) == before
    assert (tree / "iic/cli/app.py").is_file() and (tree / "data/raw/digits").is_dir()


def test_the_command_line_shows_what_was_repeated(
    tree: Path, again: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, ONE)
    done = CliRunner().invoke(
        app, ["audit", "--scale", SCALE, "--no-infer", "--rerun", "1", "--nonce", "of today"]
    )
    assert done.exit_code == 0, done.stdout
    assert "re-run of digits/kmeans/seed0: same bytes" in done.stdout
    assert "1 of 1 re-runs made, of 1 possible (--nonce of today)" in done.stdout


def test_reports_from_before_there_were_re_runs_can_be_read() -> None:
    text = (ROOT / "results/laptop/audit.json").read_text(encoding="utf-8")
    content = json.loads(text)
    content.pop("reruns", None)
    assert AuditReport.model_validate_json(json.dumps(content)).reruns is None
