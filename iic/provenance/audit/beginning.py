"""The first steps of a training, taken again; a run of hours has a witness in a minute.

This module loads torch: the audit starts it as a process of its own
(``main`` with SCALE RUN SEED STEPS THREADS), which writes one line of JSON.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from iic.engine.context import Outcome, RunContext
from iic.engine.device import configured, leased_device
from iic.engine.loop import Loop
from iic.engine.task import Task
from iic.engine.threads import library_threads
from iic.params.runs import Plan, load_plan
from iic.provenance.audit.contexts import train_with
from iic.provenance.environment import environment
from iic.records.paths import RunPaths

if TYPE_CHECKING:
    from iic.engine.context import Build


class Enough(Exception):
    """The steps that were asked for are taken.

    Attributes:
        losses: Their losses.
    """

    def __init__(self, losses: list[float]) -> None:
        super().__init__()
        self.losses = losses


class Beginning(Loop):
    """A training that ends in its midst, with nothing to go on from.

    Args:
        task: What is trained.
        deterministic: Whether the same seed gives the same bytes.
        most: Steps.
    """

    def __init__(self, task: Task[Any], deterministic: bool, most: int) -> None:
        super().__init__(task, deterministic)
        self.most = most

    def step(self, head: str, indices: torch.Tensor) -> None:
        """Take the next step.

        Raises:
            Enough: It was the last one.
        """
        super().step(head, indices)
        if self.state.steps == self.most:
            raise Enough([float(loss) for loss in self.state.trajectory])


@dataclass(frozen=True)
class FirstSteps:
    """An engine that takes the first steps alone, on the device that the settings ask for."""

    most: int

    def __call__(self, context: RunContext[Any], build: Build) -> Outcome:
        """Train so far.

        Raises:
            Enough: Always, except where the whole training has fewer steps.
        """
        settings = context.settings
        with (
            leased_device(settings.gpu) as device,
            configured(device, settings.threads, settings.compute) as deterministic,
        ):
            return Beginning(build(context, device), deterministic, self.most).run()


def losses(plan: Plan, run: str, seed: int, most: int, root: Path = Path()) -> list[float]:
    """Losses of a training's first steps.

    Args:
        plan: The scale's plan.
        run: ``<dataset>/<method>[-<variant>]``.
        seed: Its seed.
        most: Steps.
        root: Folder with its data, and without a checkpoint of it.
    """
    paths = RunPaths(plan.scale.name, run, seed)
    try:
        return train_with(FirstSteps(most), plan, paths, root).trajectory
    except Enough as end:
        return end.losses


def main() -> None:
    """What the process does."""
    scale, run, seed, most, threads = sys.argv[1:]
    plan = load_plan(scale)
    found = losses(plan, run, int(seed), int(most))
    with library_threads(plan.run(run).settings.threads):
        here = environment(int(threads))
    print(json.dumps({"losses": found, "environment": here.model_dump(mode="json")}))
