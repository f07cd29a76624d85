"""What Snakemake plans in a bare clone, and what it says to a wrong configuration."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from iic.params.runs import load_plan, scale_names
from iic.provenance import jobs
from iic.records import paths
from tests.quick import first_quick
from tests.workflow.workflow_helpers import ROOT, edit, iic, planned, snakemake

TARGETS = (
    "data", "train", "baselines", "ablations", "runs", "tables", "figures", "audit", "report",
    "all",
)  # fmt: skip
OTHERS = [name for name in scale_names(ROOT / "params") if name not in ("smoke", "paper")]


@pytest.mark.parametrize(
    ("scale", "by_name"),
    first_quick(
        [
            ("mini", False),
            ("paper", True),
            *((scale, True) for scale in OTHERS),
        ],
        quick=2,
    ),
)
def test_a_bare_clone_plans_the_whole_dag(clone: Path, scale: str, by_name: bool) -> None:
    # reference results are in git, and what lies there is not planned
    shutil.rmtree(clone / "results", ignore_errors=True)
    plan = load_plan(scale)
    # what `make` asks for; and at every scale, everything by its name
    named = [*TARGETS, *plan.tables, *plan.listings, *plan.figures] if by_name else []
    listed = planned(clone, *named, scale=scale if by_name else None)
    for kind, expected in {
        "Obtaining": len(plan.datasets),
        "Turning": len(plan.datasets),
        "Training": sum(len(run.seeds) for run in plan.runs.values()),
        "Scoring": sum(len(run.seeds) for run in plan.runs.values()),
        "Writing": len(plan.tables) + len(plan.listings),
        "Drawing": len(plan.figures),
        "Auditing": 1,
        "Gathering": 1,
    }.items():
        assert sum(job.startswith(kind) for job in listed) == expected > 0, kind
    dataset = next(iter(plan.scale.datasets.values()))
    assert f"Training iic on {dataset} with seed 0." in listed


@pytest.mark.parametrize(("target", "seeds"), [("digits/kmeans", 3), ("digits/kmeans/seed1", 1)])
def test_a_run_or_a_seed_of_it_is_a_target(clean: Path, target: str, seeds: int) -> None:
    listed = planned(clean, target, scale="mini")
    kinds = Counter(message.split(" on ")[0] for message in listed)
    data = {
        "Obtaining the raw files of digits and checking them by size and hash.": 1,
        "Turning the raw files of digits into arrays.": 1,
    }
    assert kinds == {**data, "Training kmeans": seeds, "Scoring kmeans": seeds}
    assert f"Training kmeans on digits with seed {seeds - 1 or 1}." in listed


def test_more_seeds_are_a_scale_of_ones_own(clone: Path) -> None:
    (clone / "params/scales/mine.yaml").write_text(
        "name: mine\nextends: laptop\nseeds: {mnist/kmeans: [0, 1, 2, 3, 4]}\n"
    )
    listed = planned(clone, "mnist/kmeans", scale="mine")
    trained = [f"Training kmeans on mnist with seed {seed}." for seed in range(5)]
    assert [message for message in listed if message.startswith("Training")] == trained
    # the scale that it extends stays as it was
    assert planned(clone, "mnist/kmeans", scale="laptop") == []


def test_a_table_trains_what_it_shows_alone(clean: Path) -> None:
    listed = planned(clean, "table_1", scale="paper")
    shown = sum(len(run.seeds) for run in load_plan("paper").table_runs("table_1"))
    assert sum(message.startswith("Training") for message in listed) == shown == 213


def test_rules_write_where_the_records_say(clean: Path) -> None:
    """The patterns in the rules and those in iic.records.paths are the same."""
    said = snakemake(clean, "--summary", scale="smoke").said
    rows = [line.split("\t") for line in said.splitlines() if "\t" in line][1:]
    plan = load_plan("smoke")
    written = {str(path("smoke")) for path in (paths.audit_report, paths.audit_page)}
    for job in (*jobs.all_jobs(plan), jobs.report("smoke")):
        written |= {str(job.receipt), *map(str, job.outputs)}
        if job.rule == "train":
            run_paths = paths.RunPaths("smoke", job.wildcards["run"], int(job.wildcards["seed"]))
            inside = {run_paths.weights, run_paths.probabilities, run_paths.snapshots}
            written = written - set(map(str, inside)) | {str(run_paths.artifacts)}
    assert {row[0] for row in rows} == written


@pytest.mark.parametrize(
    ("config", "parts"),
    first_quick(
        [
            (
                "scale=nope",
                ["--config", "scale", "'nope'", "gpu, laptop, laptop_cifar10, mini, paper, smoke"],
            ),
            (
                "scael=mini",
                ["--config", "'scael'", "mirror, scale, strict_env", "did you mean: scale?"],
            ),
            ("strict_env=banana", ["--config", "strict_env", "'banana'", "true or false"]),
        ]
    ),
)
def test_a_wrong_configuration_is_one_clear_message(
    clean: Path, config: str, parts: list[str]
) -> None:
    said = snakemake(clean, "--dry-run", config=[config], expect=1).said
    assert "Traceback" not in said
    for part in parts:
        assert part in said, said


@pytest.mark.parametrize(
    ("target", "part"),
    first_quick(
        [
            ("table_9", "did you mean: table_4, table_3, table_2?"),
            ("figure", "did you mean: figures, "),
            ("mnist/iic", "scales that have it: gpu, laptop, paper"),
            ("digits/kmean", "did you mean: digits/kmeans, "),
            ("digits/kmeans/seed7", "seeds that it lists for digits/kmeans: 0\n"),
            ("results/smoke/tables/table_99.csv", "or the path of a file that the workflow makes"),
        ],
        quick=2,
    ),
)
def test_a_wrong_target_is_one_clear_message(clean: Path, target: str, part: str) -> None:
    said = snakemake(clean, "--dry-run", target, scale="smoke", expect=1).said
    assert f"{target!r} is no target of scale 'smoke'" in said and part in said, said
    assert "Traceback" not in said and "MissingRuleException" not in said


def test_a_mirror_that_is_not_there_is_said_before_anything_runs(
    clean: Path, tmp_path: Path
) -> None:
    wrong = f"mirror={tmp_path}/nonexist"
    said = snakemake(clean, "--dry-run", scale="smoke", config=[wrong], expect=1).said
    assert f"--config: mirror: '{tmp_path}/nonexist' is no folder" in said
    snakemake(clean, "--dry-run", scale="smoke", config=[f"mirror={tmp_path}"])
    snakemake(clean, "--dry-run", scale="smoke", config=["mirror=https://example.org/data"])


def test_a_typo_in_params_is_one_clear_message(clone: Path) -> None:
    edit(clone / "params/scales/smoke.yaml", "restarts: 1", "restart: 1")
    done = snakemake(clone, "--dry-run", scale="smoke", expect=1)
    assert "Traceback" not in done.said
    for part in (
        "params/scales/smoke.yaml",
        "digits/kmeans",
        "'restart'",
        "did you mean: restarts",
    ):
        assert part in done.said, done.said


def test_run_refuses_an_unknown_scale_and_passes_snakemakes_failure_on(clean: Path) -> None:
    refused = iic(clean, "run", "--scale", "nope", "tables", expect=1)
    assert "'nope' is no scale" in refused.said and "Traceback" not in refused.said
    failed = iic(clean, "run", "--scale", "smoke", "no_such_target", expect=None)
    assert failed.status != 0 and "no_such_target" in failed.said


def test_rules_use_the_python_that_runs_snakemake(clone: Path) -> None:
    """No environment has to be activated for `.venv/bin/snakemake`."""
    manifest = "data/raw/digits/files.json"
    snakemake(clone, manifest, PATH="/usr/bin:/bin")
    assert (clone / manifest).exists()


def test_a_wrong_published_number_is_said_before_anything_runs(clone: Path) -> None:
    edit(clone / "params/published/table_1.csv", "\nK-means,MNIST,", "\nK-mean,MNIST,")
    done = snakemake(clone, "--dry-run", "table_1", scale="smoke", expect=1)
    assert "Traceback" not in done.said
    assert "table_1.csv: line" in done.said and "did you mean: K-means" in done.said
