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
from iic.params.runs import load_plan
from iic.provenance import fingerprint
from iic.provenance.audit import rerun, workshop
from iic.provenance.audit.report import AuditReport, Finding, Reruns
from iic.provenance.audit.rerun import Repetitions, Request
from iic.provenance.audit.run import audit
from iic.provenance.audit.tree import Tree
from iic.provenance.audit.workshop import Repeated
from iic.provenance.jobs import Job
from iic.records.assignments import read_assignments, write_assignments
from iic.records.files import read_record
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

    monkeypatch.setattr(rerun, "repeat", copied)


def only(monkeypatch: pytest.MonkeyPatch, *names: tuple[str, int]) -> None:
    """Leave no other trainings to choose from."""
    full = Repetitions._obstacle

    def obstacle(self: Repetitions, job: Job, receipt: Receipt) -> str | None:
        asked = (job.wildcards["run"], int(job.wildcards["seed"]))
        return full(self, job, receipt) if asked in names else "they are not meant"

    monkeypatch.setattr(Repetitions, "_obstacle", obstacle)


def repeated(**options: float) -> tuple[list[Finding], Reruns]:
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
        assert "3.00 points are allowed" in about.message


@pytest.mark.usefixtures("again")
def test_the_sample_is_that_of_its_seed(tree: Path) -> None:
    def sample(seed: int) -> list[tuple[str, int]]:
        findings, report = repeated(number=2, seed=seed)
        assert of_failures(findings) == {}
        return [(training.run, training.seed) for training in report.trainings]

    assert len(set(sample(0))) == 2
    assert sample(0) == sample(0)
    assert len({tuple(sample(seed)) for seed in range(3)}) > 1


def too_long() -> None:
    receipt = read_record(KMEANS / "run.json", Receipt)
    forge(KMEANS / "run.json", timing=receipt.timing.model_copy(update={"seconds": 61.0}))


def stale() -> None:
    replace(Path(f"params/scales/{SCALE}.yaml"), "restarts: 1", "restarts: 2")
    fingerprint.forget()


OBSTACLES: dict[str, tuple[tuple[str, int], Callable[[], object], str]] = {
    "data not here": (ONE, lambda: shutil.rmtree("data/prepared/digits"),
                      "the data in data/prepared/digits are not here"),
    "other data": (ONE, lambda: flip(Path("data/prepared/digits/images.npy")),
                   "the data in data/prepared/digits are other than those"),
    "no weights to start from": (
        ("stl10_standin/finetune", 0),
        lambda: shutil.rmtree(RESULTS / "artifacts/stl10_standin/iic_star-features"),
        "iic_star-features/seed0, which they start from, are not here"),
    "too long": (ONE, too_long, "they took more than 60 s"),
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
    shutil.rmtree("data/prepared")
    done = CliRunner().invoke(app, ["audit", "--scale", SCALE, "--rerun", "3"])
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
    only(monkeypatch, ONE)
    findings, report = repeated()
    assert [training.outcome for training in report.trainings] == [outcome]
    assert [finding for finding in findings if finding.level == level and words in finding.message]
    assert report.compared == (outcome == "failed")


def test_the_folder_for_repetitions_is_deleted_whatever_happens(tree: Path) -> None:
    (tree / "scratch/kept").mkdir(parents=True)
    before = sorted((tree / "scratch").iterdir())
    with pytest.raises(RuntimeError), workshop.workshop(tree) as folder:
        assert (folder / "iic/cli/app.py").is_file() and (folder / "data").is_symlink()
        assert not (folder / "results").exists()
        assert folder.parent == tree / "scratch"
        raise RuntimeError
    assert sorted((tree / "scratch").iterdir()) == before
    assert (tree / "iic/cli/app.py").is_file() and (tree / "data/raw/digits").is_dir()


def test_the_command_line_shows_what_was_repeated(
    tree: Path, again: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, ONE)
    done = CliRunner().invoke(app, ["audit", "--scale", SCALE, "--rerun", "1", "--rerun-seed", "5"])
    assert done.exit_code == 0, done.stdout
    assert "re-run of digits/kmeans/seed0: same bytes" in done.stdout
    assert "1 of 1 re-runs made, of 1 possible (seed 5)" in done.stdout


def test_reports_from_before_there_were_re_runs_can_be_read() -> None:
    text = (ROOT / "results/laptop/audit.json").read_text(encoding="utf-8")
    content = json.loads(text)
    content.pop("reruns", None)
    assert AuditReport.model_validate_json(json.dumps(content)).reruns is None
