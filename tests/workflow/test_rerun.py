"""Content decides what runs again: not times, comments, or where bytes came from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from iic.params.runs import load_plan
from tests.edits import change
from tests.workflow.workflow_helpers import (
    NOTHING,
    ROOT,
    Finished,
    append,
    edit,
    iic,
    planned,
    run,
    snakemake,
)

AUDIT = "Auditing every number of this scale, from the tables back to the raw data."
REPORT = "Gathering every number of this scale in one page, with its provenance."
SMOKE = load_plan("smoke", ROOT / "params")


def training(*runs: str) -> list[str]:
    places = (run.split("/") for run in runs)
    return [f"Training {run} on {dataset} with seed 0." for dataset, run in places]


def scoring(*runs: str) -> list[str]:
    return [job.replace("Training", "Scoring") for job in training(*runs)]


def writing(*tables: str) -> list[str]:
    return [f"Writing {table}, with the receipts that each cell comes from." for table in tables]


def drawing(*figures: str) -> list[str]:
    return [f"Drawing {figure} from what its runs left on disk." for figure in figures]


def test_a_finished_clone_has_nothing_to_do(smoke: Finished) -> None:
    assert "smoke: verified: " in smoke.by_snakemake.said
    assert NOTHING in snakemake(smoke.path, scale="smoke").said


def test_touched_files_change_nothing(smoke_copy: Path) -> None:
    touched = [
        path
        for folder in ("results/smoke", "data", "iic", "params", "workflow")
        for path in (smoke_copy / folder).rglob("*")
    ]
    # what was made first looks newest
    touched.sort(key=lambda path: path.stat().st_mtime)
    for age, path in enumerate(touched):
        os.utime(path, (2e9 - age, 2e9 - age))
    assert planned(smoke_copy, scale="smoke") == []


def test_comments_docstrings_the_command_line_and_mirrors_change_nothing(smoke_copy: Path) -> None:
    package = smoke_copy / "iic"
    append(package / "engine/loop.py", "\n# another remark\n")
    engine = package / "methods/iic/task.py"
    engine.write_text(engine.read_text().replace('"""', '"""Reworded. ', 1))
    append(package / "engine/seeding.py", "\nUNUSED = 1\ndef unused():\n    return UNUSED\n")
    change(package / "cli/jobs.py", "train")
    # a file elsewhere under another name, and those that import it
    (package / "engine/seeding.py").rename(package / "objective/drawing.py")
    for file in package.rglob("*.py"):
        text = file.read_text()
        file.write_text(text.replace("iic.engine.seeding", "iic.objective.drawing"))
    assert planned(smoke_copy, scale="smoke", config=["mirror=http://127.0.0.1:9/"]) == []


@pytest.mark.parametrize(
    ("module", "function", "expected"),
    [
        ("publish/markdown.py", "to_markdown", [AUDIT, REPORT, *writing(*SMOKE.tables)]),
        (
            "publish/figures/curves.py",
            "draw",
            [AUDIT, REPORT, *drawing("training_curves"), *drawing("segmentation_curves")],
        ),
    ],
)
def test_an_edit_of_what_publishes_trains_nothing(
    smoke_copy: Path, module: str, function: str, expected: list[str]
) -> None:
    change(smoke_copy / "iic" / module, function)
    assert planned(smoke_copy, scale="smoke") == sorted(expected)


@pytest.mark.long  # it plans smoke twice
def test_an_edit_of_the_page_makes_the_page_alone(smoke_copy: Path) -> None:
    change(smoke_copy / "iic/publish/report/curves.py", "curve_views")
    append(smoke_copy / "docs/fidelity.md", "\n### Another difference\n\nOf no setting.\n")
    assert planned(smoke_copy, scale="smoke") == [REPORT]
    # the audit's own page has the same look
    append(smoke_copy / "iic/publish/pages/templates/page.css", "\n/* edited */\n")
    assert planned(smoke_copy, scale="smoke") == sorted([AUDIT, REPORT])


@pytest.mark.long
def test_another_audit_by_hand_makes_the_page_again_and_once(smoke_copy: Path) -> None:
    """The page shows the last audit, which does not ask for the page: there is no cycle.

    Long, since it audits smoke and then plans it three times.
    """
    iic(smoke_copy, "audit", "--scale", "smoke", "--allow-drift")
    assert planned(smoke_copy, scale="smoke") == [REPORT]
    snakemake(smoke_copy, scale="smoke")
    assert planned(smoke_copy, scale="smoke") == []


@pytest.mark.long
def test_scores_made_by_hand_make_again_what_was_made_from_the_others(tiny_copy: Path) -> None:
    """A receipt names those of its parents: they are inputs of its rule as well."""
    name = "results/tiny/runs/digits/kmeans/seed0/evaluation.run.json"
    receipt = tiny_copy / name
    receipt.unlink()
    iic(tiny_copy, "evaluate", "--scale", "tiny", "--dataset", "digits")
    # it only confirmed the receipt that git keeps
    assert planned(tiny_copy, scale="tiny") == []
    iic(tiny_copy, "audit", "--scale", "tiny")
    run(tiny_copy, "git", "rm", "-q", "--cached", name)
    receipt.unlink()
    iic(tiny_copy, "evaluate", "--scale", "tiny", "--dataset", "digits")
    assert planned(tiny_copy, scale="tiny") == sorted([*writing("table_1"), AUDIT, REPORT])
    iic(tiny_copy, "audit", "--scale", "tiny", expect=1)
    snakemake(tiny_copy, scale="tiny")
    iic(tiny_copy, "audit", "--scale", "tiny")
    assert planned(tiny_copy, scale="tiny") == []


@pytest.mark.long  # test_audit.py has the same of the audit alone
def test_data_obtained_again_train_nothing(tiny_copy: Path) -> None:
    """Their receipts are others, their bytes are not."""
    receipt = tiny_copy / "data/prepared/digits/data.run.json"
    before = receipt.read_bytes()
    receipt.unlink()
    iic(tiny_copy, "prepare", "--dataset", "digits")
    assert receipt.read_bytes() != before
    assert planned(tiny_copy, scale="tiny") == []
    iic(tiny_copy, "audit", "--scale", "tiny")


def test_an_edit_of_the_engine_trains_what_uses_it(smoke_copy: Path) -> None:
    change(smoke_copy / "iic/engine/loop.py", "Loop.run")
    listed = planned(smoke_copy, scale="smoke")
    trained = [job for job in listed if job.startswith("Training")]
    without_network = ("/kmeans", "/spectral", "/sift")
    with_network = [run for run in SMOKE.runs if not run.endswith(without_network)]
    assert trained == sorted(training(*with_network))
    shown = {*writing("table_1"), *drawing("figure_3", "training_curves")}
    assert {*scoring(*with_network), *shown, AUDIT, REPORT} <= {*listed}
    # nothing that stands below the engine or beside it
    assert not any(job.startswith(("Obtaining", "Turning", "Drawing figure_2")) for job in listed)


def test_h5_a_changed_setting_trains_that_run_alone(smoke_copy: Path) -> None:
    """Its fingerprint is another one than its receipt has."""
    edit(smoke_copy / "params/scales/smoke.yaml", "restarts: 1", "restarts: 2")
    listed = planned(smoke_copy, scale="smoke")
    # the curves show k-means, figure_3 does not
    assert listed == sorted(
        [
            *training("digits/kmeans"),
            *scoring("digits/kmeans"),
            *writing("table_1"),
            *drawing("training_curves"),
            AUDIT,
            REPORT,
        ]
    )


@pytest.mark.long
def test_a_strict_environment_counts_the_lock_file(tiny_copy: Path) -> None:
    target, config = "data/raw/digits/files.json", ["strict_env=true"]
    # the job finds the fingerprint that the workflow was planned with
    said = snakemake(tiny_copy, target, scale="tiny", config=config).said
    assert "1 of 1 raw files as the catalogue says" in said
    assert planned(tiny_copy, target, scale="tiny", config=config) == []
    append(tiny_copy / "requirements.lock", "# another environment\n")
    assert len(planned(tiny_copy, target, scale="tiny", config=config)) == 1
