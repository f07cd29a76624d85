"""Hours that trainings ask for: by receipts, by estimates, and without either."""

from __future__ import annotations

import math
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from iic.params.operations import committed
from iic.params.runs import Plan, Run, load_plan
from iic.provenance.runtime import FACTOR, hours_asked
from iic.records.files import read_record, write_record
from iic.records.paths import RunPaths
from iic.records.receipt import Receipt, Session
from tests.conftest import ROOT

KMEANS = RunPaths("laptop", "mnist/kmeans", 0).receipt


def changed(run: Run, **settings: object) -> Run:
    return type(run)(**vars(run) | {"settings": run.settings.model_copy(update=settings)})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A clone with the one receipt of k-means on MNIST that is committed."""
    (tmp_path / KMEANS).parent.mkdir(parents=True)
    shutil.copy(ROOT / KMEANS, tmp_path / KMEANS)
    return tmp_path


@pytest.fixture
def paper() -> Plan:
    return load_plan("paper")


def test_two_minutes_ask_for_an_hour_and_not_for_a_day(paper: Plan) -> None:
    for name in ("mnist/kmeans", "mnist/spectral"):
        assert hours_asked(paper, paper.run(name), ROOT) == 1


def test_the_receipt_decides_wherever_it_lies_and_with_the_threads_of_the_run(
    root: Path, paper: Plan
) -> None:
    receipt = read_record(root / KMEANS, Receipt)
    assert receipt.environment.threads == 2 and paper.run("mnist/kmeans").settings.threads == 1
    seconds = 5 * 3600.0
    long = receipt.model_copy(
        update={"timing": receipt.timing.model_copy(update={"seconds": seconds})}
    )
    write_record(root / KMEANS, long.sealed())
    assert hours_asked(paper, paper.run("mnist/kmeans"), root) == FACTOR * 2 * 5
    laptop = load_plan("laptop")
    assert hours_asked(laptop, laptop.run("mnist/kmeans"), root) == FACTOR * 5
    # processes before an interruption count as well
    start = receipt.timing.start
    hour = Session(
        start=start,
        end=start + timedelta(hours=1),
        first_step=0,
        last_step=1,
        host="a",
        device="cpu",
        torch="2",
        deterministic=True,
    )
    resumed = long.model_copy(update={"sessions": [hour, hour]})
    write_record(root / KMEANS, resumed.sealed())
    assert hours_asked(laptop, laptop.run("mnist/kmeans"), root) == FACTOR * 6


def test_receipts_of_other_settings_and_damaged_ones_say_nothing(root: Path, paper: Plan) -> None:
    run = paper.run("mnist/kmeans")
    assert hours_asked(paper, run, root) == 1
    receipt = read_record(root / KMEANS, Receipt)
    settings = {**receipt.fingerprint.settings, "restarts": 11}
    other = receipt.fingerprint.model_copy(update={"settings": settings})
    write_record(root / KMEANS, receipt.model_copy(update={"fingerprint": other}).sealed())
    assert hours_asked(paper, run, root) == 2
    (root / KMEANS).write_text("{")
    assert hours_asked(paper, run, root) == 2


def test_settings_that_came_after_a_receipt_do_not_count(root: Path, paper: Plan) -> None:
    receipt = read_record(root / KMEANS, Receipt)
    settings = {key: value for key, value in receipt.fingerprint.settings.items() if key != "gpu"}
    earlier = receipt.fingerprint.model_copy(update={"settings": settings | {"method": "iic.old"}})
    write_record(root / KMEANS, receipt.model_copy(update={"fingerprint": earlier}).sealed())
    assert hours_asked(paper, paper.run("mnist/kmeans"), root) == 1


def test_without_a_receipt_the_estimate_decides(tmp_path: Path, paper: Plan) -> None:
    run = paper.run("stl10/iic")
    cost = run.settings.cost(paper.datasets["stl10"], committed)
    assert cost is not None
    hours = FACTOR * cost.hours(gpu=True) + cost.steps / 20 / 3600
    assert math.isclose(hours_asked(paper, run, tmp_path), hours, abs_tol=0.5)
    assert hours_asked(paper, run, tmp_path) > 24
    on_cores = changed(run, gpu=False, threads=8)
    expected = FACTOR * cost.hours(gpu=False) / 8 + cost.steps / 20 / 3600
    assert math.isclose(hours_asked(paper, on_cores, tmp_path), expected, abs_tol=0.5)
    assert hours_asked(paper, paper.run("mnist/kmeans"), tmp_path) == 2


def test_a_network_that_nobody_counted_asks_for_a_day(tmp_path: Path, paper: Plan) -> None:
    run = paper.run("stl10/iic")
    network = run.settings.network.model_copy(update={"width": 0.3})
    assert hours_asked(paper, changed(run, network=network), tmp_path) == 24
