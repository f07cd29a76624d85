"""Training on pairs of patches: what the network is shown and asked, resumption, clusters."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from iic.data.maps import IGNORED, UNLABELLED
from iic.engine.clustering.pixels import cluster_pixels
from iic.engine.context import Interrupted, NonFiniteLoss
from iic.engine.map_context import MapContext
from iic.methods.patch_pairs.colour_dropping import colour_statistics
from iic.methods.patch_pairs.task import PatchPairTask
from tests.engine.scenes import SIDE
from tests.methods.autoencoders.test_task import interrupt, same
from tests.methods.patch_pairs.patch_helpers import NAMES, PATCH, context, make_task, train

STILL = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}
OWN = {"patches": {"shared_place": False}}


class Shown:
    """Stands for the network: keeps what it is shown, and answers zeros."""

    def __init__(self, task: PatchPairTask) -> None:
        self.calls: list[tuple[Tensor, Tensor, Tensor]] = []
        self.outputs = task.pretext.outputs
        task.forward = self  # type: ignore[assignment]

    def __call__(self, part: Any, images: Tensor, centre: Tensor, other: Tensor) -> Tensor:
        self.calls.append((images, centre, other))
        return torch.zeros(len(images), self.outputs)


def draw(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# an epoch has 3 steps: in the first, at an epoch's end, inside one, in the very last
@pytest.mark.parametrize("after", [1, 3, 5, 9])
@pytest.mark.parametrize("name", NAMES)
def test_interrupted_and_resumed_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, after: int
) -> None:
    original, done = PatchPairTask.loss, 0

    def loss(self: PatchPairTask, *arguments: Any) -> Tensor:
        nonlocal done
        done += 1
        loss_there = original(self, *arguments)
        return interrupt(loss_there) if done == after else loss_there

    with monkeypatch.context() as patch:
        patch.setattr(PatchPairTask, "loss", loss)
        with pytest.raises(Interrupted, match=f"SIGTERM after step {after}"):
            train(tmp_path / "a", name)
    resumed = train(tmp_path / "a", name)
    assert len(resumed.sessions) == 2
    same(train(tmp_path / "b", name), resumed)
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN


def test_a_loss_that_is_not_finite_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = PatchPairTask.loss
    monkeypatch.setattr(PatchPairTask, "loss", lambda *a: original(*a) * float("nan"))
    with pytest.raises(NonFiniteLoss, match="the loss is nan in epoch 1"):
        train(tmp_path, "isola")


def test_each_image_is_seen_once_an_epoch_in_another_order(tmp_path: Path) -> None:
    task = make_task(context(tmp_path, "doersch"), "doersch")
    orders = [torch.cat(task.order(epoch, 0)) for epoch in (0, 1, 0)]
    assert [len(batch) for batch in task.order(0, 0)] == [4, 4, 2]
    for order in orders:
        assert torch.equal(order.sort().values, torch.arange(10))
    assert torch.equal(orders[0], orders[2]) and not torch.equal(orders[0], orders[1])


def test_only_the_named_splits_are_trained_on_and_only_those_asked_for_are_scored(
    tmp_path: Path,
) -> None:
    settings = {"splits": ["train"], "evaluation": {"mapping": ["val"], "test": ["val"]}}
    run = context(tmp_path, "isola", parts={"train": 7, "val": 3}, **settings)
    task = make_task(run, "isola")
    assert set(torch.cat(task.order(0, 0)).tolist()) == set(range(7))
    assert task.predict().clusters.shape == (3, 1, 3, 3)


@pytest.mark.parametrize("name", NAMES)
def test_one_place_for_all_images_of_a_batch_or_one_for_each(tmp_path: Path, name: str) -> None:
    for number, settings in ((1, {}), (10, OWN)):
        task = make_task(context(tmp_path, name, **settings), name)
        shown = Shown(task)
        targets = set()
        for seed in range(40):
            _, target, _ = task.answers(torch.arange(10), draw(seed))
            assert target.shape == (10,)
            assert len(target.unique()) == 1 or number == 10
            targets |= set(target.tolist())
        for _, centre, other in shown.calls:
            assert centre.shape == other.shape == (number, 2)
            for corner in (centre, other):
                assert corner.min() >= PATCH // 2 and corner.max() < SIDE - PATCH // 2
        # the same step has the same places, another step others
        _, again, _ = task.answers(torch.arange(10), draw(39))
        assert torch.equal(again, target)
        assert torch.equal(shown.calls[-1][1], shown.calls[-2][1])
        assert len({tuple(centre[0].tolist()) for _, centre, _ in shown.calls}) > 10
        assert len(targets) == (2 if name == "isola" else 9)


@pytest.mark.parametrize("settings", [{}, OWN], ids=["shared", "own"])
def test_pairs_count_where_at_least_one_centre_has_a_class(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    """Pixels with a class are white here, so the mirrored image itself says which pairs count."""
    run = context(tmp_path, "isola", augmentation=STILL, **settings)
    noise = np.random.default_rng(0).random(run.data.labels.shape)
    run.data.labels[noise < 0.4] = IGNORED
    run.data.labels[noise > 0.8] = UNLABELLED
    run.data.images[:] = np.where(run.data.labels < 3, 255, 0)[:, None]
    task = make_task(run, "isola")
    shown = Shown(task)
    counted = []
    rows = torch.arange(10)
    for seed in range(30):
        _, _, kept = task.answers(rows, draw(seed))
        images, *places = shown.calls[-1]
        white = [images[rows, 0, corner[:, 0], corner[:, 1]] > 0.5 for corner in places]
        assert torch.equal(kept, white[0] | white[1])
        counted.append(kept)
    share = float(torch.cat(counted).float().mean())
    assert 0.2 < share < 0.95
    free = make_task(context(tmp_path, "isola", maps={"training_mask": False}), "isola")
    assert free.answers(rows, draw(0))[2].all()


def test_the_loss_is_the_mean_over_pairs_that_count(tmp_path: Path) -> None:
    run = context(tmp_path, "doersch", **OWN)
    run.data.labels[::2] = IGNORED
    task = make_task(run, "doersch")
    task.network.eval()
    with torch.no_grad():
        outputs, target, kept = task.answers(torch.arange(10), draw(1))
        loss = task.loss(task.passes_of(0)[0], torch.arange(10), draw(1))
    assert not kept[::2].any() and kept[1::2].any()
    assert loss.shape == (1,)
    assert float(loss) == pytest.approx(
        float(functional.cross_entropy(outputs[kept], target[kept])), rel=1e-5
    )


def test_a_batch_without_a_pair_that_counts_has_no_gradient(tmp_path: Path) -> None:
    run = context(tmp_path, "doersch")
    run.data.labels[:5] = IGNORED
    task = make_task(run, "doersch")
    loss = task.loss(task.passes_of(0)[0], torch.arange(5), draw(1))
    loss.sum().backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == 0
    gradients = [p.grad for p in task.network.parameters() if p.grad is not None]
    assert gradients and not any(bool(gradient.any()) for gradient in gradients)


@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize("infrared", [False, True])
def test_what_colour_dropping_leaves(tmp_path: Path, order: str, infrared: bool) -> None:
    """Two colours are noise around the kept one's mean; gradients and infrared are untouched."""
    channels = {"network": {"in_channels": 6 if infrared else 5}}
    plain, dropped = (
        context(
            tmp_path,
            "doersch",
            infrared=infrared,
            **channels,
            colour_dropping=drop,
            augmentation={**STILL, "channel_order": order},
        )
        for drop in (False, True)
    )
    # colours of different means, so that their order shows
    for run in (plain, dropped):
        run.data.images[:, :3] = (run.data.images[:, :3] // 3) + np.array([0, 60, 150], np.uint8)[
            :, None, None
        ]
    seen = []
    for run in (plain, dropped):
        task = make_task(run, "doersch")
        shown = Shown(task)
        task.answers(torch.arange(10), draw(4))
        seen.append(shown.calls[0][0])
    original, left = seen
    assert torch.equal(original[:, 3:], left[:, 3:])
    same = (original[:, :3] == left[:, :3]).flatten(2).all(dim=2)
    assert (same.sum(dim=1) == 1).all()
    means = colour_statistics(plain.data.images, plain.data.sizes, np.arange(10)).mean
    if order == "bgr":
        means = means.flip(0)
    for index, kept in enumerate(same.long().argmax(dim=1).tolist()):
        for colour in range(3):
            if colour != kept:
                noise = left[index, colour]
                assert float(noise.mean()) == pytest.approx(float(means[kept]), abs=1e-3)
                assert float(noise.std()) < 0.005


def test_the_evaluation_sees_all_colours(tmp_path: Path) -> None:
    for drop in (True, False):
        task = make_task(context(tmp_path, "doersch", colour_dropping=drop), "doersch")
        if drop:
            first = task.predict().clusters
    assert np.array_equal(first, task.predict().clusters)


def features(task: PatchPairTask, run: MapContext[Any]) -> Tensor:
    """Stretched features of the central windows, (n, d, S, S)."""
    windows = torch.from_numpy(run.data.images[:, :, 2:-2, 4:-4])
    with torch.no_grad():
        small = task.network.eval().trunk(task.images.transforms.original(windows))
    task.network.train()
    return functional.interpolate(small, size=SIDE, mode="bilinear", align_corners=False)


@pytest.mark.parametrize("name", NAMES)
def test_every_scored_pixel_goes_to_the_nearest_centre(tmp_path: Path, name: str) -> None:
    run = context(tmp_path, name)
    task = make_task(run, name)
    task.evaluation_batch = 10
    predict = task.predict()
    assert predict.probabilities is None and task.network.training
    task.network.eval()
    with torch.no_grad():
        centres = cluster_pixels(
            task.images,
            task.evaluate,
            3,
            run.settings.evaluation_clusters,
            name="test",
            seed=0,
            threads=1,
            batch=10,
        ).centres
    maps = features(task, run).movedim(1, -1)
    nearest = torch.cdist(maps.flatten(0, 2), torch.from_numpy(centres)).argmin(1)
    clusters = nearest.view(10, SIDE, SIDE).numpy()
    labels = run.data.labels[:, 2:-2, 4:-4]
    counts = np.zeros((10, 3, 3), int)
    for index in range(10):
        scored = labels[index] < 3
        np.add.at(counts[index], (clusters[index][scored], labels[index][scored]), 1)
    # a near tie may turn
    assert np.abs(counts - predict.clusters[:, 0]).sum() <= 0.002 * counts.sum()
    assert np.array_equal(counts.sum((1, 2)), predict.clusters.sum((1, 2, 3)))


def test_released_sampling_sees_one_pixel_a_batch(tmp_path: Path) -> None:
    drawn = {}
    for sampling in ("uniform", "released"):
        settings = {"evaluation_clusters": {"feature_sampling": sampling}}
        task = make_task(context(tmp_path, "isola", **settings), "isola")
        task.evaluation_batch = 2
        drawn[sampling] = task.predict().clusters
    assert drawn["uniform"].sum() == drawn["released"].sum()
    assert not np.array_equal(drawn["uniform"], drawn["released"])


def test_evaluation_leaves_statistics_alone_and_a_refresh_moves_the_trunks(tmp_path: Path) -> None:
    task = make_task(context(tmp_path, "doersch"), "doersch")
    before = {key: value.clone() for key, value in task.network.state_dict().items()}
    task.predict()
    for key, value in task.network.state_dict().items():
        assert torch.equal(value, before[key]), key
    task.refresh_statistics()
    moved = {
        k for k, value in task.network.state_dict().items() if not torch.equal(value, before[k])
    }
    assert moved and all(key.startswith("trunk.") for key in moved)
    assert task.selection_losses() is None


def test_bfloat16_and_channels_last(tmp_path: Path) -> None:
    compute = {"precision": "bfloat16", "channels_last": True}
    task = make_task(context(tmp_path, "doersch", compute=compute, **OWN), "doersch")
    loss = task.loss(task.passes_of(0)[0], torch.arange(10), draw(0))
    assert loss.dtype == torch.float32 and bool(loss.isfinite().all())
    assert task.predict().clusters.sum() > 0
