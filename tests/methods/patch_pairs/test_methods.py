"""Context prediction and co-occurrence behind the one interface: they learn, from images alone."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from iic.data.load_maps import load_maps
from iic.data.maps import IGNORED
from iic.data.prepare_maps import prepare_maps
from iic.engine.map_context import MapContext
from iic.methods.patch_pairs import doersch, isola
from iic.methods.patch_pairs.network import build_patch_pairs
from iic.methods.patch_pairs.task import PatchPairTask
from iic.params.datasets import LabelMaps
from iic.params.errors import SettingsError
from iic.params.runs import load_plan
from iic.records.history import dump_history
from iic.records.history_line import HistoryLine
from iic.records.paths import RunPaths
from tests.data.standin_helpers import CATALOGUE, write_raw
from tests.methods.iic.test_maps import catalogue
from tests.methods.patch_pairs.patch_helpers import (
    NAMES,
    context,
    hits,
    make_task,
    module,
    random_answers,
    train,
)
from tests.methods.test_cost import counted, of_layers
from tests.quick import first_quick

OWN: dict[str, Any] = {"patches": {"shared_place": False}}
LEARNING: dict[str, Any] = {"number": 40, "batch_images": 10, "patch_head": {"dropout": 0.0}}


def schedule(epochs: int) -> dict[str, int]:
    return {"epochs": epochs, "evaluate_every": epochs}


LEARNT: dict[str, tuple[str, dict[str, Any], float, float]] = {
    "directions": ("doersch", {**OWN, "directions": 8, "schedule": schedule(30)}, 1 / 8, 0.4),
    # two of the nine directions are the same, and one answer fits all images of a batch: slow
    "as released": (
        "doersch",
        {"batch_images": 4, "optimiser": {"learning_rate": 5e-4}, "schedule": schedule(60)},
        1 / 9,
        0.25,
    ),
    "neighbours": ("isola", {**OWN, "schedule": schedule(60)}, 1 / 2, 0.1),
}
"""Method, settings, share of right answers by chance, and the share above it that is learnt."""


def end(history: Sequence[Mapping[str, Any]]) -> float:
    """Loss of the last quarter of the epochs as a share of what answers without a look cost."""
    losses = [entry["loss"][0] for entry in history[1:]]
    return float(np.mean(losses[-max(1, len(losses) // 4) :])) / float(history[-1]["chance"])


@pytest.mark.parametrize("answers", first_quick(["true", "random"]))
@pytest.mark.parametrize("case", LEARNT)
def test_it_learns_what_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, answers: str
) -> None:
    """Sky lies over plants and these over ground: new pairs are told apart, untrained ones not.

    Of random answers nothing is learnt, so neither loss nor right answers come from elsewhere.
    """
    # new pairs are put to the head, which a run does not keep
    monkeypatch.setattr(PatchPairTask, "kept", lambda task, tensors: tensors)
    name, changes, chance, margin = LEARNT[case]
    settings = {**LEARNING, **changes}
    with random_answers() if answers == "random" else nullcontext():
        outcome = train(tmp_path, name, 0, **settings)
    run = context(tmp_path, name, 0, **settings)
    hit, loss = hits(run, name, outcome), end(outcome.history)
    assert hits(run, name, None) < chance + 0.11
    if answers == "true":
        assert hit > chance + margin and loss < 0.95
    else:
        assert hit < chance + 0.11 and loss > 0.97


LOSSES = {"doersch": 0.7, "isola": 0.93}
"""Share of the loss by chance that training at scale mini falls below."""


@pytest.mark.parametrize(
    ("name", "answers"),
    first_quick([(name, answers) for answers in ("true", "random") for name in LOSSES]),
)
def test_at_mini_the_loss_falls_below_chance(tmp_path: Path, name: str, answers: str) -> None:
    data = "cocostuff3_standin"
    write_raw(CATALOGUE[data], tmp_path / "data/raw" / data)
    prepare_maps(data, CATALOGUE[data], tmp_path, workers=1)
    run = load_plan("mini").runs[f"{data}/{name}"]
    one = MapContext(
        load_maps(data, tmp_path),
        3,
        run.settings,
        0,
        RunPaths("test", run.id, 0),
        "f" * 64,
        tmp_path,
        live=False,
    )
    with random_answers() if answers == "random" else nullcontext():
        loss = end(module(name).train(one).history)
    assert loss < LOSSES[name] if answers == "true" else loss > 0.97


def test_chance_is_the_loss_of_the_same_answer_to_all(tmp_path: Path) -> None:
    """And the log has it beside the loss."""
    for name, changes, outputs, chance in (
        ("doersch", {"directions": 9}, torch.zeros(9), math.log(9)),
        ("doersch", {"directions": 8}, torch.zeros(8), math.log(8)),
        ("isola", {}, torch.zeros(1), math.log(2)),
        ("isola", {"positive": 0.2}, torch.tensor([0.2 / 0.8]).log(), 0.5004),
    ):
        task = make_task(context(tmp_path, name, **OWN, **changes), name)
        pairs = task.pretext.draw(20_000, generator=torch.Generator().manual_seed(0))
        losses = task.pretext.losses(outputs.expand(20_000, -1), pairs.target)
        assert task.chance == pytest.approx(chance, abs=1e-4)
        assert float(losses.mean()) == pytest.approx(chance, rel=0.02)


def test_the_history_and_the_log_have_chance_beside_the_loss(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        history = train(tmp_path, "doersch").history
    assert [entry["chance"] for entry in history] == [2.1972] * 4
    assert f"epoch 3/3  loss {history[3]['loss'][0]:.4f} (chance 2.1972)" in caplog.text
    for line in dump_history(history).splitlines():
        assert HistoryLine.model_validate_json(line).chance == 2.1972


@pytest.mark.parametrize("name", NAMES)
def test_what_comes_out(tmp_path: Path, name: str) -> None:
    run = context(tmp_path, name)
    outcome = train(tmp_path, name)
    assert (outcome.k, outcome.steps, outcome.probabilities) == (3, 9, None)
    assert outcome.deterministic
    labels = run.data.labels[:, 2:26, 4:28]
    totals = np.stack([(labels == label).sum((1, 2)) for label in range(3)], axis=1)
    for checkpoint in (outcome.last, outcome.best_label):
        assert checkpoint is not None and checkpoint.losses is None
        assert checkpoint.clusters.shape == (10, 1, 3, 3)
        assert np.array_equal(checkpoint.clusters.sum((1, 2)), totals)
    settings = run.settings
    network = build_patch_pairs(
        settings.network, settings.patches.side, settings.patch_head, settings.outputs
    )
    # the trunk alone is kept
    assert all(key.split(".")[1] == "trunk" for key in outcome.tensors or {})
    for kind in ("last", "best_label"):
        network.trunk.load_state_dict(
            {
                key.removeprefix(f"{kind}.trunk."): torch.from_numpy(value)
                for key, value in (outcome.tensors or {}).items()
                if key.startswith(f"{kind}.")
            }
        )
    assert [entry["head"] for entry in outcome.history] == [[], *[["patches"]] * 3]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path, name: str) -> None:
    first, again, other = (
        train(tmp_path / folder, name, seed) for folder, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    assert first.last.clusters.tobytes() == again.last.clusters.tobytes()
    assert first.tensors is not None and again.tensors is not None and other.tensors is not None
    for key, tensor in first.tensors.items():
        assert tensor.tobytes() == again.tensors[key].tobytes(), key
    assert any(
        first.tensors[key].tobytes() != other.tensors[key].tobytes() for key in first.tensors
    )


@pytest.mark.parametrize("name", NAMES)
def test_labels_say_which_pixels_count_and_nothing_else(tmp_path: Path, name: str) -> None:
    """Renamed classes change nothing; without a mask, nor do labels that are taken away."""
    cases = (
        ({}, lambda labels: np.where(labels < 3, 2 - labels, labels)),
        ({"maps": {"training_mask": False}}, lambda labels: np.where(labels < 3, 0, labels)),
        ({"maps": {"training_mask": False}}, lambda labels: np.where(labels == 2, IGNORED, labels)),
    )
    for number, (settings, change) in enumerate(cases):
        plain, renamed = (
            context(tmp_path / f"{name_}{number}", name, **settings) for name_ in "ab"
        )
        renamed.data.labels[:] = change(renamed.data.labels)
        module = {"doersch": doersch, "isola": isola}[name]
        first, other = module.train(plain), module.train(renamed)
        assert first.tensors is not None and other.tensors is not None
        for key, tensor in first.tensors.items():
            if not key.startswith("best_label."):
                assert tensor.tobytes() == other.tensors[key].tobytes(), key


WRONG: dict[str, tuple[str, dict[str, Any], dict[str, Any], str]] = {
    "patches too large": ("doersch", {"patches": {"side": 7}}, {}, "patches.side"),
    "k": ("isola", {"k": 2}, {}, "k"),
    "batch": ("isola", {"batch_images": 11}, {}, "batch_images"),
    "splits": ("doersch", {"splits": ["tain"]}, {}, "splits"),
    "one label an image": ("doersch", {}, {"maps": None}, "network.family"),
    "crop": ("isola", {}, {"maps": LabelMaps(scale=1, least_side=20)}, "augmentation.input_size"),
    "channels": ("doersch", {"network": {"in_channels": 4}}, {}, "network.in_channels"),
    "samples": (
        "doersch", {"evaluation_clusters": {"samples": 2}}, {}, "evaluation_clusters.samples",
    ),
    "snapshots": (
        "isola", {"schedule": {"snapshot_steps": [1]}}, {}, "schedule.snapshot_steps",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_said_before_training(tmp_path: Path, case: str) -> None:
    name, changes, of_dataset, key = WRONG[case]
    settings = context(tmp_path, name, **changes).settings
    problems = list(settings.problems(catalogue(**of_dataset)))
    assert any(problem.key == key for problem in problems), problems
    assert all(problem.allowed for problem in problems)


def test_the_remedy_for_patches_that_are_too_large_is_one(tmp_path: Path) -> None:
    for side, size in ((7, 24), (5, 18), (11, 42)):
        changes = {"patches": {"side": side}, "network": {"input_size": size}}
        settings = context(tmp_path, "isola", **changes, augmentation={"input_size": size}).settings
        (allowed,) = (
            problem.allowed
            for problem in settings.problems(catalogue())
            if problem.key == "patches.side"
        )
        most = int(str(allowed).split()[-1])
        assert most % 2 == 1 and 4 * most <= size < 4 * (most + 2)


@pytest.mark.parametrize("name", NAMES)
def test_what_fits_has_no_problems(tmp_path: Path, name: str) -> None:
    assert list(context(tmp_path, name).settings.problems(catalogue())) == []


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("doersch", {"directions": 7}, "directions"),
        ("doersch", {"patches": {"side": 4}}, "side 4 has no pixel in its centre"),
        ("doersch", {"positive": 0.5}, "positive"),
        ("isola", {"positive": 1.0}, "positive"),
        ("isola", {"directions": 8}, "directions"),
        ("isola", {"patch_head": {"dropout": 1.0}}, "dropout"),
    ],
)
def test_wrong_values_are_refused(
    tmp_path: Path, name: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        context(tmp_path, name, **changes)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("samples", [2000, 6])
def test_the_estimate_counts_what_is_computed(tmp_path: Path, name: str, samples: int) -> None:
    changes = {"evaluation_clusters": {"samples": samples}, "batch_images": 5}
    run = context(tmp_path, name, **changes)
    cost = run.settings.cost(catalogue(), of_layers)
    with counted() as macs:
        outcome = train(tmp_path, name, **changes)
    assert cost.steps == outcome.steps
    # counted once in the forward pass, which is a third of a training step
    assert 6 * macs[True] == pytest.approx(cost.training)
    assert 2 * macs[False] == pytest.approx(cost.evaluation)
