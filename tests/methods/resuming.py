"""Trainings that are ended in the middle and end, resumed, as if they had not been."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from iic.engine.context import Interrupted, Outcome
from iic.engine.task import Task
from tests.methods.autoencoders.test_task import same

Train = Callable[[Path], Outcome]
"""A training that keeps its checkpoint under a folder."""


def assert_resumed_after_sigterm(
    train: Train, task: type[Task[Any]], step: int, folder: Path
) -> None:
    """SIGTERM in training step `step`, counted from 1, ends the training; then it goes on."""
    original, done = task.loss, 0

    def loss(self: Any, *arguments: Any) -> torch.Tensor:
        nonlocal done
        done += 1
        if done == step:
            signal.raise_signal(signal.SIGTERM)
        return original(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task, "loss", loss)
        with pytest.raises(Interrupted, match=f"SIGTERM after step {step}"):
            train(folder / "a")
    resumed = train(folder / "a")
    assert len(resumed.sessions) == 2
    same(train(folder / "b"), resumed)


def assert_resumed_between_epochs(
    train: Train, task: type[Task[Any]], at: str, folder: Path
) -> None:
    """Killed ``before`` or ``after`` what the second epoch begins with, which no checkpoint has."""
    original = task.begin_epoch

    def begin(self: Any, epoch: int, optimiser: torch.optim.Optimizer) -> None:
        if at == "after" or epoch == 0:
            original(self, epoch, optimiser)
        if epoch == 1:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task, "begin_epoch", begin)
        with pytest.raises(KeyboardInterrupt):
            train(folder / "a")
    same(train(folder / "b"), train(folder / "a"))
