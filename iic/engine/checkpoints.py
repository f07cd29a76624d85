"""Checkpoints of an unfinished run: atomic, and refused when they belong to another run."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from iic.params.errors import IICError
from iic.records.files import write_bytes

SCHEMA_VERSION = 1
NAME = "checkpoint.pt"


class CheckpointError(IICError):
    """A checkpoint that cannot be gone on from."""


@dataclass
class TrainingState:
    """Everything that the rest of a run depends on, besides its settings and data."""

    network: dict[str, torch.Tensor]
    optimiser: dict[str, Any]
    epoch: int = 0
    """Epochs finished."""
    position: int = 0
    """Pass of the epoch under way."""
    step: int = 0
    """Batches done of that pass."""
    steps: int = 0
    """Optimiser steps done in all."""
    pass_loss: float = 0.0
    """Sum of the losses of the pass under way."""
    epoch_losses: list[float] = field(default_factory=list)
    """Mean loss of each finished pass of the epoch."""
    epoch_seconds: float = 0.0
    epoch_pairs: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Any] | None = None
    """Epoch, accuracy, clusters and weights of the best epoch by label accuracy."""
    sessions: list[dict[str, Any]] = field(default_factory=list)
    stopped: bool = False
    """Whether the task has ended the training before its last epoch."""
    trajectory: list[torch.Tensor] = field(default_factory=list)
    """Losses of the first steps, scalars, on the device until a checkpoint is read."""


def save(folder: Path, fingerprint: str, settings: dict[str, Any], state: TrainingState) -> None:
    """Replace the folder's checkpoint, whole or not at all."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "fingerprint": fingerprint,
        "settings": json.dumps(settings, sort_keys=True),
        "state": {part.name: getattr(state, part.name) for part in fields(state)},
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_bytes(folder / NAME, buffer.getvalue())


def load(folder: Path, fingerprint: str, settings: dict[str, Any]) -> TrainingState | None:
    """The folder's checkpoint, or None where there is none.

    Raises:
        CheckpointError: It is damaged, or was made by other settings, data or code.
    """
    path = folder / NAME
    if not path.exists():
        return None
    remedy = f"move {path} away, or delete it to train from the start"
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        version = content["schema_version"]
        written = content["fingerprint"]
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        raise CheckpointError(
            f"{path}: no readable checkpoint ({reason[:120]}): {remedy}"
        ) from None
    if version != SCHEMA_VERSION:
        raise CheckpointError(
            f"{path}: checkpoint of schema {version}, this version reads {SCHEMA_VERSION}: {remedy}"
        )
    if written != fingerprint:
        changed = _differences(json.loads(content["settings"]), settings)
        what = "; ".join(changed[:5]) if changed else "the code or the raw data changed"
        raise CheckpointError(
            f"{path}: checkpoint of another run: {what} (fingerprint {written[:12]}, now "
            f"{fingerprint[:12]}): change that back to go on from it, or {remedy}"
        )
    return TrainingState(**content["state"])


def remove(folder: Path) -> None:
    """Delete the checkpoint of a run that is finished."""
    (folder / NAME).unlink(missing_ok=True)


def _differences(before: Any, now: Any, key: str = "") -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            line
            for name in sorted(before.keys() | now.keys())
            for line in _differences(
                before.get(name), now.get(name), f"{key}.{name}" if key else name
            )
        ]
    return [] if before == now else [f"{key} was {before!r} and is {now!r}"]
