"""The audit of a finished tree: what it looks at, what is no failure, what it tells.

Tampering has a module of its own: test_tampering.
"""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from iic.cli.app import app
from iic.params.datasets import UNVERIFIED
from iic.params.runs import load_plan
from iic.provenance import fingerprint, jobs
from iic.provenance.accept import NotAcceptable, accept
from iic.provenance.audit.past import Past
from iic.provenance.audit.report import AuditReport
from iic.provenance.why import why
from iic.records import paths
from iic.records.files import RecordError, read_record, sha256_file, write_record
from iic.records.receipt import Receipt
from tests.conftest import ROOT, SCALE, run_in
from tests.edits import change
from tests.provenance.audit_helpers import (
    ARTIFACTS,
    RUNS,
    TABLE,
    caught,
    examine,
    forge,
    forge_acceptance,
    named,
    seen,
)


def test_an_untouched_tree_verifies_and_everything_was_looked_at(tree: Path) -> None:
    report = examine()
    assert [finding for finding in report.findings if finding.level != "note"] == []
    assert (report.verdict, report.exit_status) == ("verified", 0)
    plan = load_plan(SCALE)
    seeds = sum(len(run.seeds) for run in plan.runs.values())
    displays = len(plan.tables) + len(plan.listings) + len(plan.figures)
    assert report.checked.jobs == 2 * len(plan.datasets) + 2 * seeds + displays
    assert report.checked.evaluations == seeds
    assert report.checked.tables == len(plan.tables) + len(plan.listings)
    sources = json.loads(TABLE.with_suffix(".sources.json").read_text())
    assert report.checked.cells >= sum(bool(cell["seeds"]) for cell in sources["cells"]) > 0
    outputs = {
        output.path
        for path in Path().rglob("*run.json")
        for output in read_record(path, Receipt).outputs
    }
    assert report.checked.files == len(outputs)


def test_two_audits_differ_in_their_time_alone(tree: Path) -> None:
    first, other = (examine().model_dump(exclude={"at"}) for _ in range(2))
    assert first == other


def test_a_finetuning_stands_on_the_run_that_it_starts_from(tree: Path) -> None:
    runs = RUNS.parent / "stl10_standin"
    base, own = (runs / f"{run}/seed0/run.json" for run in ("iic_star-features", "finetune"))
    assert str(base) in {parent.path for parent in read_record(own, Receipt).parents}


def test_a_missing_small_file_fails_and_a_missing_artifact_is_to_be_restored(tree: Path) -> None:
    path = ARTIFACTS / "iic/seed0/weights.safetensors"
    path.unlink()
    report = examine()
    assert report.exit_status == 0
    assert [finding.path for finding in report.findings if finding.kind == "to be restored"] == [
        str(path)
    ]
    (RUNS / "iic/seed0/history.jsonl").unlink()
    seen(RUNS / "iic/seed0/history.jsonl", "missing")


def test_a_clone_without_data_and_artifacts_verifies(tree: Path) -> None:
    cells = examine().checked.cells
    shutil.rmtree("data")
    shutil.rmtree(ARTIFACTS.parent)
    report = examine()
    assert (report.exit_status, report.checked.cells) == (0, cells)
    # the table of the datasets' sizes is counted in data that are not here
    assert {finding.kind for finding in report.findings} == {
        "to be restored",
        "rebuild",
        "history",
    }
    assert all(finding.level == "note" for finding in report.findings if finding.kind == "rebuild")


def test_data_that_were_obtained_again_are_the_same_data(tree: Path) -> None:
    for path in (
        Path("data/raw/digits/files.run.json"),
        Path("data/prepared/digits/data.run.json"),
    ):
        timing, day = read_record(path, Receipt).timing, timedelta(days=1)
        other = {"start": timing.start - day, "end": timing.end - day}
        forge(path, timing=timing.model_copy(update=other))
    assert examine().exit_status == 0


def test_what_has_not_been_run_is_no_failure(tree: Path) -> None:
    shutil.rmtree(f"results/{SCALE}")
    report = examine()
    assert (report.verdict, report.exit_status) == ("nothing measured", 1)
    assert {(finding.level, finding.kind) for finding in report.findings} == {
        ("note", "not run"),
        ("note", "history"),
    }
    assert report.checked.cells == report.checked.tables == 0


def test_a_changed_setting_is_drift_and_names_the_key(tree: Path) -> None:
    scale = Path(f"params/scales/{SCALE}.yaml")
    scale.write_text(scale.read_text().replace("restarts: 1", "restarts: 2"))
    fingerprint.forget()
    report = examine()
    assert (report.verdict, report.exit_status) == ("drifted", 3)
    stale = {
        finding.path: finding.message for finding in report.findings if finding.kind == "stale"
    }
    assert set(stale) == {str(RUNS / f"kmeans/seed{seed}/run.json") for seed in (0, 1)}
    assert all("settings restarts: 1 -> 2" in message for message in stale.values())


def test_another_lock_file_is_drift(tree: Path) -> None:
    with Path("requirements.lock").open("a") as file:
        file.write("# edited\n")
    report = examine()
    assert report.exit_status == 3
    assert {
        (finding.kind, finding.path) for finding in report.findings if finding.level == "drift"
    } == {("environment", "requirements.lock")}


def test_a_lock_file_that_was_accepted_is_a_note(tree: Path) -> None:
    with Path("requirements.lock").open("a") as file:
        file.write("# edited\n")
    trainings = [job for job in jobs.all_jobs(load_plan(SCALE)) if job.rule == "train"]
    accepted = accept(trainings, "a comment was added to the lock file")
    assert {acceptance.changed for acceptance in accepted} == {("requirements.lock",)}
    every = len(list(jobs.all_jobs(load_plan(SCALE))))

    def jobs_of() -> dict[str, int]:
        findings = (
            finding for finding in examine().findings if finding.path == "requirements.lock"
        )
        return {
            finding.level: int(finding.message.split(" jobs")[0].split()[-1])
            for finding in findings
        }

    assert jobs_of() == {"drift": every - len(trainings), "note": len(trainings)}
    with pytest.raises(NotAcceptable, match="nothing changed since it ran"):
        accept(trainings, "once more")
    with Path("requirements.lock").open("a") as file:
        file.write("# edited again\n")
    assert jobs_of() == {"drift": every}


def test_a_file_without_a_published_checksum_is_no_forgery(tree: Path) -> None:
    catalogue = Path("params/datasets.yaml")
    text = catalogue.read_text()
    start = text.index("sha256: ", text.index("\ndigits:"))
    line = text[start : text.index("\n", start)]
    indent = " " * (start - text.rindex("\n", 0, start) - 1)
    other = f"unverified: nobody publishes it\n{indent}at_most: 1000000"
    catalogue.write_text(text.replace(line, other, 1))
    fingerprint.forget()
    report = examine()
    assert [finding for finding in report.findings if finding.level == "failure"] == []
    assert report.exit_status == 3, "the receipts know more than the catalogue now says"


def test_published_numbers_that_changed_are_drift_and_no_forgery(tree: Path) -> None:
    path = Path("params/published/table_1.csv")
    path.write_text(path.read_text().replace("99.2", "99.3"))
    report = examine()
    assert report.exit_status == 3
    kinds = {finding.kind for finding in report.findings if finding.level == "drift"}
    assert kinds == {"stale", "rebuild"}


def test_a_file_that_nobody_publishes_a_checksum_of_is_said_to_be_one(tree: Path) -> None:
    path = "data/raw/digits/digits.csv.gz"
    receipt = Path("data/raw/digits/files.run.json")
    for place in (receipt, RUNS / "iic/seed0/run.json"):
        found = read_record(place, Receipt).fingerprint
        forge(place, fingerprint=found.model_copy(update={"data": {path: UNVERIFIED}}))
    notes = [finding for finding in examine().findings if finding.kind == "unverified"]
    assert [(note.level, note.path) for note in notes] == [("note", path)]
    assert sha256_file(Path(path)) in notes[0].message and "2 jobs" in notes[0].message


def test_edited_code_is_drift_and_names_the_definition(tree: Path) -> None:
    with Path("iic/methods/kmeans.py").open("a") as file:
        file.write("\n# a comment changes nothing\n")
    fingerprint.forget()
    assert examine().exit_status == 0
    change(Path("iic/engine/loop.py"), "Loop.run")
    fingerprint.forget()
    report = examine()
    assert (report.verdict, report.exit_status) == ("drifted", 3)
    stale = {
        finding.path: finding.message for finding in report.findings if finding.level == "drift"
    }
    without = ("/kmeans", "/spectral", "/sift")
    trained = [run.id for run in load_plan("smoke").runs.values() if not run.id.endswith(without)]
    assert set(stale) == {str(RUNS.parent / f"{run}/seed0/run.json") for run in trained}
    assert (
        stale[str(RUNS / "iic/seed0/run.json")]
        == "train digits/iic/seed0 is stale: code iic.engine.loop.Loop.run changed"
    )


def test_an_acceptance_forged_across_a_change_of_settings(tree: Path) -> None:
    scale = Path(f"params/scales/{SCALE}.yaml")
    scale.write_text(scale.read_text().replace("restarts: 1", "restarts: 2"))
    fingerprint.forget()
    path = RUNS / "kmeans/seed0/run.json"
    job = jobs.train(SCALE, "digits/kmeans", 0)
    forge_acceptance(path, job, ["code iic.methods.kmeans.train changed"])
    findings = caught(path, "accepted", "no person can give", "settings restarts: 1 -> 2")
    assert [finding.path for finding in findings] == [str(path)]
    assert (why(job).status, why(job).reasons) == ("changed", ("settings restarts: 1 -> 2",))


def test_the_audit_shows_what_differs_and_not_only_what_the_acceptance_says(tree: Path) -> None:
    method = Path("iic/methods/kmeans.py")
    method.write_text(
        method.read_text().replace(
            "    max_iterations: int", "    a_new_one: int = 3\n    max_iterations: int", 1
        )
    )
    added = "import iic.methods.kmeans as k; print('a_new_one' in k.Settings.model_fields)"
    assert run_in(tree, "-c", added).stdout.strip() == "True"
    path = RUNS / "kmeans/seed0/run.json"
    # settings are of the code that runs, so of a clone's own process
    script = (
        "from iic.provenance import jobs\nfrom tests.provenance.audit_helpers import *\n"
        f"forge_acceptance(Path({str(path)!r}), jobs.train(SCALE, 'digits/kmeans', 0), ['nothing'])"
        "\nreport = examine()\n"
        "print([(o.level, o.message) for o in report.findings if o.kind == 'accepted'])"
    )
    done = run_in(tree, "-c", script, PYTHONPATH=f"{tree}:{ROOT}")
    assert done.returncode == 0, done.stderr
    [(level, message)] = ast.literal_eval(done.stdout)
    assert level == "note"
    assert "settings a_new_one: (absent) -> 3" in message
    assert "recorded then: nothing" in message


def test_a_figure_names_everything_that_it_is_drawn_from(tree: Path) -> None:
    def inputs(name: str) -> set[str]:
        path = Path(f"results/{SCALE}/figures/{name}.run.json")
        return {read.path for read in read_record(path, Receipt).inputs}

    prepared = {
        f"data/prepared/digits/{file}" for file in ("data.json", "images.npy", "labels.npy")
    }
    assert prepared | {str(ARTIFACTS / "iic/seed0/snapshots.parquet")} <= inputs("figure_3")
    assert str(RUNS / "iic/seed0/history.jsonl") in inputs("training_curves")
    assert not prepared & inputs("training_curves")
    assert not [finding for finding in examine().findings if finding.kind == "chain"]

    path = Path(f"results/{SCALE}/figures/figure_5.run.json")
    receipt = read_record(path, Receipt)
    fewer = [read for read in receipt.inputs if "probabilities" not in read.path]
    write_record(path, receipt.model_copy(update={"inputs": fewer}).sealed())
    report = examine()
    assert report.exit_status == 0
    words = "probabilities.parquet, which its receipt does not name"
    named(report.findings, path, "chain", words, level="note")


def test_exit_status_and_report_of_the_command_line(tree: Path) -> None:
    def call(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["audit", "--scale", SCALE, "--no-infer", *arguments])
        return done.exit_code, done.stdout

    path = Path(f"results/{SCALE}/audit.json")
    status, text = call()
    assert status == 0 and "verified: every number" in text
    assert read_record(path, AuditReport).verdict == "verified"
    with Path("requirements.lock").open("a") as file:
        file.write("# edited\n")
    assert call()[0] == 3
    assert call("--allow-drift")[0] == 0
    assert read_record(path, AuditReport).exit_status == 3
    TABLE.unlink()
    status, text = call("--allow-drift", "--log", "logs/audit.log")
    assert status == 1 and str(TABLE) in text and "FAILED" in text
    assert read_record(path, AuditReport).verdict == "failed"
    assert str(TABLE) in Path("logs/audit.log").read_text()
    shutil.rmtree("results")
    shutil.rmtree("data")
    for arguments in ((), ("--allow-drift",), ("--scale", "paper")):
        status, text = call(*arguments)
        assert status == 1
        assert "nothing measured" in text and "verified:" not in text
    assert not Path("results").exists(), "an audit of nothing leaves no report"


def test_looking_changes_no_file_that_git_keeps(
    laptop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the commits that its receipts name are in another history than this test's
    monkeypatch.setattr(Past, "check", lambda self: [])

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
        return subprocess.run(
            ["git", *identity, *arguments], capture_output=True, text=True, check=True
        ).stdout

    def call(*arguments: str) -> str:
        return CliRunner().invoke(app, ["audit", "--scale", "laptop", *arguments]).stdout

    Path(".gitignore").write_text("/logs/\n__pycache__/\n")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "results")
    text = call("--report-follows")
    assert git("status", "--porcelain") == ""
    own = paths.own_audit_report("laptop")
    assert f"written to {own}, since git keeps" in text
    assert "FAILED" not in text and "follows from the raw data" not in text
    assert "Not verified, since they are not here: the data of mnist" in text
    record = read_record(own, AuditReport)
    assert record.absent_data == ["mnist"] and own.with_suffix(".html").exists()
    call("--write")
    kept = read_record(paths.audit_report("laptop"), AuditReport)
    assert kept.at > record.at
    changed = git("status", "--porcelain").split()[1::2]
    assert changed == ["results/laptop/audit.html", "results/laptop/audit.json"]


@pytest.mark.long
def test_allowed_drift_does_not_mean_that_the_report_page_follows(tree: Path) -> None:
    for words in (["audit", "--no-infer"], ["report"]):
        CliRunner().invoke(app, [*words, "--scale", SCALE])
    with Path("requirements.lock").open("a") as file:
        file.write("# edited\n")
    command = ["audit", "--scale", SCALE, "--allow-drift", "--no-infer"]
    outdated = "the page shows earlier results"
    assert outdated in CliRunner().invoke(app, command).stdout
    assert outdated not in CliRunner().invoke(app, [*command, "--report-follows"]).stdout


def test_an_audit_that_cannot_be_written_has_been_shown(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RecordError("audit.json: cannot be written: Read-only file system")

    monkeypatch.setattr("iic.provenance.audit.run.write", refuse)
    done = CliRunner().invoke(app, ["audit", "--scale", SCALE, "--no-infer"])
    assert done.exit_code != 0 and "verified: every number" in done.stdout


@pytest.mark.long
def test_its_process_ends_quietly(tree: Path) -> None:
    """The table of the networks loads torch's compiler, which lists what is not collected."""
    program = (
        "from iic.params.runs import load_plan\n"
        "from iic.provenance.audit.run import audit\n"
        f"print(audit(load_plan({SCALE!r})).checked.tables)\n"
    )
    done = run_in(tree, "-c", program, PYTHONPATH=str(tree))
    assert int(done.stdout) > 0 and "leaked" not in done.stderr
