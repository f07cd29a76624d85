from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from iic.params.runs import Plan
from iic.publish.figures import bars
from iic.publish.figures.predictions import Predictions, load_predictions
from iic.publish.figures.style import FigureError
from iic.records.assignments import read_assignments, write_assignments
from iic.records.evaluation import Evaluation
from iic.records.files import RecordError, read_record, write_record
from iic.records.paths import RunPaths
from iic.records.snapshots import read_probabilities, write_probabilities
from tests.publish.figure_helpers import SPLITS, figures_plan

IIC = RunPaths("tiny", "stl10/iic", 0)
LABELLED = SPLITS["train"] + SPLITS["test"]


def test_predictions_are_those_of_the_lowest_loss_sub_head(predictions: Predictions) -> None:
    assert predictions.head == 1
    # in that sub-head cluster c is class c + 3
    np.testing.assert_array_equal(predictions.mapping, (np.arange(10) + 3) % 10)
    np.testing.assert_array_equal(predictions.labels, np.arange(LABELLED) % 10)
    assert predictions.accuracy == pytest.approx(
        100 * np.mean(predictions.predicted == predictions.labels)
    )
    assert 55 < predictions.accuracy < 85


def test_overclustering_shows_test_images_and_sums_over_the_clusters_of_a_class(
    root: Path, plan: Plan
) -> None:
    star = load_predictions(plan, "supp_figure_2", root)
    assert star.indices.min() == SPLITS["train"] and len(star.labels) == SPLITS["test"]
    for row in range(0, len(star.labels), 7):
        shares = star.class_probabilities(row)
        for label in range(10):
            of_class = star.probabilities[row][star.mapping == label]
            assert shares[label] == pytest.approx(of_class.sum(), abs=1e-6)
        assert shares.sum() == pytest.approx(1, abs=1e-2)


def test_a_cluster_without_class_adds_to_no_class(predictions: Predictions) -> None:
    mapping = np.array([1, -1, *[0] * 8])
    changed = replace(predictions, mapping=mapping)
    shares = changed.class_probabilities(0)
    assert shares[1] == pytest.approx(predictions.probabilities[0, 0])
    assert shares.sum() == pytest.approx(1 - predictions.probabilities[0, 1], abs=1e-2)
    row = int(np.flatnonzero(predictions.clusters == 1)[0])
    assert changed.predicted[row] == -1 and not changed.right[row]
    kinds = bars.kinds(changed, row)
    assert "wrong prediction" not in kinds and kinds[changed.labels[row]] == "true class"


def test_samples_are_seeded_and_of_the_members_only(predictions: Predictions) -> None:
    members = predictions.clusters == 4
    first = predictions.sample(members, 5, 0)
    assert first == predictions.sample(members, 5, 0) != predictions.sample(members, 5, 1)
    assert len(set(first)) == 5 and members[first].all()
    assert sorted(predictions.sample(members, 1000, 0)) == np.flatnonzero(members).tolist()
    assert predictions.sample(np.zeros_like(members), 5, 0) == []


def test_a_scale_without_the_run_says_so(root: Path) -> None:
    plan = figures_plan(without=("stl10/iic",))
    with pytest.raises(FigureError, match=r"scale tiny has no run stl10/iic\n  remedy: take"):
        load_predictions(plan, "figure_5", root)


def test_missing_probabilities_name_file_and_remedy(root: Path, plan: Plan) -> None:
    (root / IIC.probabilities).unlink()
    with pytest.raises(
        FigureError, match=r"probabilities.parquet: missing\n  remedy: `iic restore --scale tiny`"
    ):
        load_predictions(plan, "figure_1", root)


@pytest.mark.parametrize("path", [IIC.assignments, IIC.evaluation, IIC.receipt])
def test_other_missing_files_are_named(root: Path, plan: Plan, path: Path) -> None:
    (root / path).unlink()
    with pytest.raises(RecordError, match=str(path.name)):
        load_predictions(plan, "figure_1", root)


def test_a_wrong_mapping_is_noticed(root: Path, plan: Plan) -> None:
    evaluation = read_record(root / IIC.evaluation, Evaluation)
    head = evaluation.checkpoints["last"].sub_heads[1]
    assert head.mapping is not None
    head.mapping[0], head.mapping[1] = head.mapping[1], head.mapping[0]
    write_record(root / IIC.evaluation, evaluation)
    message = (
        r"sub_heads.1.acc: .*, but with its mapping .*\n  remedy: `iic evaluate --dataset stl10"
    )
    with pytest.raises(FigureError, match=message):
        load_predictions(plan, "figure_1", root)


def test_the_mapping_of_the_other_sub_head_is_noticed(root: Path, plan: Plan) -> None:
    evaluation = read_record(root / IIC.evaluation, Evaluation)
    heads = evaluation.checkpoints["last"].sub_heads
    heads[1] = heads[1].model_copy(update={"mapping": heads[0].mapping})
    write_record(root / IIC.evaluation, evaluation)
    with pytest.raises(FigureError, match="with its mapping"):
        load_predictions(plan, "figure_1", root)


def test_probabilities_of_other_images_are_noticed(root: Path, plan: Plan) -> None:
    z = read_probabilities(root / IIC.probabilities).swapaxes(0, 1)
    write_probabilities(root / IIC.probabilities, z[::-1].astype(np.float16))
    with pytest.raises(FigureError, match="the most probable cluster is not the one in"):
        load_predictions(plan, "figure_1", root)
    write_probabilities(root / IIC.probabilities, z[:-1].astype(np.float16))
    with pytest.raises(FigureError, match=r"are \(2, 149, 10\), but .* \(2, 150, 10\)"):
        load_predictions(plan, "figure_1", root)


def test_assignments_of_other_data_are_noticed(root: Path, plan: Plan) -> None:
    last = read_assignments(root / IIC.assignments)["last"]
    assert last.labels is not None
    others = np.roll(last.labels, 1)
    write_assignments(root / IIC.assignments, {"last": last.clusters}, others, last.indices)
    with pytest.raises(FigureError, match="label: differs from the labels in data/prepared/stl10"):
        load_predictions(plan, "figure_1", root)


def test_a_run_without_labels_cannot_be_drawn(root: Path, plan: Plan) -> None:
    evaluation = read_record(root / IIC.evaluation, Evaluation)
    heads = evaluation.checkpoints["last"].sub_heads
    heads[1] = heads[1].model_copy(update={"mapping": None, "acc": None})
    write_record(root / IIC.evaluation, evaluation)
    with pytest.raises(FigureError, match=r"sub_heads.1.mapping: null.*\n  remedy: draw"):
        load_predictions(plan, "figure_1", root)
