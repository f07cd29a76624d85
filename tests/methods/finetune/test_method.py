"""Classifiers: learn from labels, start from a clustering run's trunk, and never from another's."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from iic.data.in_memory import in_memory
from iic.engine.context import Interrupted, Outcome, RunContext
from iic.methods.finetune import method as finetune
from iic.methods.finetune.task import ClassificationTask
from iic.methods.iic import star as iic_star
from iic.params.datasets import find_dataset
from iic.params.errors import IICError
from iic.params.loading import validate
from iic.params.resolve import merged
from iic.records.files import RecordError
from iic.records.paths import RunPaths
from tests.engine.test_loop import same

NETWORK = {
    "family": "A", "input_size": 8, "in_channels": 2, "channels": [4, 8, 8], "blocks": [1, 1, 1],
}  # fmt: skip
AUGMENTATION = {"kind": "colour", "crop": 8, "input_size": 8}
SETTINGS: dict[str, Any] = {
    "network": NETWORK,
    "augmentation": AUGMENTATION,
    "batch_images": 30,
    "hidden": 16,
    "trunk_learning_rate": 2e-3,
    "head_learning_rate": 4e-3,
    "evaluation": {"matching": "identity", "mapping": ["test"], "test": ["test"]},
    "schedule": {"epochs": 3, "evaluation_batch": 50},
}
SPLITS = {"train": 120, "test": 60}
FOLDS = (tuple(range(0, 60)), tuple(range(60, 120)))


def stripes() -> tuple[np.ndarray, np.ndarray]:
    """Noisy colour images with upright, level, or no stripes, 12 x 12."""
    draw = np.random.default_rng(0)
    labels = np.arange(sum(SPLITS.values())) % 3
    grid = np.indices((12, 12))
    bars = [(grid[1] // 2) % 2 * 120, (grid[0] // 2) % 2 * 120, np.full((12, 12), 60)]
    images = np.stack([bars[label] for label in labels])[:, None].repeat(3, axis=1)
    images = (
        images + draw.integers(0, 80, (len(labels), 3, 1, 1)) + draw.integers(0, 30, images.shape)
    )
    return images.astype(np.uint8), labels.astype(np.int64)


def run(folder: Path, labelled: bool = True, **changes: Any) -> RunContext[Any]:
    images, labels = stripes()
    model = changes.pop("model", finetune.Settings)
    settings = changes.pop("settings", merged(SETTINGS, changes))
    name = "bars/iic_star" if model is iic_star.Settings else "bars/finetune"
    return RunContext(
        data=in_memory(images, labels if labelled else None, 3, SPLITS, FOLDS),
        classes=3,
        settings=validate(model, settings, "tests", "settings"),
        seed=0,
        paths=RunPaths("test", name, 0),
        fingerprint="f" * 64,
        root=folder,
        live=False,
    )


def clustered(folder: Path, **network: Any) -> dict[str, np.ndarray]:
    """A clustering run whose weights lie where a finetuning looks for them."""
    settings = {
        "network": NETWORK | network,
        "augmentation": AUGMENTATION,
        "pairs": {"batch_pairs": 60, "repeats": 2},
        "head": {"k": 6, "splits": ["train"]},
        "sub_heads": 2,
        "evaluation": {"matching": "many_to_one", "mapping": ["train"], "test": ["test"]},
        "schedule": {"epochs": 1},
    }
    context = run(folder, model=iic_star.Settings, settings=settings)
    tensors = dict(iic_star.train(context).tensors or {})
    # the two checkpoints differ, so that the wrong one would be noticed
    for name in [name for name in tensors if name.startswith("last.trunk")]:
        tensors[name] = np.asarray(tensors[name] + 1, dtype=tensors[name].dtype)
    (folder / context.paths.weights).parent.mkdir(parents=True)
    save_file(tensors, folder / context.paths.weights)
    return tensors


def accuracy(outcome: Outcome) -> float:
    scores = outcome.history[-1]["accuracy"]
    assert isinstance(scores, list)
    return float(scores[0])


@pytest.mark.parametrize(
    "kind",
    [
        {"features": "penultimate", "head": "two_layer"},
        {"features": "pooled", "head": "linear", "ten_crop": False},
    ],
    ids=["as released", "as the paper says"],
)
def test_a_classifier_learns_from_labels(tmp_path: Path, kind: dict[str, Any]) -> None:
    outcome = finetune.train(run(tmp_path, schedule={"epochs": 15}, **kind))
    assert accuracy(outcome) > 80  # chance is 33
    assert outcome.last.clusters.shape == (60, 1) and outcome.last.losses is None
    assert outcome.steps == 15 * 4 and outcome.k == 3
    assert outcome.probabilities is not None and outcome.probabilities.shape == (60, 1, 3)


def test_of_mixed_labels_a_classifier_learns_nothing_of_the_test_images(tmp_path: Path) -> None:
    mixed = run(tmp_path, schedule={"epochs": 15})
    train = mixed.data.labels[: SPLITS["train"]]
    mixed.data.labels[: SPLITS["train"]] = np.random.default_rng(0).permutation(train)
    outcome = finetune.train(mixed)
    assert accuracy(outcome) < 60  # chance is 33, and 80 are reached with the true labels
    assert outcome.history[-1]["chance"] == pytest.approx(np.log(3), abs=1e-4)


@pytest.mark.parametrize("checkpoint", ["best_label", "last"])
def test_a_trunk_is_taken_over_from_the_checkpoint_that_is_asked_for(
    tmp_path: Path, checkpoint: str
) -> None:
    theirs = clustered(tmp_path)
    start = finetune.train(
        run(tmp_path, start_from="iic_star", checkpoint=checkpoint, schedule={"epochs": 0})
    )
    assert start.tensors is not None
    names = [name for name in theirs if name.startswith(f"{checkpoint}.trunk.")]
    assert names
    for name in names:
        mine = start.tensors["last." + name.removeprefix(f"{checkpoint}.")]
        np.testing.assert_array_equal(mine, theirs[name])


def test_a_fold_trains_on_its_own_images_and_each_part_at_its_own_rate(tmp_path: Path) -> None:
    task = seen_by(run(tmp_path, fold=1))
    assert sorted(torch.cat(task.order(0, 0)).tolist()) == list(FOLDS[1])
    assert [group["lr"] for group in task.parameter_groups()] == [2e-3, 4e-3]
    trunk = {id(parameter) for parameter in task.parameter_groups()[0]["params"]}
    assert trunk == {id(parameter) for parameter in task.network.trunk.parameters()}


def seen_by(context: RunContext[Any]) -> ClassificationTask:
    """The task that a run trains."""
    seen: list[ClassificationTask] = []
    with pytest.MonkeyPatch.context() as patch:
        plain = ClassificationTask.__init__

        def noting(self: ClassificationTask, *args: Any, **kwargs: Any) -> None:
            plain(self, *args, **kwargs)
            seen.append(self)

        patch.setattr(ClassificationTask, "__init__", noting)
        finetune.train(context)
    return seen[0]


def test_ten_crops_are_averaged(tmp_path: Path) -> None:
    task = seen_by(run(tmp_path))
    images = task.store.batch(torch.arange(120, 124))
    task.network.eval()
    with torch.no_grad():
        by_hand = torch.stack([task.network(crop) for crop in task._augmentation.ten_crops(images)])
        found = task.predict(probabilities=True).probabilities
    assert found is not None
    expected = by_hand.mean(0).softmax(1).numpy()
    np.testing.assert_allclose(found[:4, 0].astype(float), expected, atol=2e-3)


def test_interrupted_and_resumed_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("a", "b"):
        clustered(tmp_path / folder)
    expected = finetune.train(run(tmp_path / "a", start_from="iic_star"))
    steps = 0
    plain = ClassificationTask.loss

    def counted(self: ClassificationTask, *args: Any) -> torch.Tensor:
        nonlocal steps
        steps += 1
        if steps == 6:
            signal.raise_signal(signal.SIGTERM)
        return plain(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(ClassificationTask, "loss", counted)
        with pytest.raises(Interrupted):
            finetune.train(run(tmp_path / "b", start_from="iic_star"))
    same(expected, finetune.train(run(tmp_path / "b", start_from="iic_star")))


def test_weights_of_another_network_are_refused_before_training(tmp_path: Path) -> None:
    clustered(tmp_path, channels=[4, 8, 16])
    with pytest.raises(IICError, match=r"(?s)weights of another network: trunk\.stages\.2.*remedy"):
        finetune.train(run(tmp_path, start_from="iic_star"))


def test_absent_or_damaged_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"iic_star/seed0/weights\.safetensors: missing"):
        finetune.train(run(tmp_path, start_from="iic_star"))
    clustered(tmp_path)
    path = tmp_path / RunPaths("test", "bars/iic_star", 0).weights
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordError, match="no weights"):
        finetune.train(run(tmp_path, start_from="iic_star"))
    path.write_bytes(whole)
    kept = {name: value for name, value in load_file(path).items() if name.startswith("last.")}
    save_file(kept, path)
    with pytest.raises(IICError, match="no trunk at checkpoint 'best_label': has last"):
        finetune.train(run(tmp_path, start_from="iic_star"))


def test_labels_and_folds_have_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(IICError, match="some of its 120 training images have none"):
        finetune.train(run(tmp_path, labelled=False))
    with pytest.raises(IICError, match="batch_images: 59 leaves a batch of one of 60 images"):
        finetune.train(run(tmp_path, fold=0, batch_images=59))
    with pytest.raises(IICError, match="fold: 7, but in_memory has 2 predefined folds"):
        finetune.train(run(tmp_path, fold=7))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"features": "penultimate", "network": {"family": "B", "blocks": None}}, "features"),
        ({"evaluation": {"matching": "one_to_one"}}, "evaluation.matching"),
        ({"splits": ["trian"]}, "splits"),
        ({"batch_images": 59999}, "batch_images"),
    ],
)
def test_settings_that_do_not_fit(changes: dict[str, Any], key: str) -> None:
    settings = validate(finetune.Settings, merged(SETTINGS, changes), "tests", "settings")
    assert key in [problem.key for problem in settings.problems(find_dataset("mnist"))]
