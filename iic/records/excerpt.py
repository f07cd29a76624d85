"""The part of a run's weights that its predictions come from, small enough for git.

A file of safetensors with tensors of ``weights.safetensors``, byte by byte and under their names.
Its header says of which file they are part, by the SHA-256 that stands in the training's receipt.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from iic.records.files import RecordError, write_bytes

WHOLE = "whole_sha256"


@dataclass(frozen=True)
class Excerpt:
    """Some tensors of a file of weights."""

    whole: str
    """SHA-256 of the file that they are part of."""
    tensors: dict[str, NDArray[Any]]
    """``<checkpoint>.<name>`` -> the tensor."""


def read_excerpt(path: Path) -> Excerpt:
    """Read an excerpt.

    Raises:
        RecordError: The file is absent, cut, or says not of what it is part.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            whole = (file.metadata() or {}).get(WHOLE)
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise RecordError(
            f"{path}: no excerpt of weights: {said}\n"
            "  remedy: take the file from git again, or delete it"
        ) from None
    if whole is None:
        raise RecordError(f"{path}: {WHOLE} is missing from its header\n  remedy: delete the file")
    return Excerpt(whole, tensors)


def write_excerpt(path: Path, excerpt: Excerpt) -> None:
    """Write an excerpt; the same tensors give the same bytes.

    Raises:
        RecordError: The file cannot be written.
    """
    write_bytes(path, save(excerpt.tensors, {WHOLE: excerpt.whole}))
