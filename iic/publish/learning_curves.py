"""The authors' learning curves, from the logs that came with their code.

What the logs show in short: docs/spec/images.md#learning-curves.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import NamedTuple

from iic.params.errors import SettingsError

LOGS = "params/published/learning_curves.csv"
COLUMNS = ("run", "model", "epoch", "best", "mean", "source")


class LoggedEpoch(NamedTuple):
    """Accuracy after an epoch, in percent."""

    epoch: int
    best: float
    """Of the best sub-head by label accuracy."""
    mean: float
    """Over the sub-heads."""
    model: str
    """Number of the authors' model."""


def read_learning_curves(path: Path) -> dict[str, list[LoggedEpoch]]:
    """Logged epochs of each run, ``<paper's dataset>/<run>``, in order.

    Raises:
        SettingsError: The file is absent or malformed; names the line.
    """
    try:
        lines = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(str(path), "", f"cannot be read: {error}") from None
    if not lines or tuple(lines[0]) != COLUMNS:
        raise SettingsError(str(path), "line 1", "other columns", allowed=", ".join(COLUMNS))
    curves: dict[str, list[LoggedEpoch]] = {}
    for number, fields in enumerate(lines[1:], start=2):
        try:
            run, model, epoch, best, mean, _ = fields
            point = LoggedEpoch(int(epoch), float(best), float(mean), model)
        except ValueError as error:
            raise SettingsError(str(path), f"line {number}", str(error)) from None
        curve = curves.setdefault(run, [])
        if not (0 <= point.mean <= point.best <= 100) or (curve and curve[-1].epoch >= point.epoch):
            raise SettingsError(
                str(path),
                f"line {number}",
                f"{','.join(fields)} does not fit",
                allowed="ascending epochs, and 0 <= mean <= best <= 100",
            )
        curve.append(point)
    return curves
