"""Trap H3: in a fresh clone Snakemake would run everything again."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from iic.params.runs import load_plan
from iic.provenance import jobs
from iic.provenance.due import Judge
from iic.provenance.fingerprint import fingerprint
from iic.records import paths
from tests.conftest import ROOT, SCALE, run_in
from tests.edits import change

pytest.importorskip("snakemake")

RUNS = Path(f"results/{SCALE}/runs/digits")


def scatter(tree: Path, last: str) -> None:
    """Give files the times of a checkout: now, in any order, those below `last` after all."""
    files = [path for part in ("data", "results") for path in (tree / part).rglob("*")]
    random.Random(0).shuffle(files)
    files.sort(key=lambda path: path.relative_to(tree).as_posix().startswith(last))
    start = time.time_ns() - len(files) * 10**9
    for number, path in enumerate(files):
        moment = start + number * 10**9
        os.utime(path, ns=(moment, moment))


def restore(tree: Path) -> subprocess.CompletedProcess[str]:
    return run_in(tree, "-m", "iic", "restore", "--scale", SCALE)


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def dry_run(tree: Path, *targets: str) -> str:
    arguments = ("-m", "snakemake", "-n", "--cores", "1", "--config", f"scale={SCALE}")
    done = run_in(tree, *arguments, "--", *targets)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def planned_jobs(said: str) -> list[str]:
    """What a dry run says of its jobs, a line each."""
    return re.findall(r"^Job \d+: (.*)$", said, flags=re.MULTILINE)


def test_a_fresh_clone_knows_that_its_results_are_done(own_tree: Path) -> None:
    for words in (("audit", "--no-infer"), ("report",)):
        done = run_in(own_tree, "-m", "iic", *words, "--scale", SCALE)
        assert done.returncode == 0, done.stderr
    scatter(own_tree, last="data")
    assert "Nothing to be done" in dry_run(own_tree)
    done = restore(own_tree)
    assert done.returncode == 0, done.stderr
    assert "Nothing to be done" in dry_run(own_tree)


def test_tampered_results_are_not_restored(own_tree: Path) -> None:
    path = own_tree / RUNS / "iic/seed0/assignments.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    done = restore(own_tree)
    assert done.returncode == 1
    assert f"{RUNS}/iic/seed0/assignments.parquet: altered" in done.stderr


@pytest.mark.long
def test_stale_results_and_all_that_stands_on_them_are_left_to_do(own_tree: Path) -> None:
    scale = own_tree / f"params/scales/{SCALE}.yaml"
    scale.write_text(scale.read_text().replace("restarts: 1", "restarts: 2"))
    scatter(own_tree, last="data")
    done = restore(own_tree)
    assert done.returncode == 3, done.stderr
    assert "train digits/kmeans/seed0: changed" in done.stdout
    assert "Nothing to be done" in dry_run(own_tree, f"{RUNS}/iic/seed0/run.json")
    assert "train_run" in dry_run(own_tree, f"{RUNS}/kmeans/seed0/run.json")
    assert "tabulate" in dry_run(own_tree, "table_1")


@pytest.mark.long
def test_tables_need_neither_data_nor_artifacts_unless_a_training_starts_from_them(
    own_tree: Path,
) -> None:
    shutil.rmtree(own_tree / "data")
    shutil.rmtree(own_tree / f"results/{SCALE}/artifacts")
    done = restore(own_tree)
    assert done.returncode == 0, done.stderr
    said = done.stdout
    assert "the artifacts of digits/iic/seed0" in said and "drawing figure_3" in said
    assert "the artifacts of stl10_standin/iic_star-features/seed0" in said
    assert "training stl10_standin/finetune/seed0" in said
    assert "outputs missing" not in said, "said in one line each"
    assert "Nothing to be done" in dry_run(own_tree, "tables", "figures")
    # the base of what is trained again is trained again for its weights
    (own_tree / f"results/{SCALE}/runs/stl10_standin/finetune/seed0/run.json").unlink()
    said = dry_run(own_tree, "runs")
    runs = ("finetune", "iic_star-features")
    expected = {
        f"{verb} {run} on stl10_standin" for run in runs for verb in ("Training", "Scoring")
    }
    assert {job.partition(" with")[0] for job in planned_jobs(said)} == expected


def test_there_must_be_something_to_restore(own_tree: Path) -> None:
    shutil.rmtree(own_tree / "results")
    done = restore(own_tree)
    assert done.returncode == 1
    assert "no results here" in done.stderr


@pytest.mark.long
def test_where_data_cannot_be_had_the_rest_is_verified_and_what_is_missing_is_named(
    laptop: Path,
) -> None:
    catalogue = laptop / "params/datasets.yaml"
    text = catalogue.read_text()
    for mirror in re.findall(r"https?://[^\s\]',]*/mnist/", text):
        text = text.replace(mirror, "http://127.0.0.1:9/")
    catalogue.write_text(text)
    before = contents(laptop / "results")
    command = ("-m", "iic", "restore", "--scale", "laptop", "--mirror", "/nowhere")
    done = run_in(laptop, *command, **{"IIC_TRACEBACK": "1"})
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("nothing is pulled, since") == 1
    for noise in ("Traceback", "RuleException", "Select jobs"):
        assert noise not in done.stdout + done.stderr
    head, *lines = done.stdout.splitlines()
    receipts = [*(laptop / "results/laptop").rglob("*run.json")]
    assert head.startswith(f"{len(receipts) - 1} receipts verified; "), "all but the page's own"
    data, snapshots, others = lines
    assert data.startswith("the data of mnist are not here (train-images-idx3-ubyte.gz could not")
    assert "training mnist/random/seed0" in data and "drawing figure_3, confusions -> iic" in data
    assert "--mirror DIR_OR_URL" in data, "a remedy that exists"
    assert "mnist/iic/seed0 (weights, probabilities, snapshots)" in snapshots
    assert "training it again (2 h 28 min then), nobody can repeat: drawing figure_3" in snapshots
    trained = (laptop / "results/laptop/runs").rglob("run.json")
    folders = [Path(str(path.parent).replace("/runs/", "/artifacts/")) for path in trained]
    unread = sum(not folder.exists() for folder in folders) - 1  # figure_3 reads those of mnist/iic
    assert others.startswith(f"the artifacts of {unread} trainings are not here: no table, figure")
    assert contents(laptop / "results") == before
    arguments = ("-m", "snakemake", "-n", "--cores", "1", "--config", "scale=laptop", "--")
    planned = run_in(laptop, *arguments, "table_1", "training_curves")
    assert "Nothing to be done" in planned.stdout + planned.stderr


@pytest.mark.long
def test_an_accepted_change_of_code_is_no_change_for_snakemake(own_tree: Path) -> None:
    assert restore(own_tree).returncode == 0
    method = own_tree / "iic/methods/kmeans.py"
    change(method, "train")
    assert "train_run" in dry_run(own_tree, "table_1")
    done = run_in(
        own_tree, "-m", "iic", "accept", "digits/kmeans", "--scale", SCALE, "--because", "unused"
    )
    assert done.returncode == 0, done.stderr
    assert "Nothing to be done" in dry_run(own_tree, "table_1")


@pytest.mark.long
def test_a_fresh_clone_is_restored_from_a_dvc_remote(own_tree: Path, tmp_path: Path) -> None:
    pytest.importorskip("dvc")
    environment = {"DVC_NO_ANALYTICS": "1"} | {
        f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }

    def call(place: Path, *command: str) -> None:
        done = subprocess.run(
            command, cwd=place, env={**os.environ, **environment}, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    dvc = (sys.executable, "-m", "dvc")
    (own_tree / ".gitignore").write_text(
        "/data/\n/results/*/artifacts/\n.snakemake/\n__pycache__/\n"
    )
    call(own_tree, "git", "init", "-q")
    call(own_tree, *dvc, "init", "-q")
    call(own_tree, *dvc, "remote", "add", "-q", "-d", "local", str(tmp_path / "remote"))
    call(own_tree, *dvc, "commit", "-q", "-f", "data@digits", f"runs@{SCALE}")
    call(own_tree, *dvc, "push", "-q", "data@digits", f"runs@{SCALE}")
    call(own_tree, "git", "add", "-A")
    call(own_tree, "git", "commit", "-qm", "results")
    fresh = tmp_path / "fresh"
    call(tmp_path, "git", "clone", "-q", str(own_tree), str(fresh))
    assert not (fresh / "data").exists()
    done = run_in(fresh, "-m", "iic", "restore", "--scale", SCALE, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 jobs are left to do" in done.stdout
    assert "Nothing to be done" in dry_run(fresh, "tables", "figures")
    weights = f"results/{SCALE}/artifacts/digits/iic/seed0/weights.safetensors"
    assert (fresh / weights).read_bytes() == (own_tree / weights).read_bytes()

    # tables and figures can be made again, and nothing has to be trained for that
    for kind in ("tables", "figures"):
        shutil.rmtree(fresh / f"results/{SCALE}/{kind}")
    said = dry_run(fresh, "tables", "figures")
    assert {job.partition(" ")[0] for job in planned_jobs(said)} == {"Writing", "Drawing"}
    arguments = ("-m", "snakemake", "--cores", "2", "--config", f"scale={SCALE}")
    made = run_in(fresh, *arguments, "--", "table_1", "training_curves", CUDA_VISIBLE_DEVICES="")
    assert made.returncode == 0, made.stderr
    for name in (
        "tables/table_1.csv",
        "tables/table_1.sources.json",
        "figures/training_curves.svg",
    ):
        again, before = (tree / f"results/{SCALE}" / name for tree in (fresh, own_tree))
        assert again.read_bytes() == before.read_bytes(), name


def test_an_audit_counts_only_where_it_can_be_read_and_no_result_is_later(tmp_path: Path) -> None:
    whole = load_plan("laptop", ROOT / "params")
    report, page = paths.audit_report("laptop"), paths.audit_page("laptop")
    receipts = [
        job.receipt for job in jobs.all_jobs(whole) if job.rule not in ("download", "prepare")
    ]
    for path in (report, page, *receipts):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, tmp_path / path)
    audit = jobs.audit("laptop")

    def due() -> str | None:
        return Judge(whole, tmp_path).due(audit)

    assert due() is None
    content = json.loads((tmp_path / report).read_text())
    ends = [json.loads((tmp_path / path).read_text())["timing"]["end"] for path in receipts]
    for at, counts in ((max(ends), True), (sorted(ends)[-2], False), (min(ends), False)):
        (tmp_path / report).write_text(json.dumps({**content, "at": at}))
        assert (due() is None) == counts, at
    for text in ("no json", "{}", json.dumps({**content, "schema_version": 0})):
        (tmp_path / report).write_text(text)
        assert due() is not None, text
    for value, counts in ((fingerprint(audit).value, True), ("0" * 64, False)):
        (tmp_path / report).write_text(json.dumps({**content, "fingerprint": value}))
        assert (due() is None) == counts
    (tmp_path / page).unlink()
    assert not Judge(whole, tmp_path).settled(audit)
