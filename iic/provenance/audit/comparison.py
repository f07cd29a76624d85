"""A training and its repetition, file by file."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from iic.provenance.audit.metrics import differences
from iic.records.evaluation import Evaluation
from iic.records.files import RecordError, sha256_file
from iic.records.history import TIME_FIELDS, read_history
from iic.records.receipt import Receipt

TRAINED = 1.0
"""Percentage points by which a network's accuracies may differ between two kinds of machines: last
bits decide in which local optimum a training ends. Declared, whatever a receipt says of its own
spread."""
UNTRAINED = 0.5
"""Those of a run that takes no optimiser step."""
DEVIATIONS = 2.0
"""Standard deviations of the chance error."""


class Difference(NamedTuple):
    """A file that came out differently."""

    path: str
    message: str
    """Where it differs, with the numbers of both sides."""


def compare(then: Receipt, now: Receipt, root: Path, folder: Path) -> Iterator[Difference]:
    """The files that a training wrote, and what it found out, against those of its repetition.

    Args:
        then: The receipt of the results.
        now: The receipt of the repetition.
        root: Clone with the results.
        folder: Folder with the files of the repetition.
    """
    wrote = {output.path: output for output in now.outputs}
    for output in then.outputs:
        if output.path not in wrote:
            yield Difference(output.path, "was not written again")
        elif output.path.endswith("/history.jsonl"):
            message = _histories(root / output.path, folder / output.path, output.sha256)
            if message is not None:
                yield Difference(output.path, message)
        elif output.sha256 != wrote[output.path].sha256:
            message = f"sha256 {output.sha256[:12]} then, {wrote[output.path].sha256[:12]} now"
            here = root / output.path
            # a file that is absent or altered is the business of other checks
            if here.exists() and sha256_file(here) == output.sha256:
                message += f": {_content(here, folder / output.path)}"
            yield Difference(output.path, message)
    for path in wrote.keys() - {output.path for output in then.outputs}:
        yield Difference(path, "was written now, and not then")
    receipt = next(iter(wrote)).rsplit("/", 1)[0] + "/run.json"
    if then.trajectory and then.trajectory != now.trajectory:
        yield Difference(receipt, "other losses of the first steps")
    changed = list(differences(then.outcome, now.outcome))
    if changed:
        yield Difference(receipt, "outcome: " + "; ".join(_renamed(changed)))


def recorded_seconds(receipt: Receipt) -> float:
    """What a training took, in all its sessions, by its receipt."""
    sessions = sum((session.end - session.start).total_seconds() for session in receipt.sessions)
    return max(receipt.timing.seconds, sessions)


def accuracies(then: Evaluation, now: Evaluation) -> dict[str, tuple[float, float]]:
    """Selection -> accuracy in percent of the results and of the repetition, where both have it."""
    pairs = {}
    for name, selection in then.selections.items():
        other = now.selections[name]
        if selection is not None and other is not None:
            if selection.acc is not None and other.acc is not None:
                pairs[str(name)] = (selection.acc, other.acc)
    return pairs


def nearest(name: str, then: float, now: Evaluation) -> float:
    """Accuracy in percent of the repetition that is compared with a selection's in the results.

    Last bits decide which of two equally good sub-heads has the lowest loss, so where one is chosen
    it is the sub-head of the repetition that comes nearest.
    """
    selection = now.selections[name]  # type: ignore[index]
    assert selection is not None and selection.acc is not None
    if selection.sub_head is None:
        return selection.acc
    heads = now.checkpoints[selection.checkpoint].sub_heads
    found = [head.acc for head in heads if head.acc is not None]
    return min(found, key=lambda accuracy: abs(accuracy - then), default=selection.acc)


def with_chance(points: float, accuracy: float, images: int) -> float:
    """Percentage points with the chance error of an accuracy in percent over so many images."""
    share = min(max(accuracy / 100, 0.0), 1.0)
    return points + 100 * DEVIATIONS * math.sqrt(share * (1 - share) / max(images, 1))


def _histories(then: Path, now: Path, sha256: str) -> str | None:
    """The first epoch and field that differ, times left out."""
    if not then.exists() or sha256_file(then) != sha256:
        return None
    try:
        entries = [read_history(path) for path in (then, now)]
    except RecordError as error:
        return str(error)
    for old, new in itertools.zip_longest(*entries):
        if old is None or new is None:
            return f"{len(entries[0])} epochs then, {len(entries[1])} now"
        for key in dict.fromkeys((*old, *new)):
            if key not in TIME_FIELDS and old.get(key) != new.get(key):
                return f"epoch {old['epoch']}, {key}: {old.get(key)} then, {new.get(key)} now"
    return None


def _content(then: Path, now: Path) -> str:
    """How far two files of one kind are apart."""
    try:
        if then.suffix == ".safetensors":
            return _tensors(then, now)
        return _tables(then, now)
    except Exception as error:
        # whatever is wrong with a file, that it differs has to be said
        return f"cannot be compared further: {error}"


def _tensors(then: Path, now: Path) -> str:
    from safetensors.numpy import load_file

    old, new = load_file(then), load_file(now)
    if {name: tensor.shape for name, tensor in old.items()} != {
        name: tensor.shape for name, tensor in new.items()
    }:
        return f"other tensors: {len(old)} then, {len(new)} now"
    apart = {
        name: float(np.max(np.abs(tensor.astype(float) - new[name].astype(float)), initial=0))
        for name, tensor in old.items()
        if not np.array_equal(tensor, new[name])
    }
    if not apart:
        return "the same tensors, stored differently"
    worst = max(apart, key=lambda name: apart[name])
    return f"{len(apart)} of {len(old)} tensors differ, by up to {apart[worst]:.3g} ({worst})"


def _tables(then: Path, now: Path) -> str:
    from iic.records import arrow

    old, new = arrow.read(then), arrow.read(now)
    if old.column_names != new.column_names or old.num_rows != new.num_rows:
        return (
            f"{old.num_rows} rows of {len(old.column_names)} columns then, "
            f"{new.num_rows} of {len(new.column_names)} now"
        )
    parts = []
    for name in old.column_names:
        pairs = zip(old[name].to_pylist(), new[name].to_pylist(), strict=True)
        rows = [row for row, (value, other) in enumerate(pairs) if value != other]
        if rows:
            parts.append(f"{name} in {len(rows)} of {old.num_rows} rows, first in row {rows[0]}")
    return "; ".join(parts[:3]) or "the same rows, stored differently"


def _renamed(lines: list[str]) -> Iterator[str]:
    for line in lines[:3]:
        yield line.replace(" written,", " then,").replace(" recomputed", " now")
