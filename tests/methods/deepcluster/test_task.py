"""DeepCluster in the loop: pseudo-labels of all images, sampled evenly, a fresh top layer."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from iic.engine.clustering.kmeans import kmeans
from iic.engine.clustering.whitening import fit_whitening
from iic.engine.seeding import derive
from iic.methods.deepcluster.task import DeepClusterTask, unscaled
from iic.methods.deepcluster.uniform import uniform_over_clusters
from iic.params.errors import IICError
from tests.methods.feature_helpers import context, train

CPU = torch.device("cpu")


def make_task(folder: Path, **arguments: Any) -> DeepClusterTask:
    return DeepClusterTask(context(folder, "deepcluster", **arguments), CPU)


def recluster(task: DeepClusterTask, epoch: int) -> None:
    """What comes before an epoch."""
    task.begin_epoch(epoch, task.optimiser())


def features(task: DeepClusterTask, images: torch.Tensor) -> np.ndarray:
    """Features in evaluation mode, at once."""
    task.network.eval()
    with torch.no_grad():
        outputs = task.network(task.augmentation.evaluation(task.store.batch(images)))
    task.network.train()
    return np.asarray(outputs.numpy())


def test_pseudo_labels_are_k_means_of_the_whitened_features_of_all_images(tmp_path: Path) -> None:
    task = make_task(tmp_path, splits={"train": 200, "test": 100}, evaluation={"test": ["test"]})
    recluster(task, 4)
    every = features(task, torch.arange(300))
    points = fit_whitening([every], 16, "tests")(every)
    seed = derive(0, "pseudo-labels", 4)
    expected = kmeans(points, 30, seed=seed, restarts=1, max_iterations=20).clusters
    labels = task.network.pseudo_labels.numpy()
    assert labels.shape == (300,) and set(labels) == set(range(30))
    assert (labels == expected).mean() > 0.98  # batches round otherwise than all at once
    assert task.network.training


def test_whitened_features_are_what_is_clustered_at_the_end(tmp_path: Path) -> None:
    whitened, principal = (
        make_task(tmp_path, evaluate_on=kind).points() for kind in ("whitened", "principal")
    )
    for points in (whitened, principal):
        assert points.shape == (300, 16) and points.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, rtol=1e-5)
    # whitened directions count alike, unscaled ones by their variance
    assert whitened.var(axis=0)[0] < 2 * whitened.var(axis=0)[7]
    assert principal.var(axis=0)[0] > 5 * principal.var(axis=0)[7]


def test_unscaled_directions_keep_distances() -> None:
    draw = np.random.default_rng(0)
    points = (draw.normal(size=(50, 4)) * [5, 3, 2, 1] + 7).astype(np.float32)
    turned = unscaled(fit_whitening([points], 4, "tests"))
    np.testing.assert_allclose(turned.projection.T @ turned.projection, np.eye(4), atol=1e-4)


def test_directions_are_found_on_as_many_images_as_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    original = DeepClusterTask.evaluations

    def noting(self: DeepClusterTask, indices: torch.Tensor) -> Any:
        seen.append(len(indices))
        return original(self, indices)

    monkeypatch.setattr(DeepClusterTask, "evaluations", noting)
    recluster(make_task(tmp_path, directions_images=120), 0)
    recluster(make_task(tmp_path, directions_images=None), 0)
    assert seen == [120, 300, 300, 300]


def test_features_come_in_batches_and_are_never_held_together(tmp_path: Path) -> None:
    chunks = make_task(tmp_path, schedule={"evaluation_batch": 70}).evaluations(torch.arange(300))
    assert [len(chunk) for chunk in chunks] == [70, 70, 70, 70, 20]


def test_sampling_is_uniform_over_clusters() -> None:
    labels = torch.tensor([0] * 90 + [2] * 6 + [3] * 3 + [5])
    draw = torch.Generator().manual_seed(0)
    places = uniform_over_clusters(labels, draw)
    assert len(places) == 100
    sizes = {label: int((labels[places] == label).sum()) for label in (0, 2, 3, 5)}
    assert set(sizes.values()) == {25}
    # a large cluster gives no image twice, a small one all it has
    assert len(set(places[labels[places] == 0].tolist())) == 25
    assert set(places.tolist()) >= {99}
    assert torch.equal(places, uniform_over_clusters(labels, torch.Generator().manual_seed(0)))
    assert not torch.equal(places, uniform_over_clusters(labels, draw))


def test_shares_that_do_not_come_out_even_are_cut() -> None:
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 2])
    places = uniform_over_clusters(labels, torch.Generator().manual_seed(1))
    assert len(places) == 7
    assert sorted(torch.bincount(labels[places]).tolist())[0] >= 1


def test_batches_are_sampled_from_the_pseudo_labels(tmp_path: Path) -> None:
    task = make_task(tmp_path)
    task.network.pseudo_labels.copy_(torch.arange(300) // 200)
    batches = task.order(0, 0)
    assert [len(batch) for batch in batches] == [60] * 5 and task.steps(task.passes_of(0)[0]) == 5
    chosen = torch.bincount(task.network.pseudo_labels[torch.cat(batches)])
    assert chosen.tolist() == [150, 150]
    again, later = task.order(0, 0), task.order(1, 0)
    assert torch.equal(torch.cat(batches), torch.cat(again))
    assert not torch.equal(torch.cat(batches), torch.cat(later))


def test_the_loss_is_cross_entropy_of_the_pseudo_labels(tmp_path: Path) -> None:
    """Of the right images, where the training splits are not the first ones."""
    task = make_task(tmp_path)
    task.training = torch.arange(100, 300)
    task.network.pseudo_labels = torch.arange(200, dtype=torch.int32) % 30
    chosen = torch.tensor([5, 0, 199])
    loss = task.loss(task.passes_of(0)[0], chosen, torch.Generator().manual_seed(1))
    images = task.store.batch(chosen + 100)
    seen = task.augmentation.transformed(images, 1, torch.Generator().manual_seed(1))
    logits = task.network.top(task.network(seen).relu())
    expected = cross_entropy(logits, torch.tensor([5, 0, 199 % 30]))
    torch.testing.assert_close(loss, expected.reshape(1))


def test_the_top_layer_is_forgotten_before_each_epoch_and_has_no_momentum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[torch.Tensor] = []
    ends: list[torch.Tensor] = []
    feature: list[torch.Tensor] = []
    original = DeepClusterTask.begin_epoch

    def noting(self: DeepClusterTask, epoch: int, optimiser: torch.optim.Optimizer) -> None:
        top = self.network.top
        ends.append(top.weight.detach().clone())
        original(self, epoch, optimiser)
        starts.append(top.weight.detach().clone())
        feature.append(self.network.feature.weight.detach().clone())
        assert not top.bias.any()
        kept = {id(parameter) for parameter in optimiser.state}
        assert not kept & {id(parameter) for parameter in top.parameters()}
        assert bool(kept) == (epoch > 0)

    monkeypatch.setattr(DeepClusterTask, "begin_epoch", noting)
    outcome = train(tmp_path, "deepcluster")
    assert len(starts) == 3
    for first, second in pairwise(starts):
        assert not torch.equal(first, second)
    for weight, before in zip(starts, ends, strict=True):
        assert not torch.equal(weight, before)
        assert float(weight.std()) == pytest.approx(0.01, rel=0.1)
        assert abs(float(weight.mean())) < 1e-3
    # the feature layer is not
    assert not torch.equal(feature[0], feature[1])
    assert (feature[0] - feature[1]).abs().max() < 0.05
    assert outcome.tensors is not None
    assert np.abs(outcome.tensors["last.top.weight"] - starts[-1].numpy()).max() > 1e-4


def test_more_clusters_than_images_are_refused_before_the_first_step(tmp_path: Path) -> None:
    """Where the settings could not be compared with the catalogue."""
    with pytest.raises(IICError, match="301 clusters for 300 points"):
        train(tmp_path, "deepcluster", clusters=301)
