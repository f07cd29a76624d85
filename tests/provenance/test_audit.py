"""Tampering with a finished tree: each case is caught and named, and nothing else is."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from iic.cli.app import app
from iic.params.runs import plan
from iic.provenance import fingerprint, jobs
from iic.provenance.accept import NotAcceptable, accept
from iic.provenance.audit.report import AuditReport, Finding
from iic.provenance.audit.run import audit, verify
from iic.provenance.jobs import Job
from iic.provenance.why import why
from iic.records.files import read_record, sha256_file, write_record
from iic.records.receipt import Acceptance, Receipt
from tests.conftest import ROOT, SCALE, run_in

RUNS = Path(f"results/{SCALE}/runs/digits")
ARTIFACTS = Path(f"results/{SCALE}/artifacts/digits")
TABLE = Path(f"results/{SCALE}/tables/table_1.csv")


def examine() -> AuditReport:
    return audit(plan(SCALE))


def failures(report: AuditReport) -> list[Finding]:
    return [finding for finding in report.findings if finding.level == "failure"]


def flip(path: Path, place: int = -1) -> None:
    content = bytearray(path.read_bytes())
    content[place % len(content) if place < 0 else place] ^= 1
    path.write_bytes(content)


def edit_json(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content, indent=2) + "\n")


def named(found: list[Finding], path: Path | str, kind: str, *words: str) -> list[Finding]:
    """`found` has a finding of that kind on `path`, whose message has the words."""
    there = [one for one in found if one.path == str(path) and one.kind == kind]
    assert there, [(one.path, one.kind, one.message) for one in found]
    text = " ".join(one.message for one in there)
    for word in words:
        assert word in text
    return found


def caught(path: Path | str, kind: str, *words: str) -> list[Finding]:
    """The whole audit fails and names `path`."""
    report = examine()
    assert (report.verdict, report.exit_status) == ("failed", 1)
    return named(failures(report), path, kind, *words)


def seen(path: Path | str, kind: str, *words: str) -> list[Finding]:
    """The part of the audit that looks at files and receipts alone (the quick one) names `path`."""
    return named(verify(plan(SCALE)), path, kind, *words)


def test_an_untouched_tree_verifies_and_everything_was_looked_at(tree: Path) -> None:
    report = examine()
    assert [one for one in report.findings if one.level != "note"] == []
    assert (report.verdict, report.exit_status) == ("verified", 0)
    whole = plan(SCALE)
    seeds = sum(len(run.seeds) for run in whole.runs.values())
    displays = len(whole.tables) + len(whole.listings) + len(whole.figures)
    assert report.checked.jobs == 2 * len(whole.datasets) + 2 * seeds + displays
    assert report.checked.evaluations == seeds
    assert report.checked.tables == len(whole.tables) + len(whole.listings)
    sources = json.loads(TABLE.with_suffix(".sources.json").read_text())
    assert report.checked.cells >= sum(bool(cell["seeds"]) for cell in sources["cells"]) > 0
    outputs = {
        one.path for path in Path().rglob("*run.json") for one in read_record(path, Receipt).outputs
    }
    assert report.checked.files == len(outputs)


def test_two_audits_differ_in_their_time_alone(tree: Path) -> None:
    one, other = (examine().model_dump(exclude={"at"}) for _ in range(2))
    assert one == other


def test_a_flipped_byte_in_the_assignments(tree: Path) -> None:
    path = RUNS / "iic/seed0/assignments.parquet"
    flip(path, path.stat().st_size // 2)
    caught(path, "altered", "train digits/iic/seed0")


def test_a_flipped_byte_in_the_weights(tree: Path) -> None:
    path = ARTIFACTS / "iic/seed0/weights.safetensors"
    flip(path)
    assert [one.path for one in caught(path, "altered")] == [str(path)]


def test_a_flipped_byte_in_the_raw_data(tree: Path) -> None:
    flip(Path("data/raw/digits/digits.csv.gz"))
    seen("data/raw/digits/digits.csv.gz", "altered")


def test_an_edited_cell(tree: Path) -> None:
    lines = TABLE.read_text().splitlines(keepends=True)
    row = next(index for index, line in enumerate(lines) if ",measured," in line)
    fields = lines[row].split(",")
    place = lines[0].split(",").index("ours_mean")
    fields[place] = "99.90"
    lines[row] = ",".join(fields)
    TABLE.write_text("".join(lines))
    caught(TABLE, "altered")
    # named by its line also where somebody edits the receipt to match
    found = caught(TABLE, "rebuild", f"line {row + 1}", "99.90")
    assert {one.path for one in found} == {str(TABLE)}


def test_an_edited_cell_with_a_receipt_forged_to_match(tree: Path) -> None:
    TABLE.write_text(TABLE.read_text().replace("measured", "measured", 1).replace(".", ".9", 1))
    path = TABLE.with_suffix(".run.json")
    receipt = read_record(path, Receipt)
    outputs = [
        one.model_copy(update={"sha256": sha256_file(TABLE), "size": TABLE.stat().st_size})
        if one.path == str(TABLE)
        else one
        for one in receipt.outputs
    ]
    write_record(path, receipt.model_copy(update={"outputs": outputs}).sealed())
    assert {one.kind for one in caught(TABLE, "rebuild")} == {"rebuild"}


def test_an_evaluation_and_all_above_it_forged_to_match(tree: Path) -> None:
    path = RUNS / "kmeans/seed0/evaluation.json"
    edit_json(path, lambda content: content["selections"]["label_free"].update(acc=99.0))  # type: ignore[index]
    beside = path.with_suffix(".run.json")
    receipt = read_record(beside, Receipt)
    output = receipt.outputs[0].model_copy(
        update={"sha256": sha256_file(path), "size": path.stat().st_size}
    )
    write_record(beside, receipt.model_copy(update={"outputs": [output]}).sealed())
    caught(path, "metrics", "selections.label_free.acc: 99.0 written")


def test_two_swapped_seeds(tree: Path) -> None:
    for room in (RUNS, ARTIFACTS):
        (room / "kmeans/seed0").rename(room / "kmeans/aside")
        (room / "kmeans/seed1").rename(room / "kmeans/seed0")
        (room / "kmeans/aside").rename(room / "kmeans/seed1")
    for here, there in (("0", "1"), ("1", "0")):
        path = RUNS / f"kmeans/seed{here}/run.json"
        caught(
            path, "misplaced",
            f"train {SCALE} digits/kmeans {there}", f"train {SCALE} digits/kmeans {here}",
        )  # fmt: skip


def test_swapped_assignments_are_named_by_whose_they_are(tree: Path) -> None:
    one, other = (RUNS / f"kmeans/seed{seed}/assignments.parquet" for seed in (0, 1))
    assert one.read_bytes() != other.read_bytes()
    shutil.copy(other, one)
    seen(one, "altered", f"it has the content of {other}")


@pytest.mark.parametrize(
    ("receipt", "also"),
    [
        (RUNS / "iic/seed0/run.json", RUNS / "iic/seed0/evaluation.run.json"),
        (RUNS / "iic/seed0/evaluation.run.json", TABLE.with_suffix(".sources.json")),
        (TABLE.with_suffix(".run.json"), None),
        (Path("data/prepared/digits/data.run.json"), None),
        (Path("data/raw/digits/files.run.json"), None),
    ],
)
def test_a_deleted_receipt(tree: Path, receipt: Path, also: Path | None) -> None:
    receipt.unlink()
    found = seen(receipt, "missing", "nothing vouches for")
    if also is not None:
        assert any(one.path == str(also) and str(receipt) in one.message for one in found)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 5),
        ("outcome", {}),
        ("parents", []),
        ("inputs", []),
        ("precision", "bfloat16"),
        ("stand_in", True),
    ],
)
def test_an_edited_receipt(tree: Path, key: str, value: object) -> None:
    path = RUNS / "iic/seed0/run.json"
    edit_json(path, lambda content: content.update({key: value}))
    seen(path, "altered", "edited after it was written")


def test_edited_settings_in_a_receipt_that_is_sealed_again(tree: Path) -> None:
    path = RUNS / "iic/seed0/run.json"
    receipt = read_record(path, Receipt)
    settings = receipt.fingerprint.settings | {"sub_heads": 50}
    forged = receipt.fingerprint.model_copy(update={"settings": settings})
    write_record(path, receipt.model_copy(update={"fingerprint": forged}).sealed())
    seen(path, "altered", "not the hash of its parts", "not the hash of the settings")
    seen(RUNS / "iic/seed0/evaluation.run.json", "chain", "was made from another")


def test_a_receipt_without_its_parent(tree: Path) -> None:
    path = RUNS / "iic/seed0/run.json"
    receipt = read_record(path, Receipt)
    write_record(path, receipt.model_copy(update={"parents": []}).sealed())
    seen(path, "chain", "does not name its parent data/prepared/digits/data.run.json")


def test_a_receipt_that_is_no_record(tree: Path) -> None:
    path = RUNS / "iic/seed0/run.json"
    path.write_text(path.read_text()[:100])
    seen(path, "schema", "cannot be read")


def test_a_finetuning_stands_on_the_run_that_it_starts_from(tree: Path) -> None:
    place = RUNS.parent / "stl10_standin"
    base, own = (place / f"{run}/seed0/run.json" for run in ("iic_star-features", "finetune"))
    assert str(base) in {parent.path for parent in read_record(own, Receipt).parents}
    base.unlink()
    seen(own, "chain", f"its parent {base} is missing")


def test_a_missing_small_file_fails_and_a_missing_artifact_is_to_be_restored(tree: Path) -> None:
    path = ARTIFACTS / "iic/seed0/weights.safetensors"
    path.unlink()
    report = examine()
    assert report.exit_status == 0
    assert [one.path for one in report.findings if one.kind == "to be restored"] == [str(path)]
    (RUNS / "iic/seed0/history.jsonl").unlink()
    seen(RUNS / "iic/seed0/history.jsonl", "missing")


def test_a_clone_without_data_and_artifacts_verifies(tree: Path) -> None:
    cells = examine().checked.cells
    shutil.rmtree("data")
    shutil.rmtree(ARTIFACTS.parent)
    report = examine()
    assert (report.exit_status, report.checked.cells) == (0, cells)
    # the table of the datasets' sizes is counted in data that are not here
    assert {one.kind for one in report.findings} == {"to be restored", "rebuild"}
    assert all(one.level == "note" for one in report.findings if one.kind == "rebuild")


def test_data_that_were_obtained_again_are_the_same_data(tree: Path) -> None:
    for path in (
        Path("data/raw/digits/files.run.json"),
        Path("data/prepared/digits/data.run.json"),
    ):
        receipt = read_record(path, Receipt)
        later = receipt.timing.model_copy(update={"seconds": 1e6})
        write_record(path, receipt.model_copy(update={"timing": later}).sealed())
    assert examine().exit_status == 0
    # other bytes under a receipt that vouches for them
    images = Path("data/prepared/digits/images.npy")
    flip(images)
    receipt = read_record(path, Receipt)
    outputs = [
        one.model_copy(update={"sha256": sha256_file(images)}) if one.path == str(images) else one
        for one in receipt.outputs
    ]
    write_record(path, receipt.model_copy(update={"outputs": outputs}).sealed())
    seen(RUNS / "iic/seed0/run.json", "chain", "was made from another")


def test_orphans_of_a_removed_seed(tree: Path) -> None:
    shutil.copytree(RUNS / "iic/seed0", RUNS / "iic/seed9")
    (Path(TABLE).parent / ".gitignore").write_text("/x\n")
    found = seen(RUNS / "iic/seed9", "orphan", "no job of scale 'smoke' makes")
    assert len(found) == 1


def test_what_has_not_been_run_is_no_failure(tree: Path) -> None:
    shutil.rmtree(f"results/{SCALE}")
    report = examine()
    assert (report.verdict, report.exit_status) == ("nothing measured", 1)
    assert {(one.level, one.kind) for one in report.findings} == {("note", "not run")}
    assert report.checked.cells == report.checked.tables == 0


def test_a_changed_setting_is_drift_and_names_the_key(tree: Path) -> None:
    scale = Path(f"params/scales/{SCALE}.yaml")
    scale.write_text(scale.read_text().replace("restarts: 1", "restarts: 2"))
    fingerprint.forget()
    report = examine()
    assert (report.verdict, report.exit_status) == ("drifted", 3)
    stale = {one.path: one.message for one in report.findings if one.kind == "stale"}
    assert set(stale) == {str(RUNS / f"kmeans/seed{seed}/run.json") for seed in (0, 1)}
    assert all("settings restarts: 1 -> 2" in message for message in stale.values())


def test_another_lock_file_is_drift(tree: Path) -> None:
    with Path("requirements.lock").open("a") as file:
        file.write("# edited\n")
    report = examine()
    assert report.exit_status == 3
    assert {(one.kind, one.path) for one in report.findings if one.level == "drift"} == {
        ("environment", "requirements.lock")
    }


def test_a_lock_file_that_was_accepted_is_a_note(tree: Path) -> None:
    with Path("requirements.lock").open("a") as file:
        file.write("# edited\n")
    trainings = [job for job in jobs.all_jobs(plan(SCALE)) if job.rule == "train"]
    accepted = accept(trainings, "a comment was added to the lock file")
    assert {one.changed for one in accepted} == {("requirements.lock",)}
    every = len(list(jobs.all_jobs(plan(SCALE))))

    def jobs_of() -> dict[str, int]:
        found = (one for one in examine().findings if one.path == "requirements.lock")
        return {one.level: int(one.message.split(" jobs")[0].split()[-1]) for one in found}

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
    known = text[start : text.index("\n", start)]
    catalogue.write_text(text.replace(known, "unverified: nobody publishes it", 1))
    fingerprint.forget()
    report = examine()
    assert [one for one in report.findings if one.level == "failure"] == []
    assert report.exit_status == 3, "the receipts know more than the catalogue now says"


def test_published_numbers_that_changed_are_drift_and_no_forgery(tree: Path) -> None:
    path = Path("params/published/table_1.csv")
    path.write_text(path.read_text().replace("99.2", "99.3"))
    report = examine()
    assert report.exit_status == 3
    kinds = {one.kind for one in report.findings if one.level == "drift"}
    assert kinds == {"stale", "rebuild"}


def test_edited_code_is_drift_and_names_the_module(tree: Path) -> None:
    with Path("iic/methods/kmeans.py").open("a") as file:
        file.write("\n# a comment changes nothing\n")
    fingerprint.forget()
    assert examine().exit_status == 0
    with Path("iic/engine/loop.py").open("a") as file:
        file.write("\nEDITED = 1\n")
    fingerprint.forget()
    report = examine()
    assert (report.verdict, report.exit_status) == ("drifted", 3)
    stale = {one.path: one.message for one in report.findings if one.level == "drift"}
    without = ("/kmeans", "/spectral", "/sift")
    trained = [run.id for run in plan("smoke").runs.values() if not run.id.endswith(without)]
    assert set(stale) == {str(RUNS.parent / f"{run}/seed0/run.json") for run in trained}
    assert (
        stale[str(RUNS / "iic/seed0/run.json")]
        == "train digits/iic/seed0 is stale: code iic.engine.loop: edited"
    )


def forge_acceptance(path: Path, job: Job, changed: list[str]) -> None:
    """An acceptance of `job` as it is now, written into its receipt by hand."""
    forged = Acceptance(
        fingerprint=fingerprint.fingerprint(job).value, because="trust me", changed=changed,
        commit=None, at=datetime.now(UTC),
    )  # fmt: skip
    receipt = read_record(path, Receipt)
    write_record(path, receipt.model_copy(update={"acceptances": [forged]}))


def test_an_acceptance_forged_across_a_change_of_settings(tree: Path) -> None:
    scale = Path(f"params/scales/{SCALE}.yaml")
    scale.write_text(scale.read_text().replace("restarts: 1", "restarts: 2"))
    fingerprint.forget()
    path = RUNS / "kmeans/seed0/run.json"
    job = jobs.train(SCALE, "digits/kmeans", 0)
    forge_acceptance(path, job, ["code iic.methods.kmeans: edited"])
    found = caught(path, "accepted", "no person can give", "settings restarts: 1 -> 2")
    assert [one.path for one in found] == [str(path)]
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
        "from tests.provenance.test_audit import *\n"
        f"forge_acceptance(Path({str(path)!r}), jobs.train(SCALE, 'digits/kmeans', 0), ['nothing'])"
        "\nreport = examine()\n"
        "print([(o.level, o.message) for o in report.findings if o.kind == 'accepted'])"
    )
    done = run_in(tree, "-c", script, PYTHONPATH=f"{tree}:{ROOT}")
    assert done.returncode == 0, done.stderr
    [(level, message)] = ast.literal_eval(done.stdout)
    assert level == "note"
    assert "code iic.methods.kmeans: edited" in message
    assert "settings a_new_one: (absent) -> 3" in message
    assert "recorded then: nothing" in message


def test_a_figure_names_everything_that_it_is_drawn_from(tree: Path) -> None:
    def inputs(name: str) -> set[str]:
        path = Path(f"results/{SCALE}/figures/{name}.run.json")
        return {one.path for one in read_record(path, Receipt).inputs}

    prepared = {
        f"data/prepared/digits/{file}" for file in ("data.json", "images.npy", "labels.npy")
    }
    assert prepared | {str(ARTIFACTS / "iic/seed0/snapshots.parquet")} <= inputs("figure_3")
    assert str(RUNS / "iic/seed0/history.jsonl") in inputs("training_curves")
    assert not prepared & inputs("training_curves")
    assert not [one for one in examine().findings if one.kind == "chain"]

    path = Path(f"results/{SCALE}/figures/figure_3.run.json")
    receipt = read_record(path, Receipt)
    fewer = [one for one in receipt.inputs if "snapshots" not in one.path]
    write_record(path, receipt.model_copy(update={"inputs": fewer}).sealed())
    report = examine()
    assert report.exit_status == 0
    named(report.findings, path, "chain", "snapshots.parquet, which its receipt does not name")


def test_exit_status_and_report_of_the_command_line(tree: Path) -> None:
    def call(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["audit", "--scale", SCALE, *arguments])
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
