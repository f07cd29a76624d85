"""What docs/imc_swav.md says of scale mini: features are learnt, by IMC-SwAV and by SimSiam."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from iic.data.cifar10 import read
from iic.data.in_memory import in_memory
from iic.data.load import PreparedData
from iic.engine.context import RunContext
from iic.evaluate.metrics import accuracy_per_sub_head
from iic.params.runs import load_plan
from iic.records.paths import RunPaths
from tests.data.standin_helpers import CATALOGUE, ROOT, write_raw

DATASET = CATALOGUE["cifar10_standin"]
MARGIN = 20.0
"""Points above k-means on pixels."""


def stand_in(folder: Path) -> PreparedData:
    write_raw(DATASET, folder)
    batches = list(read(folder, DATASET))
    labels = [batch.labels for batch in batches if batch.labels is not None]
    return in_memory(
        np.concatenate([batch.images for batch in batches]),
        np.concatenate(labels),
        len(DATASET.classes),
        DATASET.splits,
    )


def accuracy(folder: Path, data: PreparedData, name: str, seed: int) -> float:
    """Accuracy on the test images of a run with the settings of scale mini, in percent."""
    run = load_plan("mini", ROOT / "params").run(f"cifar10_standin/{name}")
    assert seed in run.seeds
    context = RunContext(
        data=data,
        classes=len(DATASET.classes),
        settings=run.settings,
        seed=seed,
        paths=RunPaths("mini", run.id, seed),
        fingerprint="f" * 64,
        root=folder,
        live=False,
    )
    clusters = importlib.import_module(run.method).train(context).last.clusters
    classes = len(DATASET.classes)
    scores = accuracy_per_sub_head(clusters, context.protocol.labels, run.settings.k, classes)
    return float(scores[0])


@pytest.mark.long
def test_features_are_learnt_that_pixels_do_not_have(tmp_path: Path) -> None:
    """Long by nature: the four trainings of scale mini, with its settings."""
    data = stand_in(tmp_path / "raw")
    pixels = accuracy(tmp_path, data, "kmeans-test", 0)
    assert accuracy(tmp_path, data, "simsiam", 0) > pixels + MARGIN
    seeds = [accuracy(tmp_path, data, "imc_swav", seed) for seed in (0, 1, 2)]
    assert np.mean(seeds) > pixels + MARGIN, seeds
