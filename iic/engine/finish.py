"""From the state at the end of training to what the run reports."""

from __future__ import annotations

from typing import Any

import torch

from iic.engine.checkpoints import TrainingState
from iic.engine.context import Checkpoint, Outcome
from iic.engine.snapshots import Snapshots
from iic.engine.task import Task
from iic.records.receipt import Session


def finish(
    task: Task[Any],
    state: TrainingState,
    sessions: list[Session],
    snapshots: Snapshots,
) -> Outcome:
    """Predict with the last weights, and compare sub-heads at the last and the best epoch.

    Args:
        task: The task, its network holding the last weights; those of the best epoch afterwards.
        state: Training state after the last step.
        sessions: Processes in which the run was trained.
        snapshots: Predictions stored on the way.
    """
    final = task.predict(probabilities=True)
    last = Checkpoint(state.epoch, final.clusters, task.selection_losses())
    tensors = _named(task.kept(task.network.state_dict()), "last")
    best = None
    if state.best is not None:
        tensors |= _named(task.kept(state.best["network"]), "best_label")
        clusters = state.best["clusters"].numpy().astype(final.clusters.dtype)
        losses = last.losses
        if state.best["epoch"] != state.epoch:
            task.network.load_state_dict(state.best["network"])
            losses = task.selection_losses()
        best = Checkpoint(state.best["epoch"], clusters, losses)
    return Outcome(
        last=last,
        best_label=best,
        k=task.k,
        history=state.history,
        sessions=sessions,
        precision=task.compute.precision,
        deterministic=all(session.deterministic for session in sessions),
        tensors=tensors,
        probabilities=final.probabilities,
        snapshots=snapshots.read(state.steps),
        steps=state.steps,
        trajectory=[float(loss) for loss in state.trajectory],
    )


def _named(tensors: dict[str, torch.Tensor], checkpoint: str) -> dict[str, Any]:
    return {
        # a copy: the network's own memory will take the other checkpoint's weights
        f"{checkpoint}.{name}": tensor.detach().cpu().contiguous().numpy().copy()
        for name, tensor in tensors.items()
    }
