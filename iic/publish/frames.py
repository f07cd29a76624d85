"""Results as pandas frames, for notebooks and for texts that quote numbers.

Every frame is tidy: one observation a row. Scores are in percent; what there is not is NaN. The
workflow's own tables are made without pandas, whose import takes as long as making one: so these
frames are also a second way to the same numbers, which a test compares with the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pandas import DataFrame, concat

from iic.params.runs import PARAMS, Plan, Run, load_plan
from iic.records.evaluation import Evaluation
from iic.records.files import RecordError, read_record
from iic.records.history import read_history
from iic.records.paths import RunPaths, table
from iic.records.table import COLUMNS, read_table

NUMBERS = ("published", "published_std", "ours_mean", "ours_std", "ours_std_heads")
"""Columns of `cells` that are percentages."""
TRAINING = ("dataset", "paper_dataset", "run", "seed")
"""Columns that say which training a row is of."""


def cells(scale: str, root: Path = Path()) -> DataFrame:
    """The cells of all tables of a scale that are there.

    Args:
        scale: One of the files in ``params/scales/``.
        root: Root of the clone.

    Returns:
        The columns of the tables' csv (`iic.records.table.TableRow`), the numbers as float64 and
        n_seeds as Int64.

    Raises:
        SettingsError: There is no such scale, or its settings are wrong.
        RecordError: No table is there, or one is damaged.
    """
    rows = [
        row.model_dump()
        for name in load_plan(scale, root / PARAMS).tables
        if (path := root / table(scale, name)).exists()
        for row in read_table(path)
    ]
    if not rows:
        raise _nothing(scale, "table", "tables")
    types = {**dict.fromkeys(NUMBERS, "float64"), "n_seeds": "Int64"}
    return DataFrame(rows, columns=list(COLUMNS)).astype(types)


def scores(scale: str, root: Path = Path()) -> DataFrame:
    """What each selection scores of each training of a scale that is evaluated.

    Args:
        scale: One of the files in ``params/scales/``.
        root: Root of the clone.

    Returns:
        `TRAINING`, selection, checkpoint, epoch, sub_head (NaN for a mean over all), acc, nmi, ari,
        acc_std_heads and, of segmentations, miou.

    Raises:
        SettingsError: There is no such scale, or its settings are wrong.
        RecordError: Nothing is evaluated, or an evaluation is damaged.
    """
    rows = []
    for of, paths in _trainings(load_plan(scale, root / PARAMS)):
        if (root / paths.evaluation).exists():
            evaluation = read_record(root / paths.evaluation, Evaluation)
            rows += [
                {**of, "selection": name, **selection.model_dump()}
                for name, selection in evaluation.selections.items()
                if selection is not None
            ]
    if not rows:
        raise _nothing(scale, "evaluation", "runs")
    return DataFrame(rows)


def curves(scale: str, root: Path = Path()) -> DataFrame:
    """The histories of all trainings of a scale that have one.

    Args:
        scale: One of the files in ``params/scales/``.
        root: Root of the clone.

    Returns:
        One row an epoch and sub-head: `TRAINING`, epoch, sub_head, accuracy (NaN where an epoch was
        not evaluated), loss (mean over the epoch's passes), steps, seconds.

    Raises:
        SettingsError: There is no such scale, or its settings are wrong.
        RecordError: No history is there, or one is damaged.
    """
    frames = []
    for of, paths in _trainings(load_plan(scale, root / PARAMS)):
        # a method without epochs has an empty history
        if (root / paths.history).exists() and (entries := read_history(root / paths.history)):
            epochs = DataFrame(entries, columns=["epoch", "loss", "accuracy", "steps", "seconds"])
            loss = epochs["loss"].explode().astype("float64").groupby(level=0).mean()
            heads = epochs.assign(**of, loss=loss).explode("accuracy")
            heads["sub_head"] = heads.groupby(level=0).cumcount()
            frames.append(heads.astype({"accuracy": "float64"}))
    if not frames:
        raise _nothing(scale, "history", "train")
    columns = [*TRAINING, "epoch", "sub_head", "accuracy", "loss", "steps", "seconds"]
    return concat(frames, ignore_index=True)[columns]


def _trainings(plan: Plan) -> Iterator[tuple[dict[str, Any], RunPaths]]:
    def of(run: Run, seed: int) -> dict[str, Any]:
        return dict(zip(TRAINING, (run.dataset, run.paper_dataset, run.name, seed), strict=True))

    for run in plan.runs.values():
        for seed in run.seeds:
            yield of(run, seed), RunPaths(run.scale, run.id, seed)


def _nothing(scale: str, kind: str, target: str) -> RecordError:
    return RecordError(
        f"results/{scale}: there is no {kind} here\n  remedy: iic run --scale {scale} {target}"
    )
