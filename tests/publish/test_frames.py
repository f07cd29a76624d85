"""Results as frames: the same numbers as in the tables, by another way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pandas import isna

from iic.params.runs import load_plan
from iic.publish.frames import cells, curves, scores
from iic.records.files import RecordError
from iic.records.history import read_history
from iic.records.paths import RunPaths

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("scale", ["laptop", "laptop_cifar10"])
def test_means_and_spreads_of_the_tables_are_those_of_the_scores(scale: str) -> None:
    by_seed = scores(scale, ROOT).groupby(["dataset", "run", "selection"])["acc"]
    expected = by_seed.agg(["mean", "std", "count"])
    table = load_plan(scale, ROOT / "params").tables["table_1"]
    runs = {(row.row, row.fidelity): row.run for row in table.rows}
    measured = cells(scale, ROOT).query("table == 'table_1' and status == 'measured'")
    assert len(measured) > 3
    for cell in measured.itertuples():
        mean, std, count = expected.loc[cell.column, runs[cell.row, cell.fidelity], cell.selection]
        # two decimals are printed
        assert abs(cell.ours_mean - mean) <= 0.005 + 1e-9
        assert cell.n_seeds == count
        assert isna(cell.ours_std) if isna(std) else abs(cell.ours_std - std) <= 0.005 + 1e-9


def test_curves_have_every_epoch_of_every_sub_head() -> None:
    frame = curves("laptop", ROOT).query("dataset == 'mnist' and run == 'iic' and seed == 0")
    history = read_history(ROOT / RunPaths("laptop", "mnist/iic", 0).history)
    assert len(frame) == sum(max(1, len(epoch["accuracy"] or ())) for epoch in history)
    last = frame[frame["epoch"] == history[-1]["epoch"]]
    assert list(last["accuracy"]) == history[-1]["accuracy"]
    assert list(last["sub_head"]) == list(range(len(last)))
    np.testing.assert_allclose(last["loss"], np.mean(history[-1]["loss"]))
    assert frame[frame["epoch"] == 0]["loss"].isna().all()


def test_numbers_are_numbers_and_what_is_not_there_is_nan() -> None:
    frame = cells("laptop", ROOT)
    assert frame["ours_mean"].dtype == frame["published"].dtype == np.float64
    assert frame[frame["status"] != "measured"]["ours_mean"].isna().all()
    assert scores("laptop", ROOT).query("selection == 'mean_head'")["sub_head"].isna().all()


@pytest.mark.parametrize("frame", [cells, scores, curves])
def test_a_scale_without_results_says_what_to_run(frame: object, tmp_path: Path) -> None:
    (tmp_path / "params").symlink_to(ROOT / "params")
    assert callable(frame)
    with pytest.raises(
        RecordError, match=r"results/laptop: there is no .* here\n  remedy: iic run"
    ):
        frame("laptop", tmp_path)
