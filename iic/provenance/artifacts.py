"""Who reads the artifacts of a training: figures of probabilities, and what starts from weights.

Small files are enough for everything else, so that a clone without artifacts can make all tables
and most figures again.
"""

from __future__ import annotations

from pathlib import Path

from iic.params.runs import plan
from iic.records import paths


def reads_artifacts(scale: str, figure: str) -> bool:
    """Whether a figure draws from probabilities or snapshots; others read small files."""
    return plan(scale).figures[figure].reads_artifacts


def needs_artifacts(scale: str, run: str, seed: int, root: Path = Path()) -> bool:
    """Whether a job of the scale reads the weights or probabilities of a training."""
    whole = plan(scale)
    drawn = (
        one.id
        for name, figure in whole.figures.items()
        if reads_artifacts(scale, name)
        for one in whole.figure_runs(figure)
    )
    started = (
        paths.RunPaths(scale, one.id, seed).receipt
        for one in whole.runs.values()
        if one.settings.base is not None and f"{one.dataset}/{one.settings.base}" == run
        if seed in one.seeds
    )
    return run in drawn or any(not (root / receipt).exists() for receipt in started)
