"""Predictions of every image at chosen steps, kept beside the checkpoint until the run is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from iic.engine.checkpoints import NAME, CheckpointError
from iic.engine.task import Task
from iic.params.training import ScheduleSettings
from iic.records.snapshots import read_array, write_array


class Snapshots:
    """The snapshots of one run.

    Args:
        folder: The run's scratch folder.
        schedule: At which steps.
    """

    def __init__(self, folder: Path, schedule: ScheduleSettings) -> None:
        self._folder = folder
        self._steps = schedule.snapshot_steps

    def take(self, task: Task[Any], step: int) -> None:
        """Store the predictions, if `step` is one of the chosen steps."""
        if step in self._steps:
            probabilities = task.predict(probabilities=True).probabilities
            assert probabilities is not None
            write_array(self._path(step), probabilities)

    def check(self, done: int) -> None:
        """Whether all snapshots up to step `done` are there, before going on from a checkpoint.

        Raises:
            CheckpointError: One is missing.
        """
        for step in self._steps:
            if step <= done and not self._path(step).exists():
                raise CheckpointError(
                    f"{self._path(step)}: missing, though {self._folder / NAME} is past step "
                    f"{step}: put it back, or delete {self._folder} to train from the start"
                )

    def read(self, done: int) -> dict[int, npt.NDArray[np.float16]]:
        """Step -> probabilities (N, h, k), up to step `done`."""
        return {step: read_array(self._path(step)) for step in self._steps if step <= done}

    def _path(self, step: int) -> Path:
        return self._folder / "snapshots" / f"step{step:08d}.npy"
