"""Receipts decide what runs again: in a fresh clone, and without what Snakemake remembers."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from iic.records.files import read_record, sha256_file
from iic.records.receipt import Receipt
from tests.edits import change
from tests.provenance.audit_helpers import forge
from tests.workflow.test_rerun import AUDIT, REPORT, drawing, scoring, training, writing
from tests.workflow.workflow_helpers import Finished, append, edit, git, iic, planned, snakemake

RUN = Path("results/tiny/runs/digits/kmeans/seed0")
DATA = (
    "Obtaining the raw files of digits and checking them by size and hash.",
    "Turning the raw files of digits into arrays.",
)
RECEIPTS_OF_DATA = ("raw/digits/files.run.json", "prepared/digits/data.run.json")
EVERYTHING = sorted(
    [*training("digits/kmeans"), *scoring("digits/kmeans"), *writing("table_1"), AUDIT, REPORT]
)


@pytest.fixture
def fresh(tiny: Finished, tmp_path: Path) -> Path:
    """What git has of the finished scale; times in any order, and no data."""
    clone = tmp_path / "fresh"
    git(tiny.path, "clone", "--quiet", str(tiny.path), str(clone))
    files = [path for path in (clone / "results/tiny").rglob("*") if path.is_file()]
    random.Random(0).shuffle(files)
    for age, path in enumerate(files):
        os.utime(path, (1.7e9 + age, 1.7e9 + age))
    return clone


def test_committed_results_that_verify_are_done_without_a_restore(fresh: Path) -> None:
    assert planned(fresh, scale="tiny") == []
    # data that are obtained for something else train nothing
    snakemake(fresh, "data", scale="tiny")
    assert planned(fresh, scale="tiny") == []
    assert git(fresh, "status", "--porcelain") == ""
    assert not (fresh / "results/tiny/artifacts").exists()


def test_a_change_is_seen_without_what_snakemake_remembers(fresh: Path, tiny_copy: Path) -> None:
    shutil.rmtree(tiny_copy / ".snakemake")
    for clone, more in ((fresh, DATA), (tiny_copy, ())):
        edit(clone / "params/scales/tiny.yaml", "restarts: 1", "restarts: 2")
        said = snakemake(clone, "--dry-run", scale="tiny").said
        assert "train digits/kmeans/seed0 is due again: settings restarts: 1 -> 2" in said
        assert planned(clone, scale="tiny") == sorted([*EVERYTHING, *more])


def test_a_deleted_receipt_makes_its_job_run_again(tiny_copy: Path) -> None:
    (tiny_copy / RUN / "evaluation.run.json").unlink()
    assert planned(tiny_copy, scale="tiny") == [one for one in EVERYTHING if "Training" not in one]
    (tiny_copy / RUN / "run.json").unlink()
    assert planned(tiny_copy, scale="tiny") == EVERYTHING


def test_data_without_their_receipts_are_planned_alone(tiny_copy: Path) -> None:
    """Manifests stand for data, so that no rule would miss the receipts; the audit does."""
    for name in RECEIPTS_OF_DATA:
        (tiny_copy / "data" / name).unlink()
    assert planned(tiny_copy, scale="tiny") == sorted(DATA)


@pytest.mark.long
@pytest.mark.parametrize("names", [RECEIPTS_OF_DATA[:1], RECEIPTS_OF_DATA[1:], RECEIPTS_OF_DATA])
def test_data_without_their_receipts_are_obtained_again(
    tiny_copy: Path, names: tuple[str, ...]
) -> None:
    """Long: each is a run of the workflow and an audit."""
    for name in names:
        (tiny_copy / "data" / name).unlink()
    snakemake(tiny_copy, "table_1", scale="tiny")
    assert all((tiny_copy / "data" / name).exists() for name in RECEIPTS_OF_DATA)
    assert planned(tiny_copy, scale="tiny") == []
    iic(tiny_copy, "audit", "--scale", "tiny")


def test_nothing_is_planned_with_what_is_not_as_its_receipt_says(fresh: Path) -> None:
    """Scores that were edited by hand are neither taken for the run's nor replaced unasked."""
    scores = fresh / RUN / "evaluation.json"
    scores.write_bytes(scores.read_bytes() + b" ")
    done = snakemake(fresh, "--dry-run", "table_1", scale="tiny", expect=1)
    assert f"{RUN}/evaluation.json is not what the job wrote: nothing is planned" in done.said
    assert f"or delete {RUN}/evaluation.run.json" in done.said and "Traceback" not in done.said
    (fresh / RUN / "evaluation.run.json").unlink()
    assert [one for one in EVERYTHING if one.startswith(("Scoring", "Writing"))] == planned(
        fresh, "table_1", scale="tiny"
    )


def test_one_row_of_committed_results_is_made_again_alone(clone: Path) -> None:
    """The data that it needs are not here, and no other training is a reason to wait for them."""
    shutil.rmtree(clone / "results/laptop/runs/mnist/vae")
    said = snakemake(clone, "--dry-run", "table_1", scale="laptop").said
    assert "tabulate table_1 is due again: results/laptop/runs/mnist/vae/seed0/" in said
    assert planned(clone, "table_1", scale="laptop") == sorted(
        [
            *(one.replace("digits", "mnist") for one in DATA),
            *training("mnist/vae"),
            *scoring("mnist/vae"),
            *writing("table_1"),
        ]
    )


def test_scores_made_again_are_no_reason_to_train(clone: Path) -> None:
    """figure_3 reads artifacts that are not here, so it waits for scores that differ.

    confusions shows images: they are obtained again.
    """
    change(clone / "iic/evaluate/run.py", "evaluate_run")
    seeds = {"iic": [0], "kmeans": range(3), "iic-fast": range(20)}
    scores = [
        job.replace("seed 0", f"seed {seed}")
        for run, numbers in seeds.items()
        for job in scoring(f"mnist/{run}")
        for seed in numbers
    ]
    assert planned(clone, "figures", scale="laptop") == sorted(
        [
            *(job.replace("digits", "mnist") for job in DATA),
            *scores,
            *drawing("training_curves", "sub_head_odds", "confusions"),
        ]
    )
    change(clone / "iic/publish/figures/progression.py", "draw")
    said = snakemake(clone, "--dry-run", "figure_3", scale="laptop").said
    assert "; it needs the artifacts of mnist/iic/seed0, a training of 2 h 28 min" in said
    assert training("mnist/iic")[0] in said


@pytest.mark.long
def test_other_targets_train_nothing_for_a_figure_whose_artifacts_are_lost(clone: Path) -> None:
    """Scores of another clone have come by git; figure_3 shows those of before."""
    scores = clone / "results/laptop/runs/mnist/iic/seed0/evaluation.json"
    append(scores, "\n")
    receipt = scores.with_suffix(".run.json")
    (output,) = read_record(receipt, Receipt).outputs
    written = {"sha256": sha256_file(scores), "size": scores.stat().st_size}
    forge(receipt, outputs=[output.model_copy(update=written)])
    assert planned(clone, "table_1", scale="laptop") == sorted(writing("table_1"))
    assert planned(clone, "training_curves", scale="laptop") == sorted(drawing("training_curves"))
    said = snakemake(clone, "--dry-run", "figure_3", scale="laptop").said
    assert "; it needs the artifacts of mnist/iic/seed0, a training of 2 h 28 min" in said
    audit = iic(clone, "audit", "--scale", "laptop", expect=1).said
    assert "drawing it again needs the artifacts of mnist/iic/seed0" in audit


def test_a_finished_run_stays_while_its_code_cannot_be_read(tiny_copy: Path) -> None:
    append(tiny_copy / "iic/engine/clustering/kmeans.py", "\ndef :\n")
    assert planned(tiny_copy, "runs", scale="tiny") == []
    assert "no valid Python" in iic(tiny_copy, "why", "digits/kmeans", "--scale", "tiny").said
