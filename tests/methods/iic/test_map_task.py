"""Training a segmentation: order of heads, counts, resumption, and what the mask does."""

from __future__ import annotations

import logging
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from iic.augment.segmentation import SegmentationTransforms
from iic.data.maps import IGNORED, UNLABELLED
from iic.engine.context import Interrupted
from iic.engine.map_context import MapContext
from iic.evaluate.matching import match
from iic.methods.iic.map_task import SegmentationTask
from iic.methods.iic.maps import train
from tests.engine.scenes import SIDE, context


def make_task(map_context: MapContext[Any], evaluation_batch: int = 5) -> SegmentationTask:
    made = SegmentationTask(map_context, torch.device("cpu"))
    made.evaluation_batch = evaluation_batch
    return made


def test_one_head_an_epoch_in_turns_or_both(tmp_path: Path) -> None:
    heads = {}
    for name, changes in {
        "one": {},
        "one, B first": {"head_order": "B first"},
        "both": {"heads_per_epoch": "both", "head_order": "B first", "schedule": {"epochs": 2}},
    }.items():
        outcome = train(context(tmp_path / name, **changes))
        heads[name] = [epoch["head"] for epoch in outcome.history]
        assert outcome.steps == 12
    assert heads == {
        "one": [[], ["A"], ["B"], ["A"], ["B"]],
        "one, B first": [[], ["B"], ["A"], ["B"], ["A"]],
        "both": [[], ["B", "A"], ["B", "A"]],
    }


def test_counts_are_those_of_the_maps(tmp_path: Path) -> None:
    """Predicted maps and labels, pixel by pixel, give the counts that are stored."""
    run = context(tmp_path, maps={"examples": 10})
    predict = make_task(run, 3).predict(probabilities=True)
    assert predict.probabilities is not None
    assert predict.clusters.shape == (10, 1, 3, 3)
    assert predict.probabilities.shape == (10, 1, 3, SIDE, SIDE)
    assert np.allclose(predict.probabilities.sum(2), 1, atol=2e-3)
    labels = run.data.labels[:, 2:-2, 4:-4]
    for index in range(10):
        clusters = predict.probabilities[index, 0].argmax(0)
        counts = np.zeros((3, 3), int)
        scored = labels[index] < 3
        np.add.at(counts, (clusters[scored], labels[index][scored]), 1)
        # half precision may turn a near tie
        assert np.abs(counts - predict.clusters[index, 0]).sum() <= 0.05 * counts.sum()
        assert counts.sum() == predict.clusters[index].sum()


def test_unlabelled_pixels_as_sky_or_not_at_all(tmp_path: Path) -> None:
    plain = make_task(context(tmp_path)).predict().clusters
    as_sky = make_task(context(tmp_path, maps={"unlabelled_as_sky": True})).predict().clusters
    # the rows without label lie outside of the central window, but for none
    assert np.array_equal(plain, as_sky)
    all_pixels = {"evaluation_area": "whole"}
    plain = make_task(context(tmp_path, maps=all_pixels)).predict().clusters
    as_sky = (
        make_task(context(tmp_path, maps={**all_pixels, "unlabelled_as_sky": True}))
        .predict()
        .clusters
    )
    assert np.array_equal(as_sky[..., 1:], plain[..., 1:])
    assert (as_sky[..., 0].sum((1, 2)) - plain[..., 0].sum((1, 2)) == 2 * 32).all()


def test_whole_images_of_different_sizes(tmp_path: Path) -> None:
    sizes = np.tile([[28, 32], [26, 30]], (5, 1))
    run = context(tmp_path, sizes=sizes, maps={"evaluation_area": "whole", "examples": 10})
    predict = make_task(run, 3).predict(probabilities=True)
    assert predict.probabilities is not None
    assert predict.probabilities.shape == (10, 1, 3, 28, 32)
    for index, (height, width) in enumerate(sizes):
        scored = run.data.labels[index, :height, :width] < 3
        assert predict.clusters[index].sum() == scored.sum()
        outside = predict.probabilities[index].copy()
        outside[..., :height, :width] = 0
        assert not outside.any()
    alone = make_task(run, 1).predict().clusters
    assert np.abs(alone - predict.clusters).sum() <= 4


def test_the_loss_does_not_see_masked_pixels(tmp_path: Path) -> None:
    task = make_task(context(tmp_path, augmentation={"flip_probability": 0.0}))
    indices = torch.arange(4)
    draw = torch.Generator().manual_seed(1)
    mask = task.images.crops(indices, draw).mask
    assert 0.5 < mask.float().mean() < 1
    predict, values = task.assignments, []
    for where in (~mask, mask):
        noise = where[:, None, None] * torch.rand(4, 1, 3, SIDE, SIDE)
        for changed in (torch.zeros_like(noise), noise):
            task.assignments = lambda *a, more=changed: predict(*a) + more  # type: ignore[method-assign,misc]
            draw = torch.Generator().manual_seed(1)
            values.append(float(task.loss("B", indices, draw).detach()))
    outside, inside = values[:2], values[2:]
    assert outside[0] == pytest.approx(outside[1], abs=1e-6)
    assert inside[0] != pytest.approx(inside[1], abs=3e-4)


@pytest.mark.parametrize("repeats", [1, 3])
def test_flips_are_undone_before_maps_are_compared(tmp_path: Path, repeats: int) -> None:
    """A network that looks at single pixels sees a mirrored image as the mirrored map."""
    still = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}
    values = []
    for probability in (0.0, 0.5, 1.0):
        task = make_task(
            context(
                tmp_path,
                augmentation={**still, "flip_probability": probability},
                pairs={"batch_pairs": 4 * repeats, "repeats": repeats},
                shifts={"half_side": 0},
            )
        )
        task.assignments = lambda images, head: (30 * images[:, None, :3]).softmax(dim=2)  # type: ignore[method-assign]
        draw = torch.Generator().manual_seed(3)
        values.append(float(task.loss("B", torch.arange(4), draw)))
    assert values[0] < -0.05
    assert values[1:] == pytest.approx([values[0]] * 2, abs=1e-6)


def test_a_batch_without_a_pixel_is_passed_over_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = context(tmp_path, schedule={"epochs": 1})
    run.data.labels[:] = IGNORED
    run.data.labels[0, 14, 16] = 0
    with caplog.at_level(logging.WARNING):
        outcome = train(run)
    assert "without one pixel of a class, passed over (1 so far): scene/" in caplog.text
    assert "passed over (2 so far)" in caplog.text
    assert all(np.isfinite(value).all() for value in outcome.tensors.values())  # type: ignore[union-attr]


def test_every_pixel_counts_without_a_mask(tmp_path: Path) -> None:
    run = context(tmp_path, maps={"training_mask": False})
    run.data.labels[:] = UNLABELLED
    mask = make_task(run).images.crops(torch.arange(3), torch.Generator()).mask
    assert mask.shape == (3, SIDE, SIDE) and bool(mask.all())


def test_it_learns_the_bands(tmp_path: Path) -> None:
    outcome = train(context(tmp_path, schedule={"epochs": 40}, pairs={"batch_pairs": 5}))
    first, last = outcome.history[0], outcome.history[-1]
    assert last["accuracy"][0] > first["accuracy"][0] + 10  # type: ignore[index]
    losses = [epoch["loss"][0] for epoch in outcome.history[1:]]  # type: ignore[index]
    assert losses[-1] < losses[1] - 0.2
    counts = outcome.last.clusters.sum(0)[0]
    mapping = match(counts, "one_to_one")
    correct = sum(counts[cluster, label] for cluster, label in enumerate(mapping))
    assert 100 * correct / counts.sum() == pytest.approx(last["accuracy"][0], abs=1e-3)  # type: ignore[index]


def test_of_another_images_transform_it_learns_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bands of two images overlap, so that it learns of them, too. Measured with seeds 0 and 1:
    69.2 and 62.3 % with pairs of an image and its transform, 60.7 and 43.5 % of two images."""
    own = SegmentationTransforms.transformed

    def another(self: SegmentationTransforms, pixels: torch.Tensor, *arguments: Any) -> Any:
        return own(self, pixels.roll(1, 0), *arguments)

    def score(name: str) -> float:
        scores = []
        for seed in (0, 1):
            settings = {"schedule": {"epochs": 40}, "pairs": {"batch_pairs": 5}}
            outcome = train(context(tmp_path / f"{name}{seed}", seed=seed, **settings))
            scores.append(outcome.history[-1]["accuracy"][0])  # type: ignore[index]
        return sum(scores) / len(scores)

    true = score("own")
    monkeypatch.setattr(SegmentationTransforms, "transformed", another)
    assert true > score("another's") + 8


def test_a_run_that_was_interrupted_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uninterrupted = train(context(tmp_path / "whole"))
    original, steps = SegmentationTask.loss, iter(range(100))

    def loss(self: SegmentationTask, *arguments: Any) -> torch.Tensor:
        if next(steps) == 4:
            signal.raise_signal(signal.SIGTERM)
        return original(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(SegmentationTask, "loss", loss)
        with pytest.raises(Interrupted, match="SIGTERM after step 5"):
            train(context(tmp_path / "stopped"))
    again = train(context(tmp_path / "stopped"))
    assert len(again.sessions) == 2
    assert uninterrupted.tensors is not None and again.tensors is not None
    for name, tensor in uninterrupted.tensors.items():
        assert tensor.tobytes() == again.tensors[name].tobytes(), name
    assert uninterrupted.last.clusters.tobytes() == again.last.clusters.tobytes()


def test_images_that_figures_show(tmp_path: Path) -> None:
    names = tuple(f"{'ba'[index // 4 % 2]}/{index:03d}" for index in range(10))
    splits = {"unlabelled_train": 2, "labelled_train": 4, "labelled_test": 4}
    both, test = ["labelled_train", "labelled_test"], ["labelled_test"]
    shown = {}
    for name, mapping, scored in (("iic", both, both), ("star", ["labelled_train"], test)):
        evaluation = {"mapping": mapping, "test": scored}
        run = context(tmp_path, splits=splits, names=names, tiles=2, evaluation=evaluation)
        shown[name] = run.examples(2).tolist()
        plain = context(tmp_path, splits=splits, evaluation=evaluation)
        assert plain.examples(3).tolist() == [6, 7, 9]
        assert plain.examples(99).tolist() == [6, 7, 8, 9]
        assert plain.examples(0).tolist() == []
    # the ends of the last split that is scored, and all tiles of the first source image, "a"
    assert shown == {"iic": [4, 5, 6, 7, 9], "star": [4, 5, 6, 7, 9]}


def test_several_sub_heads_have_losses_to_choose_by(tmp_path: Path) -> None:
    assert train(context(tmp_path / "one", schedule={"epochs": 1})).last.losses is None
    outcome = train(context(tmp_path / "two", sub_heads=2, schedule={"epochs": 1}))
    assert outcome.last.losses is not None and len(outcome.last.losses) == 2
    assert outcome.last.clusters.shape == (10, 2, 3, 3)


@pytest.mark.parametrize(
    "changes",
    [
        {"pairs": {"repeats": 2}},
        {"shifts": {"expectation": "inside"}},
        {"shifts": {"sparse_min": 1, "sparse_max": 3}},
        {"compute": {"precision": "bfloat16", "channels_last": True}},
    ],
)
def test_other_forms_train(tmp_path: Path, changes: dict[str, Any]) -> None:
    outcome = train(context(tmp_path, schedule={"epochs": 2}, **changes))
    assert outcome.steps == (10 if "pairs" in changes else 6)
    assert all(np.isfinite(epoch["loss"]).all() for epoch in outcome.history[1:])  # type: ignore[arg-type]
