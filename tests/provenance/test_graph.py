"""The graph of jobs is what the rules list, and what the receipts of a finished tree say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from iic.params.runs import Plan, load_plan, scale_names
from iic.provenance import graph, jobs
from iic.provenance.jobs import Job
from iic.records import paths
from iic.records.files import read_record
from iic.records.raw import RawManifest
from iic.records.receipt import Receipt
from tests.conftest import ROOT, SCALE, clone_to, run_in

ARTIFACTS = f"results/{SCALE}/artifacts/"


@dataclass(frozen=True)
class Rules:
    """The jobs of Snakemake."""

    plan: Plan
    inputs: dict[str, set[str]]
    """Output -> inputs of the job that writes it."""


@pytest.fixture(scope="module")
def plan(finished_tree: Path) -> Plan:
    """What the finished tree holds."""
    return load_plan(SCALE, finished_tree / "params")


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Rules:
    """What Snakemake plans in a bare clone."""
    clone = clone_to(tmp_path_factory.mktemp("bare") / "clone")
    for file in (clone / "workflow/rules").glob("*.smk"):
        # a job that has a message of its own is not listed with its files
        file.write_text(re.sub(r"^ +message:\n.+\n", "", file.read_text(), flags=re.MULTILINE))
    command = ("-m", "snakemake", "--dry-run", "--cores=1", "--config", f"scale={SCALE}")
    done = run_in(clone, *command)
    assert done.returncode == 0, done.stderr[-3000:]
    files: dict[str, set[str]] = {}
    for block in re.split(r"\n(?=(?:local)?rule )", done.stdout):
        words = dict(re.findall(r"^ {4}(input|output): (.+)$", block, re.MULTILINE))
        read = set(words["input"].split(", ")) if "input" in words else set()
        files |= dict.fromkeys(words["output"].split(", ") if "output" in words else (), read)
    return Rules(load_plan(SCALE, clone / "params"), files)


def every(plan: Plan) -> list[Job]:
    """All jobs that have a receipt."""
    return [*jobs.all_jobs(plan), jobs.report(plan.scale.name)]


def in_rules(files: list[Path]) -> set[str]:
    """Files as Snakemake knows them: artifacts by their folder."""
    return {str(path.parent if str(path).startswith(ARTIFACTS) else path) for path in files}


def test_rules_list_the_inputs_and_outputs_of_the_graph(rules: Rules) -> None:
    plan, expected = rules.plan, {}
    for job in every(plan):
        parents = map(graph.stands_for, graph.parents(plan, job))
        read = in_rules([*graph.inputs(plan, job), *parents])
        expected |= dict.fromkeys(in_rules([job.receipt, *job.outputs]), read)
    for path in (paths.audit_report, paths.audit_page):
        expected[str(path(SCALE))] = in_rules(graph.audited(plan))
    assert rules.inputs == expected


def test_rules_wait_for_the_receipt_of_every_parent_but_data(rules: Rules) -> None:
    for job in every(rules.plan):
        for parent in graph.parents(rules.plan, job):
            data = parent.rule in ("download", "prepare")
            named = parent.outputs[0] if data else parent.receipt
            assert str(named) in rules.inputs[str(job.receipt)], (job.name, parent.name)
    above = rules.inputs[str(paths.audit_report(SCALE))]
    assert {str(job.receipt) for job in jobs.displays(rules.plan)} <= above


def test_receipts_name_the_parents_inputs_and_outputs_of_the_graph(
    finished_tree: Path, plan: Plan
) -> None:
    for job in jobs.all_jobs(plan):
        receipt = read_record(finished_tree / job.receipt, Receipt)
        parents = [str(parent.receipt) for parent in graph.parents(plan, job)]
        assert [parent.path for parent in receipt.parents] == parents, job.name
        raw = set()
        if job.rule in ("download", "prepare"):
            manifest = finished_tree / paths.raw_manifest(job.wildcards["dataset"])
            raw = {file.path for file in read_record(manifest, RawManifest).files}
        read = set(map(str, graph.inputs(plan, job)))
        assert {one.path for one in receipt.inputs} - raw == read, job.name
        wrote = {output.path for output in receipt.outputs}
        assert wrote - raw <= set(map(str, job.outputs)), job.name
        # a method need not have a network, nor a figure that asks for snapshots
        optional = {path for path in map(str, job.outputs) if path.startswith(ARTIFACTS)}
        assert wrote >= set(map(str, job.outputs)) - optional, job.name


def test_what_is_read_is_written_by_the_job_that_the_graph_names(plan: Plan) -> None:
    for job in every(plan):
        for edge in graph.edges(plan, job):
            assert edge.files and set(edge.files) <= set(edge.parent.outputs), job.name
    order = [job.name for job in jobs.all_jobs(plan)]
    for job in jobs.all_jobs(plan):
        above = [order.index(parent.name) for parent in graph.parents(plan, job)]
        assert all(position < order.index(job.name) for position in above), job.name


@pytest.mark.parametrize("scale", scale_names(ROOT / "params"))
def test_a_table_or_figure_stands_on_what_it_shows_and_on_nothing_else(scale: str) -> None:
    plan = load_plan(scale, ROOT / "params")
    for display in jobs.displays(plan):
        name = display.wildcards["name"]
        if display.rule == "draw":
            shown = {(run.id, seed) for run, seed in plan.figure_places(name)}
        else:
            shown = {(run.id, seed) for run in plan.table_runs(name) for seed in run.seeds}
        bases = ((plan.base_of(plan.run(run)), seed) for run, seed in shown)
        trained = shown | {(base.id, seed) for base, seed in bases if base is not None}
        above = graph.lineage(plan, [display])
        assert places(above, "evaluate") == shown, name
        assert places(above, "train") == trained, name
        data = {run.split("/")[0] for run, _ in trained}
        if name in plan.listings:
            data |= set(plan.table_datasets(name))
        assert {job.wildcards["dataset"] for job in above if job.rule == "prepare"} == data, name


def places(of_jobs: list[Job], rule: str) -> set[tuple[str, int]]:
    """Runs and seeds of the jobs of a rule."""
    return {
        (job.wildcards["run"], int(job.wildcards["seed"])) for job in of_jobs if job.rule == rule
    }


def test_no_input_is_both_compared_and_not(plan: Plan) -> None:
    for job in every(plan):
        small, large = graph.small_inputs(plan, job), graph.large_inputs(plan, job)
        assert set(small).isdisjoint(large)
        assert len(small) == len(set(small)) and len(large) == len(set(large))
