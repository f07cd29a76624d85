"""A trunk's weights from the run that a finetuning starts from."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from iic.params.errors import IICError
from iic.records.files import RecordError

PART = "trunk."


def load_trunk(trunk: nn.Module, path: Path, checkpoint: str) -> None:
    """Replace all parameters and buffers of `trunk` by those that a run has stored.

    Args:
        trunk: A trunk of the same shape.
        path: The run's ``weights.safetensors``.
        checkpoint: ``last`` or ``best_label``.

    Raises:
        RecordError: The file is absent or damaged.
        IICError: It lacks the checkpoint, or is of another network; names tensor and shapes.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except FileNotFoundError:
        raise RecordError(f"{path}: missing: run or restore the run that it belongs to") from None
    except (OSError, SafetensorError) as error:
        raise RecordError(f"{path}: no weights: {error}") from None
    prefix = f"{checkpoint}.{PART}"
    stored = {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
    needed = trunk.state_dict()
    if not stored:
        have = sorted({name.split(".")[0] for name in tensors})
        raise IICError(f"{path}: no trunk at checkpoint {checkpoint!r}: has {', '.join(have)}")
    for name in sorted({*needed, *stored}):
        mine, theirs = needed.get(name), stored.get(name)
        if mine is None or theirs is None or mine.shape != theirs.shape:
            shapes = ["absent" if part is None else tuple(part.shape) for part in (theirs, mine)]
            raise IICError(
                f"{path}: weights of another network: {name} is {shapes[0]}, and {shapes[1]} in "
                "the network of these settings\n  remedy: give both runs the same `network`"
            )
    trunk.load_state_dict(stored)
