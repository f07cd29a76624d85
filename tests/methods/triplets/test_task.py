"""Triplets in the loop: which image is whose negative, and what the network is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from iic.methods.triplets.loss import triplet_loss
from iic.methods.triplets.task import TripletTask
from tests.methods.feature_helpers import context, train

CPU = torch.device("cpu")


def make_task(folder: Path, **arguments: Any) -> TripletTask:
    return TripletTask(context(folder, "triplets", **arguments), CPU)


def columns(triplet_task: TripletTask, epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Anchors and negatives of an epoch."""
    anchors, negatives = torch.cat(triplet_task.order(epoch, 0)).unbind(dim=1)
    return anchors, negatives


def test_negatives_are_all_images_in_an_order_of_their_own(tmp_path: Path) -> None:
    task = make_task(tmp_path, number=150)
    assert [tuple(batch.shape) for batch in task.order(0, 0)] == [(60, 2), (60, 2), (30, 2)]
    first, second = columns(task, 0), columns(task, 1)
    for anchors, negatives in (first, second):
        assert torch.equal(anchors, torch.arange(150))
        assert torch.equal(negatives.sort().values, anchors)
        assert (negatives == anchors).sum() < 10
    assert not torch.equal(first[1], second[1])
    assert torch.equal(columns(task, 0)[1], first[1])
    assert torch.equal(columns(make_task(tmp_path, number=150), 0)[1], first[1])
    assert not torch.equal(columns(make_task(tmp_path, number=150, seed=1), 0)[1], first[1])


def test_the_order_of_the_anchors_does_not_move_the_negatives(tmp_path: Path) -> None:
    plain, shuffled = (
        columns(make_task(tmp_path, order=kind), 2) for kind in ("dataset", "shuffled")
    )
    assert not torch.equal(plain[0], shuffled[0])
    assert torch.equal(shuffled[0].sort().values, plain[0])
    assert torch.equal(plain[1], shuffled[1])
    assert not torch.equal(shuffled[0], shuffled[1])


def test_unlabelled_images_are_interleaved_as_for_iic(tmp_path: Path) -> None:
    run = context(
        tmp_path,
        "triplets",
        splits={"train": 50, "unlabeled": 200, "test": 50},
        order="interleaved",
    )
    object.__setattr__(
        run,
        "settings",
        run.settings.model_copy(update={"splits": ("train", "unlabeled", "test")}),
    )
    anchors, negatives = columns(TripletTask(run, CPU), 0)
    assert anchors[:6].tolist() == [0, 50, 51, 52, 53, 1]
    assert anchors[-50:].tolist() == list(range(250, 300))
    assert torch.equal(negatives.sort().values, torch.arange(300))


@pytest.mark.parametrize("margin", [None, 5.0])
def test_the_loss_of_a_batch(tmp_path: Path, margin: float | None) -> None:
    task = make_task(tmp_path, margin=margin)
    chosen = torch.tensor([[3, 7], [250, 0], [9, 9]])
    loss = task.loss(task.passes_of(0)[0], chosen, torch.Generator().manual_seed(1))
    draw = torch.Generator().manual_seed(1)
    images, others = task.store.batch(chosen[:, 0]), task.store.batch(chosen[:, 1])
    seen = [
        task.augmentation.original(images, draw),
        task.augmentation.transformed(images, 1, draw),
        task.augmentation.original(others, draw),
    ]
    expected = triplet_loss(*(task.network(member) for member in seen), margin)
    torch.testing.assert_close(loss, expected.reshape(1))


def test_clusters_are_k_means_of_the_raw_outputs(tmp_path: Path) -> None:
    from iic.engine.clustering.kmeans import kmeans
    from iic.engine.seeding import derive

    task = make_task(tmp_path)
    task.network.eval()
    with torch.no_grad():
        outputs = task.network(task.augmentation.evaluation(task.store.batch(torch.arange(300))))
    np.testing.assert_allclose(task.points(), outputs.numpy(), rtol=1e-5, atol=1e-6)
    for final, restarts in ((False, 2), (True, 4)):
        expected = kmeans(task.points(), 10, seed=derive(0, "kmeans"), restarts=restarts)
        predict = task.predict(probabilities=final)
        np.testing.assert_array_equal(predict.clusters[:, 0], expected.clusters)
        assert predict.probabilities is None
        assert task.selection_losses() == (expected.inertia,)


def test_statistics_are_refreshed_by_the_evaluated_images(tmp_path: Path) -> None:
    plain, refreshed = (
        train(
            tmp_path / str(double), "triplets", schedule={"epochs": 1, "double_evaluation": double}
        ).tensors
        for double in (False, True)
    )
    assert plain is not None and refreshed is not None
    name = "last.trunk.layers.1.running_mean"
    assert (plain[name] != refreshed[name]).any()
