"""Heads trained on different splits, and evaluation that moves BatchNorm's statistics first."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from iic.engine.context import Interrupted
from iic.methods.iic.method import train
from tests.engine.test_loop import same, signal_after
from tests.engine.tiny import context


def test_heads_of_different_length_make_an_epoch(tmp_path: Path) -> None:
    changes = {
        "head_a": {"splits": ["train", "unlabeled"]},
        "head_b": {"splits": ["train"], "passes": 2},
        "head_order": "A first",
        "pairs": {"order": "interleaved"},
        "evaluation": {"mapping": ["train"], "test": ["train"]},
        "schedule": {"epochs": 2},
    }
    splits = {"train": 16, "unlabeled": 24}
    outcome = train(context(tmp_path, splits=splits, **changes))
    # 8 distinct images a batch: 5 steps with head A, twice 2 with head B
    assert [entry["steps"] for entry in outcome.history] == [0, 9, 18]
    assert outcome.history[1]["head"] == ["A", "B", "B"]
    assert outcome.last.clusters.shape == (16, 2)


def test_double_evaluation_moves_the_statistics_to_the_evaluated_images(tmp_path: Path) -> None:
    changes: dict[str, Any] = {
        "head_a": {"splits": ["train", "unlabeled"]},
        "head_b": {"splits": ["train"]},
        "evaluation": {"mapping": ["train"], "test": ["train"]},
        "schedule": {"epochs": 1},
    }
    splits = {"train": 16, "unlabeled": 24}
    plain = train(context(tmp_path / "a", splits=splits, **changes))
    changes["schedule"] = {"epochs": 1, "double_evaluation": True}
    double = train(context(tmp_path / "b", splits=splits, **changes))
    assert plain.tensors is not None and double.tensors is not None
    different = {
        name.rsplit(".", 1)[1]
        for name in plain.tensors
        if name.startswith("last.") and (plain.tensors[name] != double.tensors[name]).any()
    }
    # weights are the same: in training BatchNorm uses the batch's own statistics
    assert different == {"running_mean", "running_var", "num_batches_tracked"}
    # batches of 16: one more in each of the two evaluations
    counts = [
        next(int(tensors[name]) for name in tensors if name.endswith("num_batches_tracked"))
        for tensors in (plain.tensors, double.tensors)
    ]
    assert counts[1] - counts[0] == 2
    assert plain.probabilities is not None and double.probabilities is not None
    assert (plain.probabilities != double.probabilities).any()


def test_double_evaluation_is_the_same_without_labels_and_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: dict[str, Any] = {
        "evaluation": {"mapping": ["train"], "test": ["train"]},
        "schedule": {"epochs": 2, "double_evaluation": True},
    }
    splits = {"train": 16, "rest": 24}
    expected = train(context(tmp_path / "a", splits=splits, **changes))
    unlabelled = train(context(tmp_path / "b", splits=splits, labelled=False, **changes))
    assert expected.tensors is not None and unlabelled.tensors is not None
    for name, tensor in unlabelled.tensors.items():
        assert tensor.tobytes() == expected.tensors[name].tobytes(), name
    with monkeypatch.context() as patch:
        signal_after(patch, 17, signal.SIGTERM)
        with pytest.raises(Interrupted):
            train(context(tmp_path / "c", splits=splits, **changes))
    same(expected, train(context(tmp_path / "c", splits=splits, **changes)))
