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
def whole(tree: Path) -> Plan:
    return load_plan(SCALE)


def display(found: ScaleStatus, name: str) -> DisplayStatus:
    (one,) = (one for one in found.displays if one.name == name)
    return one


def counts(summary: Summary) -> tuple[int, int, int]:
    return summary.done, summary.stale, summary.missing


def states(found: ScaleStatus, run: str = RUN) -> list[str]:
    return [one.state for one in found.trainings if one.run == run]


def total(whole: Plan) -> int:
    return sum(len(run.seeds) for run in whole.runs.values())


def kmeans_runs(whole: Plan) -> set[str]:
    return {run.id for run in whole.runs.values() if run.method == "iic.methods.kmeans"}


def test_with_nothing_measured(tmp_path: Path) -> None:
    whole = load_plan("mini")
    found = status(whole, tmp_path)
    assert {one.state for one in found.displays} == {"missing"}
    names = [*whole.tables, *whole.listings, *whole.figures]
    assert [one.name for one in found.displays] == names
    assert counts(found.all_trainings) == (0, 0, total(whole))
    assert found.all_trainings.hours_spent.core == 0
    assert found.all_trainings.hours_left == found.all_trainings.hours_total
    for one in found.trainings:
        run = whole.run(one.run)
        cost = run.settings.cost(whole.datasets[run.dataset], committed)
        assert cost is not None and one.hours is not None and one.basis == "assumed rate"
        assert (one.hours.core, one.hours.gpu) == (cost.hours(gpu=False), 0)
    assert found.all_trainings.without_estimate == 0


def with_other_network(whole: Plan, run: str) -> Plan:
    """A plan in which a run has a network that is in no committed scale."""
    settings = whole.run(run).settings
    network = settings.network.model_copy(update={"channels": (3, 5, 7)})
    changed = settings.model_copy(update={"network": network})
    runs = {
        name: type(one)(**vars(one) | {"settings": changed}) if name == run else one
        for name, one in whole.runs.items()
    }
    return type(whole)(**vars(whole) | {"runs": runs})


def test_a_network_that_nobody_counted_has_no_estimate(tmp_path: Path) -> None:
    whole = with_other_network(load_plan("mini"), "digits/iic")
    found = status(whole, tmp_path)
    assert {one.run for one in found.trainings if one.hours is None} == {"digits/iic"}
    unknown = len(whole.run("digits/iic").seeds)
    assert found.all_trainings.without_estimate == unknown > 0


def test_the_verb_counts_what_the_file_does_not_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "iic.cli.status.plan", lambda scale: with_other_network(load_plan(scale), "digits/iic")
    )
    monkeypatch.setattr("iic.cli.status.look", lambda whole, count: status(whole, tmp_path, count))
    said = CliRunner().invoke(app, ["status", "--scale", "mini", "--json"])
    assert said.exit_code == 0 and said.stderr.count("counting iic.networks.build.build(") == 2
    assert "channels: [3, 5, 7]" in said.stderr and "iic export operations" in said.stderr
    content = json.loads(said.stdout)
    assert content["all_trainings"]["without_estimate"] == 0


def test_gpu_hours_and_core_hours_are_told_apart(tmp_path: Path) -> None:
    """Other settings of a run's `gpu`, without a scale of its own."""
    whole = load_plan("mini")
    runs = {
        name: run
        if name != "digits/iic"
        else type(run)(**vars(run) | {"settings": run.settings.model_copy(update={"gpu": True})})
        for name, run in whole.runs.items()
    }
    changed = type(whole)(**vars(whole) | {"runs": runs})
    on_cpu, on_gpu = status(whole, tmp_path), status(changed, tmp_path)
    left = on_gpu.all_trainings.hours_left
    assert 0 < left.gpu < on_cpu.all_trainings.hours_left.core
    assert 0 < left.core < on_cpu.all_trainings.hours_left.core
    assert on_cpu.all_trainings.hours_left.gpu == 0


def test_everything_is_done_after_the_jobs(whole: Plan) -> None:
    found = status(whole)
    assert {one.state for one in found.displays} == {"done"}
    assert counts(found.all_trainings) == (total(whole), 0, 0)
    assert found.all_trainings.hours_left.core == 0
    assert {one.basis for one in found.trainings} == {"measured"}
    spent = 0.0
    for one in found.trainings:
        receipt = read_record(RunPaths(SCALE, one.run, one.seed).receipt, Receipt)
        spent += receipt.timing.seconds * receipt.environment.threads / 3600
    assert found.all_trainings.hours_spent.core == pytest.approx(spent)
    # a training that several tables and figures show counts once
    assert sum(one.trainings.done for one in found.displays) > total(whole)


def test_results_stand_without_data_and_artifacts(whole: Plan) -> None:
    shutil.rmtree("data")
    shutil.rmtree(f"results/{SCALE}/artifacts")
    assert {one.state for one in status(whole).displays} == {"done"}


def test_a_changed_setting_makes_its_run_and_what_shows_it_stale(whole: Plan, tree: Path) -> None:
    scale = Path(f"params/scales/{SCALE}.yaml")
    text = scale.read_text()
    assert "restarts: 1" in text
    scale.write_text(text.replace("restarts: 1", "restarts: 2"))
    forget()
    found = status(load_plan(SCALE))
    assert set(states(found)) == {"stale"} and len(states(found)) == 2
    stale = {one.run for one in found.trainings if one.state == "stale"}
    assert stale <= kmeans_runs(whole)
    left = sum(len(whole.run(name).seeds) for name in stale)
    assert counts(found.all_trainings) == (total(whole) - left, left, 0)
    assert display(found, "table_1").state == "stale"
    assert display(found, "table_1").trainings.stale == left
    assert display(found, "figure_3").state == "done"
    # what they once took says nothing of other settings
    assert {one.basis for one in found.trainings if one.run == RUN} == {"assumed rate"}


def test_what_is_thought_of_costs_makes_nothing_stale(whole: Plan, tree: Path) -> None:
    module = Path("iic/params/cost.py")
    text = module.read_text()
    assert '"bfloat16": 100e12' in text
    module.write_text(text.replace('"bfloat16": 100e12', '"bfloat16": 200e12'))
    forget()
    found = status(load_plan(SCALE))
    assert counts(found.all_trainings) == (total(whole), 0, 0)
    assert {one.state for one in found.displays} == {"done"}
    code = fingerprints.train(SCALE, RUN).code
    assert not any(name.startswith("iic.params.networks") for name in code), (
        "k-means has no network, and does not depend on one"
    )


def test_an_accepted_change_of_code_is_done(whole: Plan, tree: Path) -> None:
    module = Path("iic/methods/kmeans.py")
    change(module, "train")
    forget()
    assert set(states(status(load_plan(SCALE)))) == {"stale"}
    trainings = [job for job in jobs.all_jobs(load_plan(SCALE)) if job.rule == "train"]
    accept(
        [job for job in trainings if job.wildcards["run"] in kmeans_runs(whole)],
        "a name that nothing reads",
    )
    found = status(load_plan(SCALE))
    assert set(states(found)) == {"done"}
    assert display(found, "table_1").state == "done"


def test_a_missing_seed_is_guessed_from_the_others(whole: Plan, tree: Path) -> None:
    RunPaths(SCALE, RUN, 0).receipt.unlink()
    found = status(whole)
    assert states(found) == ["missing", "done"]
    missing, done = (one for one in found.trainings if one.run == RUN)
    assert missing.basis == "other seeds" and missing.hours == done.hours
    assert found.all_trainings.hours_left == done.hours
    assert display(found, "table_1").state == "stale"


def test_a_removed_seed_makes_its_table_stale_and_leaves_files_over(tree: Path) -> None:
    assert status(load_plan(SCALE)).left_over == 0
    scale = Path(f"params/scales/{SCALE}.yaml")
    scale.write_text(scale.read_text().replace("digits/kmeans: [0, 1]", "digits/kmeans: [0]"))
    forget()
    found = status(load_plan(SCALE))
    assert states(found) == ["done"]
    assert display(found, "table_1").state == "stale" and found.left_over >= 5
    said = CliRunner().invoke(app, ["status", "--scale", SCALE]).stdout
    assert f"{found.left_over} files of the results belong to no job: iic prune" in said


def test_damaged_receipts_and_other_parents_are_stale(whole: Plan, tree: Path) -> None:
    place = RunPaths(SCALE, RUN, 0)
    receipt = read_record(place.receipt, Receipt)
    write_record(place.receipt, receipt.model_copy(update={"seed": 1}).sealed())
    # trained anew: its evaluation, and so the table, is of another training
    found = status(whole)
    assert states(found) == ["done", "done"] and display(found, "table_1").state == "stale"
    place.receipt.write_text("{")
    assert states(status(whole)) == ["stale", "done"]
    Path(f"results/{SCALE}/tables/table_1.run.json").unlink()
    assert display(status(whole), "table_1").state == "missing"


def test_processes_before_an_interruption_are_counted(whole: Plan, tree: Path) -> None:
    place = RunPaths(SCALE, RUN, 0)
    receipt = read_record(place.receipt, Receipt)
    start = receipt.timing.start
    session = Session(
        start=start, end=start + timedelta(hours=2), first_step=0, last_step=1, host="a",
        device="cpu", torch="2", deterministic=True,
    )  # fmt: skip
    later = session.model_copy(update={"end": start + timedelta(hours=1)})
    written = receipt.model_copy(update={"sessions": [session, later]})
    write_record(place.receipt, written.sealed())
    (one, _) = (one for one in status(whole).trainings if one.run == RUN)
    threads = receipt.environment.threads
    assert one.hours is not None
    assert one.hours.core == pytest.approx((2 + receipt.timing.seconds / 3600) * threads)


def test_the_verb_prints_a_plain_table_where_there_is_no_terminal(whole: Plan) -> None:
    RunPaths(SCALE, RUN, 0).receipt.unlink()
    said = CliRunner().invoke(app, ["status", "--scale", SCALE])
    assert said.exit_code == 0
    assert not set(said.stdout) & set("┃│\x1b")
    lines = said.stdout.splitlines()
    (head,) = (line for line in lines if line.startswith("table or figure"))
    assert "left (estimate)" in head and "spent (measured)" in head
    table = next(line.split() for line in lines if line.startswith("table_1 "))
    in_table = sum(len(run.seeds) for run in whole.table_runs("table_1"))
    assert table[:5] == ["table_1", "stale", str(in_table - 1), "0", "1"]
    assert "core-h" in said.stdout and "Hours left are an estimate" in said.stdout


def test_the_verb_as_json(whole: Plan) -> None:
    said = CliRunner().invoke(app, ["status", "--scale", SCALE, "--json"])
    assert said.exit_code == 0
    content = json.loads(said.stdout)
    assert content["scale"] == SCALE
    assert {one["name"] for one in content["displays"]} >= {"table_1", "figure_3"}
    assert content["all_trainings"]["done"] == total(whole) == len(content["trainings"])
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
