"""What the runs of one cell say: a value for each seed, and the evaluations that vouch for it.

A cell has one run, or one a fold, whose mean is the seed's value. The spreads inside a seed (over
sub-heads, folds, draws of labels) are averaged over seeds.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from iic.params.experiments import Selection
from iic.params.runs import Run
from iic.publish.evidence import evaluation_source
from iic.records.evaluation import Evaluation
from iic.records.evaluation import Selection as Chosen
from iic.records.files import read_record
from iic.records.paths import RunPaths
from iic.records.sources import SeedSource


class SeedEvaluation(NamedTuple):
    """The evaluation of one run and seed, as it lies on disk."""

    run: Run
    evaluation: Evaluation
    source: SeedSource


@dataclass(frozen=True)
class Measured:
    """A cell's numbers in percent."""

    values: tuple[float, ...]
    """One a seed."""
    sources: tuple[SeedSource, ...]
    heads: float | None
    """Standard deviation over sub-heads (ddof 0)."""
    folds: float | None
    """Standard deviation over folds (ddof 1); None without folds, or with one."""
    draws: float | None
    """Standard deviation over draws of labels (ddof 1); None where all labels count."""
    complete: bool
    """Whether every seed has all folds."""
    notes: tuple[str, ...]
    """What a reader must know about these numbers."""


def read_evaluations(trainings: Iterable[tuple[Run, int]], root: Path) -> list[SeedEvaluation]:
    """The evaluations that there are of these trainings, given as runs with their seeds.

    Raises:
        RecordError: An evaluation or its receipt is damaged, or an evaluation has no receipt.
    """
    evaluations = []
    for run, seed in trainings:
        paths = RunPaths(run.scale, run.id, seed)
        if (root / paths.evaluation).exists():
            evaluation = read_record(root / paths.evaluation, Evaluation)
            source = evaluation_source(paths, root)
            evaluations.append(SeedEvaluation(run, evaluation, source))
    return evaluations


def measure(
    runs: Sequence[Run],
    evaluations: Iterable[SeedEvaluation],
    selection: Selection,
    metric: str,
    *,
    fraction: float | None = None,
    folds: int | None = None,
) -> Measured | None:
    """The numbers of a cell, or None where no evaluation has this selection.

    Args:
        runs: The cell's runs at this scale: one, or those of its folds that are run.
        evaluations: Those that there are of them.
        selection: How the reported model is picked.
        metric: ``acc``, ``miou``, ``nmi`` or ``ari``; accuracy alone for a fraction.
        fraction: Share of the labels that clusters are mapped with; None for all, as evaluated.
        folds: How many folds the row has; None for a row without.
    """
    scores: dict[int, dict[str, _Score]] = {}
    sources = []
    draws = set()
    for run, evaluation, source in evaluations:
        score = _score(evaluation, selection, metric, fraction)
        if score is not None:
            scores.setdefault(source.seed, {})[run.name] = score
            sources.append(source)
            draws.add(score.drawn)
    if not scores:
        return None
    seeds = list(dict.fromkeys(seed for run in runs for seed in run.seeds))
    by_seed = [list(scores[seed].values()) for seed in seeds if seed in scores]
    missing = [str(seed) for seed in seeds if seed not in scores]
    notes = list(dict.fromkeys(run.note for run in runs if run.note))
    if missing:
        notes.append(f"no result of seed {', '.join(missing)}")
    if folds is not None:
        notes += _fold_notes(scores, runs, folds)
    notes += sorted(draws - {""})
    return Measured(
        values=tuple(statistics.fmean(score.value for score in seed) for seed in by_seed),
        sources=tuple(sources),
        heads=_mean(score.heads for seed in by_seed for score in seed),
        folds=_mean(
            statistics.stdev(score.value for score in seed) if len(seed) > 1 else None
            for seed in by_seed
            if folds is not None
        ),
        draws=_mean(score.draws for seed in by_seed for score in seed),
        complete=all(len(seed) == (folds or 1) for seed in by_seed),
        notes=tuple(notes),
    )


class _Score(NamedTuple):
    value: float
    heads: float | None
    draws: float | None
    drawn: str
    """A note on how labels were drawn, or nothing."""


def _score(
    evaluation: Evaluation, selection: Selection, metric: str, fraction: float | None
) -> _Score | None:
    if fraction is None:
        chosen = evaluation.selections[selection]
        value = getattr(chosen, metric) if chosen else None
        if chosen is None or value is None:
            return None
        return _Score(value, _over_heads(evaluation, chosen, metric), None, "")
    for part in evaluation.fractions:
        if math.isclose(part.fraction, fraction):
            drawn = part.selections.get(selection)
            if drawn is None:
                return None
            how = ", each class keeping its share" if part.class_balanced else ""
            note = f"mean over {part.draws} draws of labels{how}" if part.draws > 1 else ""
            return _Score(drawn.acc, None, drawn.acc_std, note)
    return None


def _over_heads(evaluation: Evaluation, chosen: Chosen, metric: str) -> float | None:
    """Standard deviation over the checkpoint's sub-heads (ddof 0); None for a single one."""
    heads = evaluation.checkpoints[chosen.checkpoint].sub_heads
    if len(heads) < 2:
        return None
    if metric == "acc":
        return chosen.acc_std_heads
    values = [value for head in heads if (value := getattr(head, metric)) is not None]
    return statistics.pstdev(values) if values else None


def _fold_notes(
    scores: Mapping[int, Mapping[str, _Score]], runs: Sequence[Run], folds: int
) -> list[str]:
    """Which folds a mean is of, where some are missing."""
    names = [run.name for run in runs]
    by_folds: dict[tuple[str, ...], list[int]] = {}
    for seed, of_seed in scores.items():
        there = tuple(_fold(name) for name in names if name in of_seed)
        by_folds.setdefault(there, []).append(seed)
    notes = []
    for there, seeds in by_folds.items():
        if len(there) < folds:
            whose = "" if len(by_folds) == 1 else f"seed {', '.join(map(str, sorted(seeds)))}: "
            notes.append(f"{whose}mean over {len(there)} of {folds} folds ({', '.join(there)})")
    return notes


def _fold(name: str) -> str:
    """Number of a fold, from the name of its run."""
    return name[len(name.rstrip("0123456789")) :]


def _mean(values: Iterable[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return statistics.fmean(present) if present else None
