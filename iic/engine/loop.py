"""The training loop: epochs of passes of steps, resumable at every step.

A run that was killed and resumed gives the same bytes as one that was not: each step draws its
random numbers by its place (`iic.engine.seeding`), and a checkpoint holds everything else.
"""

from __future__ import annotations

import logging
import socket
import time
from functools import cached_property
from typing import Any

import numpy as np
import torch

from iic.engine import checkpoints
from iic.engine.checkpoints import TrainingState
from iic.engine.context import Interrupted, NonFiniteLoss, Outcome
from iic.engine.finish import finish
from iic.engine.interrupts import InterruptFlag
from iic.engine.progress import RunProgress
from iic.engine.seeding import derive, generator
from iic.engine.snapshots import Snapshots
from iic.engine.task import Task
from iic.params.learning_rates import LearningRateSettings
from iic.records.clock import Clock
from iic.records.files import write_text
from iic.records.history import dump_history
from iic.records.receipt import Session

log = logging.getLogger(__name__)

CHECK_EVERY = 50
"""Steps between looks at the loss: each look makes a GPU wait."""
TRAJECTORY_STEPS = 20
"""First steps whose losses the receipt keeps, so that an audit can repeat them alone."""


class Loop:
    """One run, from wherever its checkpoint left it to its end."""

    def __init__(self, task: Task[Any], deterministic: bool) -> None:
        self.task = task
        self.schedule = task.schedule
        self.context = task.context
        self.folder = self.context.root / self.context.paths.scratch
        self.settings = self.context.settings.model_dump(mode="json")
        self.optimiser = task.optimiser()
        self.rates = [float(group["lr"]) for group in self.optimiser.param_groups]
        self.snapshots = Snapshots(self.folder, task.schedule)
        earlier = checkpoints.load(self.folder, self.context.fingerprint, self.settings)
        self.state = state = earlier or TrainingState(network={}, optimiser={})
        if earlier is not None:
            self._restore(earlier)
            self.snapshots.check(state.steps)
            at = (state.epoch + 1, state.position + 1, state.step)
            log.info("%s: going on at epoch %d, pass %d, step %d", self.context.name, *at)
        self.loss_sum = torch.tensor(self.state.pass_loss, dtype=torch.float64, device=task.device)
        self.saved_at = self.started = time.monotonic()
        self.clock = Clock()
        self.session = {
            "start": self._now(),
            "end": self._now(),
            "first_step": self.state.steps,
            "last_step": self.state.steps,
            "host": socket.gethostname(),
            "device": _device_name(task.device),
            "torch": str(torch.__version__),
            "deterministic": deterministic,
        }

    @cached_property
    def planned_steps(self) -> int:
        """Optimiser steps of the whole run, if nothing ends it earlier."""
        task, epochs = self.task, range(self.task.epochs)
        steps = sum(task.steps(head) for epoch in epochs for head in task.passes_of(epoch))
        return min(steps, self.schedule.max_steps or steps)

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole run: those done where the task has ended it."""
        return self.state.steps if self.state.stopped else self.planned_steps

    def run(self) -> Outcome:
        """Train to the end.

        Raises:
            NonFiniteLoss: The loss was NaN or infinite; the last checkpoint is left.
            Interrupted: A signal came; a checkpoint of this very step is left.
        """
        with (
            InterruptFlag() as self.interrupt,
            RunProgress(
                self.context.name, self.total_steps, self.state.steps, self.context.live
            ) as self.progress,
        ):
            if not self.state.history:
                self.snapshots.take(self.task, self.state.steps)
                self._close_epoch(trained=[])
            # a run may be stopped after its last step and before its last epoch is closed
            while self.state.history[-1]["steps"] < self.total_steps:
                self._epoch()
        # outside, since a signal may end this part at once: the last checkpoint is there
        self.session.update(end=self._now(), last_step=self.state.steps)
        sessions = [
            Session.model_validate(session, strict=False)
            for session in (*self.state.sessions, self.session)
        ]
        return finish(self.task, self.state, sessions, self.snapshots)

    def _epoch(self) -> None:
        state, task = self.state, self.task
        task.network.train()
        self.epoch_start = time.monotonic() - state.epoch_seconds
        if not (state.position or state.step):
            task.begin_epoch(state.epoch, self.optimiser)
        passes = task.passes_of(state.epoch)
        while state.position < len(passes) and (state.steps < self.total_steps or state.step):
            head = passes[state.position]
            batches = task.order(state.epoch, state.position)
            while state.step < len(batches) and state.steps < self.total_steps:
                self.step(head, batches[state.step])
                if self.interrupt.name is not None:
                    self._stop()
                if time.monotonic() - self.saved_at > self.schedule.checkpoint_seconds:
                    self._save()
            self._check_finite()
            state.epoch_losses.append(float(self.loss_sum) / state.step)
            state.position, state.step = state.position + 1, 0
            self.loss_sum.zero_()
        state.epoch += 1
        self._close_epoch(list(passes[: state.position]))
        self._save()

    def step(self, head: str, indices: torch.Tensor) -> None:
        """Take the next step of a pass, on a batch of `Task.order`."""
        state, task = self.state, self.task
        place = (state.epoch, state.position, state.step)
        # networks with dropout and the like draw from the global generator
        torch.manual_seed(derive(task.seed, "step", *place))
        self._set_rates()
        draw = generator(task.device, task.seed, "pairs", *place)
        loss = descend(task, self.optimiser, head, indices, draw)
        self.loss_sum += loss
        # a checkpoint of before there was a trajectory has none to go on with
        if len(state.trajectory) == state.steps < TRAJECTORY_STEPS:
            state.trajectory.append(loss)
        state.step += 1
        state.steps += 1
        state.epoch_pairs += task.examples(indices)
        if state.steps % CHECK_EVERY == 0:
            self._check_finite()
        self.snapshots.take(self.task, self.state.steps)
        self.progress.step()

    def _set_rates(self) -> None:
        settings = self.schedule.learning_rate
        if settings == LearningRateSettings():
            return  # a task may set rates of its own
        factor = settings.factor(self.state.steps, self.state.epoch, self.planned_steps)
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor

    def _check_finite(self, weights: bool = False) -> None:
        """Look at the losses of the pass so far and, if asked to, at every weight."""
        value = float(self.loss_sum)
        self.task.look()
        if np.isfinite(value):
            parameters = self.task.network.parameters() if weights else ()
            if all(bool(parameter.isfinite().all()) for parameter in parameters):
                return
            value = float("nan")
        state = self.state
        file = self.folder / checkpoints.NAME
        left = f"the last checkpoint is left in {file}" if file.exists() else "no checkpoint yet"
        raise NonFiniteLoss(
            f"{self.context.name}: the loss is {value} in epoch {state.epoch + 1}, pass "
            f"{state.position + 1}, by step {state.step}: {left}. Look at the learning rate "
            f"({self.optimiser.param_groups[0]['lr']}), the precision "
            f"({self.task.compute.precision}) and the images"
        )

    def _close_epoch(self, trained: list[str]) -> None:
        """Evaluate, note the epoch in the history and remember it if it is the best so far."""
        self._check_finite(weights=True)
        state = self.state
        if trained:
            state.stopped = self.task.end_epoch(state.epoch - 1)
        seconds = time.monotonic() - self.epoch_start if trained else 0.0
        last = state.steps >= self.total_steps
        accuracy = None
        if state.epoch % self.schedule.evaluate_every == 0 or last:
            if self.schedule.double_evaluation:
                self.task.refresh_statistics()
            accuracy = self._accuracy()
        entry: dict[str, Any] = {
            "epoch": state.epoch,
            "head": trained,
            "loss": state.epoch_losses or None,
            **({} if self.task.chance is None else {"chance": round(self.task.chance, 4)}),
            "accuracy": accuracy,
            "steps": state.steps,
            "seconds": round(seconds, 3),
            "pairs_per_second": round(state.epoch_pairs / seconds, 1) if seconds else None,
        }
        state.history.append(entry)
        state.position, state.epoch_losses = 0, []
        state.epoch_seconds, state.epoch_pairs = 0.0, 0
        write_text(self.folder / "history.jsonl", dump_history(state.history))
        self.progress.epoch(entry, self.task.epochs)

    def _accuracy(self) -> list[float] | None:
        protocol = self.context.protocol
        if not protocol.labelled:
            return None
        state = self.state
        clusters = self.task.predict().clusters
        scores, chosen = protocol.watch(clusters, self.task.k, self.context.classes)
        best = float(scores[chosen])
        if state.best is None or best > state.best["accuracy"]:
            state.best = {
                "epoch": state.epoch,
                "accuracy": best,
                "clusters": torch.from_numpy(clusters.astype(np.int32)),
                "network": _copied(self.task.network.state_dict()),
            }
        return [round(float(score), 4) for score in scores]

    def _save(self) -> None:
        self._check_finite(weights=True)
        state = self.state
        state.pass_loss = float(self.loss_sum)
        state.network = self.task.network.state_dict()
        state.optimiser = self.optimiser.state_dict()
        if state.position or state.step:
            state.epoch_seconds = time.monotonic() - self.epoch_start
        self.session.update(end=self._now(), last_step=state.steps)
        sessions, state.sessions = state.sessions, [*state.sessions, self.session]
        checkpoints.save(self.folder, self.context.fingerprint, self.settings, state)
        state.sessions = sessions
        self.saved_at = time.monotonic()

    def _stop(self) -> None:
        self._save()
        raise Interrupted(
            f"{self.context.name}: {self.interrupt.name} after step {self.state.steps}; run the "
            f"same command again to go on from {self.folder / checkpoints.NAME}"
        )

    def _now(self) -> str:
        return self.clock.now.isoformat()

    def _restore(self, state: TrainingState) -> None:
        self.task.network.load_state_dict(state.network)
        self.optimiser.load_state_dict(state.optimiser)
        # a parameter that was ever trained has had a gradient since, if only of zeros
        for parameter in self.optimiser.state:
            parameter.grad = torch.zeros_like(parameter)


def descend(
    task: Task[Any],
    optimiser: torch.optim.Optimizer,
    head: str,
    indices: torch.Tensor,
    draw: torch.Generator,
) -> torch.Tensor:
    """One optimiser step on a batch; the arguments are those of `Task.loss`.

    Returns:
        The mean loss of the sub-heads before the step, without gradient, on the device.
    """
    loss = task.loss(head, indices, draw).mean()
    # zeros, not None: the released code keeps a head's Adam moments decaying, and so moving its
    # weights, while the other head is trained
    optimiser.zero_grad(set_to_none=False)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return loss.detach()


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _copied(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}
