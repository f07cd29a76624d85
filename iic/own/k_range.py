"""An unknown k: a fit for each, and what speaks for it; never one number without its rivals."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from iic.own.answers import write_table
from iic.own.errors import OwnDataError
from iic.own.explain import explain, read_assignments
from iic.own.findings import LEAST_STABILITY
from iic.own.fit import fit
from iic.own.model import FitRequest, OwnModel
from iic.own.writing import BY_UMAP

log = logging.getLogger(__name__)

AUTO = range(2, 13)
MOST_K = 100
SEEDS = 3
"""Trainings for each k: three pairs, so that there is a spread."""
TABLE = "k.csv"
PATTERN = re.compile(r"(\d+)(?:\.\.(\d+))?")


class Recommendation(NamedTuple):
    """What to make of all candidates."""

    k: int | None
    """The most stable one; None where there is no single one."""
    text: str


class Candidate(NamedTuple):
    """One k, and what was measured with it."""

    k: int
    stability: float
    """Mean adjusted Rand index between seeds, and between trainings on either half."""
    lowest: float
    """The least of them."""
    highest: float
    halves: float
    """Between trainings on either half of the images; NaN where they were too few."""
    shuffled: float
    """The most that shuffled images give."""
    agreement: float
    """Of sub-heads."""
    silhouette: float
    """Of IIC's clusters in the space of the principal components, -1 to 1."""
    rival_silhouette: float
    """Of k-means' clusters there."""
    filled: int
    """Clusters that hold images."""
    umap_silhouette: float = math.nan
    """Of IIC's clusters in the space of UMAP, if that was asked for."""

    @property
    def above_chance(self) -> bool:
        """Whether seeds agree better than chance, and both halves of the images do."""
        least = self.stability if math.isnan(self.halves) else min(self.stability, self.halves)
        return least > max(self.shuffled, LEAST_STABILITY)


def parse(text: str) -> range:
    """``10``, ``2..30`` or ``auto``: a range of one k, or of several.

    Raises:
        OwnDataError: It is none of them.
    """
    if text == "auto":
        return AUTO
    match = PATTERN.fullmatch(text)
    if match is None:
        raise OwnDataError(f"--k {text}: no number of clusters\n  allowed: 10, 2..30 or auto")
    first, last = int(match[1]), int(match[2] or match[1])
    if match[2] is not None and not 2 <= first < last <= MOST_K:
        raise OwnDataError(f"--k {text}: no range\n  allowed: 2..{MOST_K}, or less of it")
    return range(first, last + 1)


def fit_range(
    request: FitRequest, ks: Sequence[int], out: Path, live: bool | None = None
) -> Recommendation:
    """Fit each k into a folder of its own below `out`, and compare them.

    Args:
        request: What to do; its k does not count, its minutes are for all.
        ks: Numbers of clusters.
        out: Folder of the models and of ``k.csv``; the same call goes on with it.
        live: Whether to draw bars.

    Returns:
        Which k, if any, and why in words.

    Raises:
        OwnDataError: As for `fit`, and where a settings file says which k.
    """
    if request.settings is not None:
        raise OwnDataError("--settings says which k: leave it out, or give that one k")
    if request.task == "segment":
        raise OwnDataError("--task segment: several k are not compared\n  remedy: give one")
    seeds = max(2, request.wishes.seeds or SEEDS)
    wishes = request.wishes.model_copy(update={"seeds": seeds})
    minutes = request.minutes / len(ks)
    candidates: list[Candidate] = []
    # the largest first: if there are too few images, that is found before any training
    for k in sorted(ks, reverse=True):
        changes = {"k": k, "minutes": minutes, "wishes": wishes, "halves": True}
        own = request.model_copy(update=changes)
        model = fit(own, folder_of(out, k), live)
        explain(model)
        candidates.insert(0, candidate(model))
        log.info("%s", line(candidates[0]))
    write_table(out / TABLE, pd.DataFrame(candidates).round(4))
    return recommendation(candidates)


def folder_of(out: Path, k: int) -> Path:
    """Folder of one k's model."""
    return out / f"k{k:02d}"


def candidate(model: OwnModel) -> Candidate:
    """What a finished fit says of its k."""
    receipt = model.receipt
    measured, rival = receipt.stability, receipt.silhouettes[receipt.rival]
    halves = math.nan if measured.halves is None else measured.halves
    scores = [*measured.pairs, *([] if measured.halves is None else [halves])] or [0.0]
    return Candidate(
        model.config.k,
        sum(scores) / len(scores),
        min(scores),
        max(scores),
        halves,
        measured.shuffled or 0.0,
        measured.agreement,
        receipt.silhouettes["IIC"],
        rival,
        read_assignments(model)["cluster"].nunique(),
        receipt.silhouettes.get(BY_UMAP, math.nan),
    )


def line(own: Candidate) -> str:
    """One k in a line."""
    return (
        f"k {own.k:2}: stability {own.stability:.2f} ({own.lowest:.2f} to {own.highest:.2f}; "
        f"halves {own.halves:.2f}), "
        f"sub-heads {own.agreement:.2f}, silhouette {own.silhouette:.2f} (k-means "
        f"{own.rival_silhouette:.2f}), {own.filled} clusters filled"
    )


def recommendation(candidates: Sequence[Candidate]) -> Recommendation:
    """Which k, how surely, and what the rivals say.

    By stability alone small k win easily, so it counts only how far a k is above the rest: those
    whose spread reaches the best one's are not told apart from it.
    """
    full = [own for own in candidates if own.filled == own.k]
    by_silhouette = max(candidates, key=lambda own: own.silhouette).k
    by_rival = max(candidates, key=lambda own: own.rival_silhouette).k
    rivals = f"By silhouette k {by_silhouette} (of k-means' clusters k {by_rival})."
    mapped = [own for own in candidates if not math.isnan(own.umap_silhouette)]
    if mapped:
        by_umap = max(mapped, key=lambda own: own.umap_silhouette).k
        rivals += f" In the space of UMAP k {by_umap}."
    if not full:
        return Recommendation(None, f"No single k: each leaves clusters empty. {rivals}")
    sure = [own for own in full if own.above_chance]
    if not sure:
        return Recommendation(None, f"No single k: none is stable over seeds and halves. {rivals}")
    best = max(sure, key=lambda own: own.stability)
    equal = [own.k for own in sure if own.highest >= best.lowest]
    if len(equal) > max(1, len(candidates) // 2):
        names = ", ".join(map(str, equal))
        text = f"No single k: {names} are not told apart by their stability. {rivals}"
        return Recommendation(None, text)
    also = [str(k) for k in equal if k != best.k]
    others = f", not told apart from {', '.join(also)}" if also else ""
    text = f"k {best.k} is the most stable, {best.stability:.2f} over seeds and halves{others}."
    return Recommendation(best.k, f"{text} {rivals}")
