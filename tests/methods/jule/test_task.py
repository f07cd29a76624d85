"""JULE in the loop: rounds of merging, its learning rate, and that it learns."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from torch import Tensor

from iic.engine.clustering.neighbours import nearest
from iic.evaluate.metrics import accuracy_per_sub_head
from iic.methods.jule import task as tasks
from iic.methods.jule.agglomeration import chains
from iic.methods.jule.network import JULENetwork
from iic.methods.jule.network_settings import JULENetworkSettings
from iic.methods.jule.task import JULETask
from iic.params.errors import IICError
from tests.methods.autoencoders.test_methods import CHANCE
from tests.methods.clustering_helpers import context, digits, mixer, score, train

CPU = torch.device("cpu")


def kmeans_accuracy() -> float:
    """That of k-means on the pixels of all images."""
    images, labels = digits()
    points = images.reshape(len(images), -1).astype(np.float32)
    clusters = KMeans(10, n_init=10, random_state=0).fit_predict(points)
    return float(accuracy_per_sub_head(clusters[:, None], labels, 10, 10)[0])


LEARNING: dict[str, Any] = {
    "number": 1797,
    "encoder": {"widths": [16, 32], "features": 32},
    "graph": {"rate": 0.9},
    "batch_images": 100,
    "round_epochs": 10,
    "schedule": {"epochs": 40, "evaluate_every": 40, "evaluation_batch": 500},
}


def test_the_network_of_mnist_has_the_released_shapes() -> None:
    torch.manual_seed(0)
    network = JULENetwork(JULENetworkSettings(input_size=28, in_channels=1))
    shapes = [
        tuple(layer.weight.shape)
        for layer in network.layers
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear)
    ]
    assert shapes == [(50, 1, 5, 5), (50, 50, 5, 5), (160, 3200)]
    assert float(network.layers[-1].weight.detach().std()) == pytest.approx(0.01, rel=0.02)
    lengths = network(torch.rand(3, 1, 28, 28)).norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones(3))


def test_rounds_lead_from_the_first_clusters_to_k(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    own = JULETask._remember

    def remember(self: JULETask, clusters: np.ndarray) -> None:
        counts.append(len(set(clusters.tolist())))
        assert sorted(set(clusters.tolist())) == list(range(counts[-1]))
        own(self, clusters)

    monkeypatch.setattr(JULETask, "_remember", remember)
    outcome = train(tmp_path, "jule", schedule={"epochs": 50})
    images = digits()[0][:300].reshape(300, 28, 28)
    averaged = images.reshape(300, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(300, -1)
    points = (averaged / np.linalg.norm(averaged, axis=1, keepdims=True)).astype(np.float32)
    wanted = [int(chains(nearest(points, 20)[1][:, 0]).max()) + 1]
    while wanted[-1] > 10:
        wanted.append(max(10, wanted[-1] - math.ceil(0.5 * wanted[-1])))
    assert counts == wanted
    # an epoch a round, none after the last
    assert outcome.last.epoch == len(wanted) - 1 == outcome.history[-1]["epoch"]


def test_a_limit_ends_the_training_before(tmp_path: Path) -> None:
    outcome = train(tmp_path, "jule", schedule={"epochs": 1})
    assert outcome.last.epoch == 1 and set(outcome.last.clusters[:, 0]) == set(range(10))


def test_the_learning_rate_falls(tmp_path: Path) -> None:
    task = JULETask(context(tmp_path, "jule", optimiser={"learning_rate": 0.02}, decay=0.1), CPU)
    optimiser = task.optimiser()
    for epoch in (0, 3):
        task.begin_epoch(epoch, optimiser)
        wanted = 0.02 * (1 + 0.1 * 5 * epoch) ** -0.75
        assert optimiser.param_groups[0]["lr"] == pytest.approx(wanted)


def test_batches_carry_the_clusters_of_their_images(tmp_path: Path) -> None:
    splits = {"train": 200, "test": 100}
    task = JULETask(context(tmp_path, "jule", splits=splits), CPU)
    task.begin_epoch(0, task.optimiser())
    batches = task.order(0, 0)
    positions = torch.cat([batch[0] for batch in batches])
    assert sorted(positions.tolist()) == list(range(300))
    for batch in batches:
        assert torch.equal(batch[1].int(), task.network.clusters[batch[0]])
        assert task.examples(batch) == batch.shape[1]


def test_more_clusters_than_neighbours_allow(tmp_path: Path) -> None:
    """Ten images and their copies, one a little brighter: ten first clusters."""
    ten = digits()[0][:10]
    copies = np.concatenate([np.clip(ten.astype(int) + step, 0, 255) for step in range(4)])
    changes: dict[str, Any] = {"graph": {"neighbours": 3}, "batch_images": 10}
    right = train(tmp_path / "10", "jule", images=copies.astype(np.uint8), number=40, **changes)
    assert right.last.epoch <= 1
    with pytest.raises(
        IICError, match=r"(?s)of 40 images make 10 clusters.*k is 11.*remedy: k of at most 10"
    ):
        train(tmp_path / "11", "jule", images=copies.astype(np.uint8), number=40, k=11, **changes)


def test_it_learns_and_beats_k_means_on_pixels(tmp_path: Path) -> None:
    """Each seed by 60 points above chance, and together by 2 above k-means."""
    scores = [
        score(train(tmp_path / str(seed), "jule", seed=seed, **LEARNING)) for seed in (0, 1, 2)
    ]
    assert min(scores) > CHANCE + 60
    assert np.mean(scores) > kmeans_accuracy() + 2


def test_with_triplets_of_mixed_images_it_learns_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Features are worse than before the training, where the clusters are not the images' own."""
    own, mix = tasks.triplets, mixer()

    def mixed(clusters: Tensor, most: int) -> Any:
        return own(clusters[mix(len(clusters))], most)

    before = score(train(tmp_path / "before", "jule", **LEARNING | {"schedule": {"epochs": 0}}))
    monkeypatch.setattr(tasks, "triplets", mixed)
    assert score(train(tmp_path / "mixed", "jule", **LEARNING)) < before
