"""Parts of a network with the weights of the run that a training starts from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from torch import nn

from iic.params.errors import IICError
from iic.records.files import RecordError


def load_parts(network: nn.Module, parts: Iterable[str], path: Path, checkpoint: str) -> None:
    """Replace all parameters and buffers of some parts by those that a run has stored.

    Args:
        network: A network whose parts have the same shapes and names as that run's.
        parts: Names of the parts, such as ``trunk``.
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
    for part in parts:
        prefix = f"{checkpoint}.{part}."
        stored = {
            name.removeprefix(prefix): value
            for name, value in tensors.items()
            if name.startswith(prefix)
        }
        module = network.get_submodule(part)
        needed = module.state_dict()
        if not stored:
            have = sorted({name.split(".")[0] for name in tensors})
            raise IICError(f"{path}: no {part} at checkpoint {checkpoint!r}: has {', '.join(have)}")
        for name in sorted({*needed, *stored}):
            mine, theirs = needed.get(name), stored.get(name)
            if mine is None or theirs is None or mine.shape != theirs.shape:
                shapes = [
                    "absent" if tensor is None else tuple(tensor.shape) for tensor in (theirs, mine)
                ]
                raise IICError(
                    f"{path}: weights of another network: {part}.{name} is {shapes[0]}, and "
                    f"{shapes[1]} in the network of these settings\n"
                    "  remedy: give both runs the same settings of the network"
                )
        module.load_state_dict(stored)
