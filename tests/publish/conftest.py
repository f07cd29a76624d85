"""A clustering run and an overclustering run on ten classes, for the figures of predictions."""

from __future__ import annotations

from pathlib import Path

import pytest

from iic.params.runs import Plan
from iic.publish.figures.predictions import Predictions, load_predictions
from tests.publish.figure_helpers import figures_plan, write_dataset, write_run


@pytest.fixture
def plan() -> Plan:
    return figures_plan()


@pytest.fixture
def root(tmp_path: Path, plan: Plan) -> Path:
    write_dataset(tmp_path, "stl10")
    write_run(tmp_path, plan, "stl10/iic")
    write_run(tmp_path, plan, "stl10/iic_star-pct100", k=30)
    return tmp_path


@pytest.fixture
def predictions(root: Path, plan: Plan) -> Predictions:
    return load_predictions(plan, "figure_1", root)
