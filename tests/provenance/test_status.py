"""``iic status``: what is done, stale or missing, and the hours, from receipts alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from iic.cli.app import app
from iic.params.operations import committed
from iic.params.runs import Plan, load_plan
from iic.provenance import fingerprint as fingerprints
from iic.provenance import jobs
from iic.provenance.accept import accept
from iic.provenance.fingerprint import forget
from iic.provenance.status import DisplayStatus, ScaleStatus, Summary, status
from iic.records.files import read_record, write_record
from iic.records.paths import RunPaths
from iic.records.receipt import Receipt, Session
from tests.conftest import ROOT, SCALE, run_in
from tests.edits import change

RUN = "digits/kmeans"


@pytest.fixture
def plan(tree: Path) -> Plan:
    return load_plan(SCALE)


def display_of(scale_status: ScaleStatus, name: str) -> DisplayStatus:
    (one,) = (display for display in scale_status.displays if display.name == name)
    return one


def counts(summary: Summary) -> tuple[int, int, int]:
    return summary.done, summary.stale, summary.missing


def states(answer: ScaleStatus, run: str = RUN) -> list[str]:
    return [training.state for training in answer.trainings if training.run == run]


def total(plan: Plan) -> int:
    return sum(len(run.seeds) for run in plan.runs.values())


def kmeans_runs(plan: Plan) -> set[str]:
    return {run.id for run in plan.runs.values() if run.method == "iic.methods.kmeans"}


def test_with_nothing_measured(tmp_path: Path) -> None:
    plan = load_plan("mini")
    answer = status(plan, tmp_path)
    assert {display.state for display in answer.displays} == {"missing"}
    names = [*plan.tables, *plan.listings, *plan.figures]
    assert [display.name for display in answer.displays] == names
    assert counts(answer.all_trainings) == (0, 0, total(plan))
    assert answer.all_trainings.hours_spent.core == 0
    assert answer.all_trainings.hours_left == answer.all_trainings.hours_total
    for training in answer.trainings:
        run = plan.run(training.run)
        cost = run.settings.cost(plan.datasets[run.dataset], committed)
        assert cost is not None and training.hours is not None and training.basis == "assumed rate"
        assert (training.hours.core, training.hours.gpu) == (cost.hours(gpu=False), 0)
    assert answer.all_trainings.without_estimate == 0


def with_other_network(plan: Plan, run: str) -> Plan:
    """A plan in which a run has a network that is in no committed scale."""
    settings = plan.run(run).settings
    network = settings.network.model_copy(update={"channels": (3, 5, 7)})
    changed = settings.model_copy(update={"network": network})
    runs = {
        name: type(definition)(**vars(definition) | {"settings": changed})
        if name == run
        else definition
        for name, definition in plan.runs.items()
    }
    return type(plan)(**vars(plan) | {"runs": runs})


def test_a_network_that_nobody_counted_has_no_estimate(tmp_path: Path) -> None:
    plan = with_other_network(load_plan("mini"), "digits/iic")
    answer = status(plan, tmp_path)
    assert {training.run for training in answer.trainings if training.hours is None} == {
        "digits/iic"
    }
    unknown = len(plan.run("digits/iic").seeds)
    assert answer.all_trainings.without_estimate == unknown > 0


def test_the_verb_counts_what_the_file_does_not_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "iic.cli.status.load_plan", lambda scale: with_other_network(load_plan(scale), "digits/iic")
    )
    monkeypatch.setattr("iic.cli.status.look", lambda plan, count: status(plan, tmp_path, count))
    said = CliRunner().invoke(app, ["status", "--scale", "mini", "--json"])
    assert said.exit_code == 0 and said.stderr.count("counting iic.networks.build.build(") == 2
    assert "channels: [3, 5, 7]" in said.stderr and "iic export operations" in said.stderr
    content = json.loads(said.stdout)
    assert content["all_trainings"]["without_estimate"] == 0


def test_gpu_hours_and_core_hours_are_told_apart(tmp_path: Path) -> None:
    """Other settings of a run's `gpu`, without a scale of its own."""
    plan = load_plan("mini")
    runs = {
        name: run
        if name != "digits/iic"
        else type(run)(**vars(run) | {"settings": run.settings.model_copy(update={"gpu": True})})
        for name, run in plan.runs.items()
    }
    changed = type(plan)(**vars(plan) | {"runs": runs})
    on_cpu, on_gpu = status(plan, tmp_path), status(changed, tmp_path)
    left = on_gpu.all_trainings.hours_left
    assert 0 < left.gpu < on_cpu.all_trainings.hours_left.core
    assert 0 < left.core < on_cpu.all_trainings.hours_left.core
    assert on_cpu.all_trainings.hours_left.gpu == 0


def test_everything_is_done_after_the_jobs(plan: Plan) -> None:
    answer = status(plan)
    assert {display.state for display in answer.displays} == {"done"}
    assert counts(answer.all_trainings) == (total(plan), 0, 0)
    assert answer.all_trainings.hours_left.core == 0
    assert {training.basis for training in answer.trainings} == {"measured"}
    spent = 0.0
    for training in answer.trainings:
        receipt = read_record(RunPaths(SCALE, training.run, training.seed).receipt, Receipt)
        spent += receipt.timing.seconds * receipt.environment.threads / 3600
    assert answer.all_trainings.hours_spent.core == pytest.approx(spent)
    # a training that several tables and figures show counts once
    assert sum(display.trainings.done for display in answer.displays) > total(plan)


def test_results_stand_without_data_and_artifacts(plan: Plan) -> None:
    shutil.rmtree("data")
    shutil.rmtree(f"results/{SCALE}/artifacts")
    assert {display.state for display in status(plan).displays} == {"done"}


def test_a_changed_setting_makes_its_run_and_what_shows_it_stale(plan: Plan, tree: Path) -> None:
    scale = Path(f"params/scales/{SCALE}.yaml")
    text = scale.read_text()
    assert "restarts: 1" in text
    scale.write_text(text.replace("restarts: 1", "restarts: 2"))
    forget()
    answer = status(load_plan(SCALE))
    assert set(states(answer)) == {"stale"} and len(states(answer)) == 2
    stale = {training.run for training in answer.trainings if training.state == "stale"}
    assert stale <= kmeans_runs(plan)
    left = sum(len(plan.run(name).seeds) for name in stale)
    assert counts(answer.all_trainings) == (total(plan) - left, left, 0)
    assert display_of(answer, "table_1").state == "stale"
    assert display_of(answer, "table_1").trainings.stale == left
    assert display_of(answer, "figure_3").state == "done"
    # what they once took says nothing of other settings
    assert {training.basis for training in answer.trainings if training.run == RUN} == {
        "assumed rate"
    }


def test_what_is_thought_of_costs_makes_nothing_stale(plan: Plan, tree: Path) -> None:
    module = Path("iic/params/cost.py")
    text = module.read_text()
    assert '"bfloat16": 100e12' in text
    module.write_text(text.replace('"bfloat16": 100e12', '"bfloat16": 200e12'))
    forget()
    answer = status(load_plan(SCALE))
    # a known false alarm: the settings of IMC-SwAV's two runs count whole, cost included
    assert counts(answer.all_trainings) == (total(plan) - 2, 2, 0)
    stale = [training.run for training in answer.trainings if training.state == "stale"]
    assert stale == ["stl10_standin/imc_swav", "stl10_standin/imc_swav-test_statistics"]
    showing = {name for name in plan.tables for run in plan.table_runs(name) if run.id in stale}
    assert showing == {
        display.name for display in answer.displays if display.state != "done"
    } and showing
    code = fingerprints.train(SCALE, RUN).code
    assert not any(name.startswith("iic.params.networks") for name in code), (
        "k-means has no network, and does not depend on one"
    )


def test_an_accepted_change_of_code_is_done(plan: Plan, tree: Path) -> None:
    module = Path("iic/methods/kmeans.py")
    change(module, "train")
    forget()
    assert set(states(status(load_plan(SCALE)))) == {"stale"}
    trainings = [job for job in jobs.all_jobs(load_plan(SCALE)) if job.rule == "train"]
    accept(
        [job for job in trainings if job.wildcards["run"] in kmeans_runs(plan)],
        "a name that nothing reads",
    )
    answer = status(load_plan(SCALE))
    assert set(states(answer)) == {"done"}
    assert display_of(answer, "table_1").state == "done"


def test_a_missing_seed_is_guessed_from_the_others(plan: Plan, tree: Path) -> None:
    RunPaths(SCALE, RUN, 0).receipt.unlink()
    answer = status(plan)
    assert states(answer) == ["missing", "done"]
    missing, done = (training for training in answer.trainings if training.run == RUN)
    assert missing.basis == "other seeds" and missing.hours == done.hours
    assert answer.all_trainings.hours_left == done.hours
    assert display_of(answer, "table_1").state == "stale"


def test_a_removed_seed_makes_its_table_stale_and_leaves_files_over(tree: Path) -> None:
    assert status(load_plan(SCALE)).left_over == 0
    scale = Path(f"params/scales/{SCALE}.yaml")
    scale.write_text(scale.read_text().replace("digits/kmeans: [0, 1]", "digits/kmeans: [0]"))
    forget()
    answer = status(load_plan(SCALE))
    assert states(answer) == ["done"]
    assert display_of(answer, "table_1").state == "stale" and answer.left_over >= 5
    said = CliRunner().invoke(app, ["status", "--scale", SCALE]).stdout
    assert f"{answer.left_over} files of the results belong to no job: iic prune" in said


def test_damaged_receipts_and_other_parents_are_stale(plan: Plan, tree: Path) -> None:
    run_paths = RunPaths(SCALE, RUN, 0)
    receipt = read_record(run_paths.receipt, Receipt)
    write_record(run_paths.receipt, receipt.model_copy(update={"seed": 1}).sealed())
    # trained anew: its evaluation, and so the table, is of another training
    answer = status(plan)
    assert states(answer) == ["done", "done"] and display_of(answer, "table_1").state == "stale"
    run_paths.receipt.write_text("{")
    assert states(status(plan)) == ["stale", "done"]
    Path(f"results/{SCALE}/tables/table_1.run.json").unlink()
    assert display_of(status(plan), "table_1").state == "missing"


def test_processes_before_an_interruption_are_counted(plan: Plan, tree: Path) -> None:
    run_paths = RunPaths(SCALE, RUN, 0)
    receipt = read_record(run_paths.receipt, Receipt)
    start = receipt.timing.start
    session = Session(
        start=start,
        end=start + timedelta(hours=2),
        first_step=0,
        last_step=1,
        host="a",
        device="cpu",
        torch="2",
        deterministic=True,
    )
    later = session.model_copy(update={"end": start + timedelta(hours=1)})
    written = receipt.model_copy(update={"sessions": [session, later]})
    write_record(run_paths.receipt, written.sealed())
    (training, _) = (candidate for candidate in status(plan).trainings if candidate.run == RUN)
    threads = receipt.environment.threads
    assert training.hours is not None
    assert training.hours.core == pytest.approx((2 + receipt.timing.seconds / 3600) * threads)


def test_the_verb_prints_a_plain_table_where_there_is_no_terminal(plan: Plan) -> None:
    RunPaths(SCALE, RUN, 0).receipt.unlink()
    said = CliRunner().invoke(app, ["status", "--scale", SCALE])
    assert said.exit_code == 0
    assert not set(said.stdout) & set("┃│\x1b")
    lines = said.stdout.splitlines()
    (head,) = (line for line in lines if line.startswith("table or figure"))
    assert "left (estimate)" in head and "spent (measured)" in head
    table = next(line.split() for line in lines if line.startswith("table_1 "))
    in_table = sum(len(run.seeds) for run in plan.table_runs("table_1"))
    assert table[:5] == ["table_1", "stale", str(in_table - 1), "0", "1"]
    assert "core-h" in said.stdout and "Hours left are an estimate" in said.stdout


def test_the_verb_as_json(plan: Plan) -> None:
    said = CliRunner().invoke(app, ["status", "--scale", SCALE, "--json"])
    assert said.exit_code == 0
    content = json.loads(said.stdout)
    assert content["scale"] == SCALE
    assert {display["name"] for display in content["displays"]} >= {"table_1", "figure_3"}
    assert content["all_trainings"]["done"] == total(plan) == len(content["trainings"])
    spent = content["all_trainings"]["hours_spent"]["core"]
    assert content["all_trainings"]["hours_total"]["core"] == spent > 0
    assert content["assumed_rates"]["gpu"]["bfloat16"] == 1e14


def test_in_a_terminal_it_is_a_table_in_colour(finished_tree: Path) -> None:
    done = run_in(
        finished_tree, "-m", "iic", "status", "--scale", SCALE, FORCE_COLOR="1", COLUMNS="80"
    )
    assert done.returncode == 0, done.stderr
    assert "\x1b[" in done.stdout and "done" in done.stdout
    assert "…" not in done.stdout, "nothing is cut off on a narrow terminal"


def test_it_needs_neither_torch_nor_results_and_is_quick() -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'sklearn', 'scipy', 'pandas', 'matplotlib'):\n"
        "    sys.modules[name] = None\n"
        "from iic.cli.app import main\n"
        "sys.argv = ['iic', 'status', '--scale', 'mini', '--json']\n"
        "main()\n"
    )
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    # a second or two on an idle machine
    assert time.monotonic() - start < 20
