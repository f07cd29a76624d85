"""``history.jsonl``: one JSON object an epoch, epoch 0 being the untrained network.

Keys: ``epoch``; ``head``, the heads trained in this epoch, one per pass; ``loss``, the mean loss
of each of these passes; ``chance``, where there are questions to answer, the loss of who answers
without looking; ``accuracy``, percent per sub-head of the main head, or null; ``steps``,
optimiser steps so far; ``seconds`` and ``pairs_per_second``, the only fields that differ between
two runs of the same seed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from iic.params.escaping import quoted
from iic.records.files import RecordError, strict_json

TIME_FIELDS = frozenset({"seconds", "pairs_per_second"})


def dump_history(entries: Iterable[Mapping[str, Any]]) -> str:
    """The file's text."""
    return "".join(json.dumps(entry, allow_nan=False) + "\n" for entry in entries)


def read_history(path: Path) -> list[dict[str, Any]]:
    """The epochs in order.

    Raises:
        RecordError: The file is absent or a line is no JSON object.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        entries = [strict_json(line) for line in lines]
    except FileNotFoundError:
        raise RecordError(f"{path}: missing") from None
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path}: no JSON lines: {quoted(error)}") from None
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict) or "epoch" not in entry:
            raise RecordError(f"{path}: line {number}: not an epoch")
    return entries
