"""``iic prune``: what no job of the plan makes, found as the audit finds it, deleted on demand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from iic.cli.app import app
from iic.params.runs import Plan, load_plan
from iic.provenance import jobs
from iic.provenance.audit import orphans
from iic.provenance.audit.tree import Tree
from iic.provenance.fingerprint import forget
from iic.provenance.jobs import log_of
from iic.provenance.prune import Pruned, prune
from iic.provenance.snakemake_lock import LOCKS, Busy
from iic.records.files import dump_json
from iic.records.sizes import size
from tests.conftest import ROOT, SCALE, clone_to, run_in

REMOVED = "digits/kmeans/seed1"
OTHERS = (
    "results/mini/runs/digits/gone/seed0/run.json",
    "scratch/mini/digits/gone/seed0/checkpoint.pt",
    "logs/mini/train/digits/gone/seed0.log",
)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone without results."""
    return clone_to(tmp_path / "clone")


@pytest.fixture
def smaller(tree: Path) -> Plan:
    """The plan after a seed was taken out, its results, a checkpoint and a log still there."""
    scale = tree / f"params/scales/{SCALE}.yaml"
    scale.write_text(scale.read_text().replace("digits/kmeans: [0, 1]", "digits/kmeans: [0]"))
    forget()
    for folder in (f"scratch/{SCALE}/{REMOVED}", f"scratch/{SCALE}/digits/kmeans/seed0"):
        make(tree / folder / "checkpoint.pt", b"x" * 5000)
    for run in ("digits/kmeans/seed0", REMOVED):
        for ending in ("log", "benchmark.tsv"):
            make(tree / f"logs/{SCALE}/train/{run}.{ending}", b"y" * 70)
    return load_plan(SCALE)


def make(path: Path, content: bytes = b"{}") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def names(pruned: Pruned) -> set[str]:
    return {file.path for file in pruned.files}


def everything(tree: Path) -> dict[str, bytes]:
    return {
        path.relative_to(tree).as_posix(): path.read_bytes()
        for path in tree.rglob("*")
        if path.is_file()
    }


def test_a_finished_scale_has_nothing_left_over(tree: Path) -> None:
    pruned = prune(load_plan(SCALE), data=True)
    assert pruned.files == () and pruned.bytes == 0
    assert size(999) == "999 bytes" and size(1_250_000) == "1.2 MB"


def test_the_files_of_a_removed_seed_are_found_and_stay(smaller: Plan, tree: Path) -> None:
    before = everything(tree)
    pruned = prune(smaller)
    runs = {name for name in before if name.startswith(f"results/{SCALE}/runs/{REMOVED}/")}
    artifacts = {name for name in before if name.startswith(f"results/{SCALE}/artifacts/{REMOVED}")}
    assert len(runs) == 5 and artifacts
    assert names(pruned) == {
        *runs,
        *artifacts,
        f"scratch/{SCALE}/{REMOVED}/checkpoint.pt",
        f"logs/{SCALE}/train/{REMOVED}.log",
        f"logs/{SCALE}/train/{REMOVED}.benchmark.tsv",
    }
    assert not pruned.deleted
    assert pruned.bytes == sum(len(before[name]) for name in names(pruned)) > 5140
    assert everything(tree) == before


def test_after_deletion_the_audit_finds_no_orphan_and_nothing_else_is_gone(
    smaller: Plan, tree: Path
) -> None:
    # as Snakemake marks a folder that it made; and what a killed process leaves
    make(tree / f"results/{SCALE}/artifacts/{REMOVED}/.snakemake_timestamp", b"")
    make(tree / f"results/{SCALE}/tables/.table_1.csv.abc.part", b"half")
    make(tree / f"results/{SCALE}/figures/figure_99.svg")
    for name in OTHERS:
        make(tree / name)
    before = everything(tree)
    assert len(list(orphans.check(Tree(smaller)))) == 4
    pruned = prune(smaller, delete=True)
    assert pruned.deleted
    assert list(orphans.check(Tree(smaller))) == []
    gone = {*names(pruned), f"results/{SCALE}/artifacts/{REMOVED}/.snakemake_timestamp"}
    assert everything(tree) == {name: before[name] for name in before.keys() - gone}
    for room in ("results/{}/runs", "results/{}/artifacts", "scratch/{}", "logs/{}/train"):
        assert not (tree / room.format(SCALE) / REMOVED).exists(), "no empty folder is left"
    assert prune(smaller).files == ()


def test_nothing_is_deleted_while_a_snakemake_holds_the_clone(smaller: Plan, tree: Path) -> None:
    make(tree / LOCKS / "0.output.lock")
    before = everything(tree)
    with pytest.raises(Busy, match=r"prune deletes nothing(.|\n)*snakemake --unlock"):
        prune(smaller, delete=True)
    assert everything(tree) == before
    assert prune(smaller).files, "looking is allowed"
    shutil.rmtree(tree / LOCKS)
    (tree / LOCKS).mkdir()  # as Snakemake leaves it
    assert prune(smaller, delete=True).deleted


def test_data_are_looked_at_only_where_asked(smaller: Plan, tree: Path) -> None:
    unused = {"data/raw/gone/a.bin", "data/prepared/gone/data.json", "logs/prepare/gone.log"}
    # in no scale that is looked at here, but in another's plan
    used = {"data/raw/mnist/files.json", "logs/download/mnist.log"}
    half = "data/raw/digits/.digits.csv.gz.xyz.part"
    # what a later try goes on from; of a dataset in use it stays
    used |= {"data/raw/mnist/a.gz.part", "data/prepared/digits/images.npy.part"}
    unused.add("data/raw/gone/b.bin.part")
    for name in (*unused, *used, half):
        make(tree / name)
    assert not {name for name in names(prune(smaller)) if "gone" in name or half == name}
    pruned = prune(smaller, data=True, delete=True)
    assert {file.path for file in pruned.files if file.place == "data"} == {*unused, half}
    assert not (tree / "data/raw/gone").exists()
    assert all((tree / name).exists() for name in used)
    assert (tree / "data/raw/digits/files.json").exists()


def test_what_git_tracks_is_said_to_be_in_git(smaller: Plan, tree: Path) -> None:
    run = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (
        ["init", "--quiet"],
        ["add", "--force", f"results/{SCALE}/runs"],
        ["commit", "--quiet", "--message", "results"],
    ):
        done = run_in(tree, "-c", f"import subprocess; subprocess.run({run + words}, check=True)")
        assert done.returncode == 0, done.stderr
    pruned = prune(smaller)
    marked = {file.path for file in pruned.files if file.in_git}
    assert marked == {name for name in names(pruned) if "/runs/" in name}
    said = CliRunner().invoke(app, ["prune", "--scale", SCALE, "--yes"]).stdout
    assert "run.json" in said and "(in git)" in said
    assert "5 of them in git: commit their removal, or undo it with git restore" in said


def test_the_verb_lists_sizes_and_deletes_only_on_demand(smaller: Plan, tree: Path) -> None:
    before = everything(tree)
    listed = CliRunner().invoke(app, ["prune", "--scale", SCALE])
    assert listed.exit_code == 0
    assert f"scratch/{SCALE}/{REMOVED}/  5.0 kB" in listed.stdout
    assert "seed1.log  70 bytes" in listed.stdout
    assert "--delete deletes them" in listed.stdout and "(in git)" not in listed.stdout
    assert everything(tree) == before
    deleted = CliRunner().invoke(app, ["prune", "--scale", SCALE, "--delete"])
    assert f"{SCALE}: deleted " in deleted.stdout
    again = CliRunner().invoke(app, ["prune", "--scale", SCALE]).stdout
    assert again == f"{SCALE}: every file belongs to a job of the plan\n"


def test_the_verb_as_json(smaller: Plan) -> None:
    said = CliRunner().invoke(app, ["prune", "--scale", SCALE, "--json"])
    assert said.exit_code == 0
    assert said.stdout == dump_json(prune(smaller).model_dump(mode="json"))
    content = json.loads(said.stdout)
    assert content["deleted"] is False and content["scale"] == SCALE
    assert content["bytes"] == sum(file["bytes"] for file in content["files"])


def test_links_are_deleted_and_not_what_they_lead_to(smaller: Plan, tree: Path) -> None:
    """As DVC puts cached files in place where its cache type is symlink."""
    weights = next((tree / f"results/{SCALE}/artifacts/{REMOVED}").iterdir())
    kept = tree / "cached"
    weights.replace(kept)
    weights.symlink_to(kept)
    assert weights.relative_to(tree).as_posix() in names(prune(smaller, delete=True))
    assert not weights.is_symlink() and kept.exists()


def test_committed_results_belong_to_their_plans() -> None:
    for scale in ("laptop", "laptop_cifar10"):
        assert prune(load_plan(scale, ROOT / "params"), ROOT).files == (), scale


def test_partial_tables_go_once_they_stand_for_nothing(tree: Path) -> None:
    folder = tree / f"results/{SCALE}/partial"
    for name in ("table_1.csv", "table_1.sources.json", "table_2.md", "table_99.tex"):
        make(folder / name)
    (tree / f"results/{SCALE}/tables/table_1.csv").unlink()
    pruned = prune(load_plan(SCALE), delete=True)
    assert names(pruned) == {
        f"results/{SCALE}/partial/{one}" for one in ("table_2.md", "table_99.tex")
    }
    assert {path.name for path in folder.iterdir()} == {"table_1.csv", "table_1.sources.json"}


def test_folders_of_killed_audits_are_found_whatever_the_scale_and_no_link_is_followed(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clone)
    (clone / "params/scales/audit-big.yaml").write_bytes(
        (clone / f"params/scales/{SCALE}.yaml").read_bytes()
    )
    make(clone / "scratch/audit-big/digits/iic/seed0/checkpoint.pt")  # a scale is called so
    make(clone / "data/raw/digits/a.gz")
    killed = clone / "scratch/audit-x1y2"
    make(killed / "results/mini/runs/digits/iic/seed0/history.jsonl", b"z" * 300)
    (killed / "data").symlink_to(clone / "data")
    (clone / "scratch/audit-linked").symlink_to(clone / "data")
    (left_over,) = prune(load_plan(SCALE)).files
    # the clone is none of git, so that nobody knows what is in it
    assert (left_over.path, left_over.place, left_over.in_git) == (
        "scratch/audit-x1y2",
        "re-runs",
        None,
    )
    assert 300 <= left_over.bytes < 1000
    said = CliRunner().invoke(app, ["prune", "--scale", SCALE]).stdout
    assert "  audit-x1y2  " in said and "(left by a killed audit)" in said
    assert prune(load_plan(SCALE), delete=True).files == (left_over,)
    assert sorted(path.name for path in (clone / "scratch").iterdir()) == [
        "audit-big",
        "audit-linked",
    ]
    assert (clone / "data/raw/digits/a.gz").exists()


def test_logs_are_where_the_rules_put_them() -> None:
    """`log_of` spells what workflow/rules spell, for every rule that has a job."""
    text = "".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
    logs = {f'"logs/{name}.log"' for name in ("download/{dataset}", "prepare/{dataset}")}
    logs |= {
        f'f"{{LOGS}}/{name}.log"'
        for name in (
            "train/{{dataset}}/{{run}}/seed{{seed}}",
            "evaluate/{{dataset}}/{{run}}/seed{{seed}}",
            "tabulate/{{name}}",
            "draw/{{name}}",
            "report",
        )
    }
    assert all(text.count(log) == 1 for log in logs)
    found = {
        str(log_of(job))
        for job in (
            jobs.download("{dataset}"),
            jobs.prepare("{dataset}"),
            jobs.tabulate("S", "{{name}}"),
            jobs.draw("S", "{{name}}"),
            jobs.report("S"),
        )
    }
    for of_seed in (jobs.train, jobs.evaluate):
        found.add(str(log_of(of_seed("S", "{{dataset}}/{{run}}", 7))).replace("7", "{{seed}}"))
    assert {log.strip('f"').replace("{LOGS}", "logs/S") for log in logs} == found
