"""``MODEL/report.html``: one page, self-contained, of what a fit found and what it is worth."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from iic.own import model as files
from iic.own.errors import ModelError
from iic.own.findings import Finding, findings
from iic.own.labels import Scores, confusion, labels_of, scores
from iic.own.map_page import explain_maps
from iic.own.model import FitReceipt, OwnModel
from iic.own.near_copies import read_near_copies
from iic.own.rivals import KINDS, read_examples
from iic.params.escaping import of_cell
from iic.publish.pages.render import data_uri, render
from iic.records.files import write_bytes

THUMB = 56
"""Pixels of an example on the page."""
MOST_CLASSES = 60
"""A table of confusion with more classes is no help on a page."""
TITLES = {
    "certain": "Most certain",
    "central": "Nearest to the middle",
    "uncertain": "Least certain",
}
FEWEST_STEPS = 100
"""A training with fewer has hardly begun: its clusters say little of the images."""
CHART = (560, 180)
"""Units of a drawing, in which the points of a curve are placed."""
MOST_GROUPS = 20
"""Groups of near-copies on the page; the file has all."""
NUMBERS = ("probability", "entropy", "agreement")


@dataclass(frozen=True)
class Cluster:
    """One cluster on the page."""

    number: int
    size: int
    percent: str
    sheets: list[tuple[str, str]]
    """Title and image of each kind of examples, as an address."""
    probability: float
    """Mean, as of the next two."""
    entropy: float
    agreement: float


def explain(model: OwnModel, labels: str | None = None) -> list[Finding]:
    """Write the page.

    Args:
        model: A finished model.
        labels: `iic.own.labels.FOLDERS`, or a file of labels; None for a page without scores.

    Returns:
        What the page says first; any of level ``bad`` means that there is no stable clustering.

    Raises:
        OwnDataError: The labels do not fit the images.
        ModelError: Files of the model are missing.
    """
    table = read_assignments(model)
    if model.segments:
        return explain_maps(model, table, read_skipped(model), labels)
    k, receipt = model.config.k, model.receipt
    clusters = table["cluster"].to_numpy()
    found = findings(clusters, k, receipt.stability, table["rival"].to_numpy(), receipt.distinct)
    near = read_near_copies(model.folder / files.NEAR_COPIES)
    found += near_findings(near, receipt.images - receipt.distinct)
    if receipt.request.released is None:
        found += length_findings(min(seed.steps for seed in receipt.seeds))
    else:
        found.append(Finding("warn", "The weights were imported: nothing was trained here."))
    said: list[Scores] = []
    counts: dict[str, Any] | None = None
    if labels is not None:
        given = labels_of(table, labels)
        said = [scores("IIC", clusters, given, k)]
        said.append(scores(receipt.rival, table["rival"].to_numpy(), given, k))
        if len(given.classes) <= MOST_CLASSES:
            counts = {"classes": given.classes, "cells": confusion(clusters, given, k).tolist()}
        found += label_findings(given.classes, len(given.rows), given.without, k)
    page = render(
        "own.html.j2",
        title=Path(receipt.request.source).name,
        receipt=receipt,
        config=model.config,
        choice=(model.folder / files.CHOICE).read_text(encoding="utf-8"),
        findings=found,
        clusters=_clusters(model, table),
        scores=said,
        confusion=counts,
        curves=_curves(receipt),
        chart=CHART,
        most=math.log(k),
        skipped=read_skipped(model),
        near=near[:MOST_GROUPS],
        near_groups=len(near),
    )
    write_bytes(model.folder / files.REPORT, page)
    return found


def read_assignments(model: OwnModel) -> pd.DataFrame:
    """The table of assignments, in the order of paths."""
    path = model.folder / files.ASSIGNMENTS
    try:
        table = pd.read_csv(path, dtype={"path": str, "label": str}, keep_default_na=False)
        return table.map(lambda value: of_cell(value) if isinstance(value, str) else value)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from None


def read_skipped(model: OwnModel) -> list[tuple[str, str]]:
    """Path and reason of each file that was skipped."""
    table = pd.read_csv(model.folder / files.SKIPPED, dtype=str, keep_default_na=False)
    return [
        (of_cell(path), of_cell(reason))
        for path, reason in zip(table["path"], table["reason"], strict=True)
    ]


def near_findings(groups: list[list[str]], copies: int) -> list[Finding]:
    """What is to be said of images that are nearly the same, besides `copies` to the last byte."""
    near = sum(len(group) - 1 for group in groups) - copies
    if near <= 0:
        return []
    text = f"{near:,} images are nearly the same as another one (near_copies.csv)."
    return [Finding("warn", text)]


def length_findings(steps: int) -> list[Finding]:
    """What is to be said of a short training."""
    if steps >= FEWEST_STEPS:
        return []
    text = f"Only {steps} steps of training: more minutes may give other clusters."
    return [Finding("warn", text)]


def label_findings(classes: list[str], labelled: int, without: int, k: int) -> list[Finding]:
    """What is to be said of labels before anybody reads scores."""
    found = []
    if without:
        found.append(Finding("warn", f"{without:,} images have no label and are not scored."))
    if len(classes) > labelled / 2:
        found.append(
            Finding(
                "warn",
                f"{len(classes):,} labels for {labelled:,} images: most images have a label of "
                "their own, so scores say nothing.",
            )
        )
    elif len(classes) != k:
        found.append(
            Finding(
                "warn",
                f"{len(classes)} labels, {k} clusters: one-to-one leaves some without a partner.",
            )
        )
    return found


def percentages(sizes: NDArray[np.int64]) -> list[str]:
    """Shares in percent with one decimal that sum to 100 (largest remainders)."""
    exact = sizes * 1000 / sizes.sum()
    whole = np.floor(exact).astype(int)
    rest = np.argsort(whole - exact, kind="stable")[: 1000 - int(whole.sum())]
    whole[rest] += 1
    return [f"{value / 10:.1f}" for value in whole]


def _clusters(model: OwnModel, table: pd.DataFrame) -> list[Cluster]:
    k = model.config.k
    examples = read_examples(model.folder / files.EXAMPLES)
    clusters = table["cluster"].to_numpy()
    sizes = np.bincount(clusters, minlength=k)
    shares = percentages(sizes)
    shown = []
    for number in range(k):
        own = table[clusters == number]
        sheets = [
            (TITLES[kind], sheet(examples["pixels"], examples[kind][number]))
            for kind in KINDS
            if len(own)
        ]
        means = {name: float(own[name].mean()) if len(own) else 0.0 for name in NUMBERS}
        shown.append(Cluster(number, int(sizes[number]), shares[number], sheets, **means))
    return shown


def sheet(pixels: NDArray[Any], places: NDArray[Any]) -> str:
    """A contact sheet as an address: the images at `places`, -1 for none, side by side."""
    shown = [pixels[place] for place in places if place >= 0]
    whole = Image.new("RGB", (THUMB * len(shown), THUMB), "white")
    for number, own in enumerate(shown):
        array = own[0] if len(own) == 1 else np.moveaxis(own, 0, 2)
        image = Image.fromarray(array).convert("RGB")
        side = THUMB - 2
        whole.paste(image.resize((side, side), Image.Resampling.NEAREST), (THUMB * number, 0))
    buffer = io.BytesIO()
    whole.save(buffer, "png", optimize=True)
    return data_uri(buffer.getvalue(), "image/png")


def _curves(receipt: FitReceipt) -> list[tuple[str, str]]:
    """For each seed its name and the points of its line: mutual information by epoch."""
    width, height = CHART
    lines = []
    most = math.log(receipt.request.k) * 2
    for seed in receipt.seeds:
        losses = [np.mean(entry["loss"]) for entry in seed.history if entry["loss"]]
        top = max(most, -min(losses, default=0.0))
        points = " ".join(
            f"{width * number / max(1, len(losses) - 1):.1f},{height * (1 + loss / top):.1f}"
            for number, loss in enumerate(losses)
        )
        lines.append((f"seed {seed.seed}: {seed.steps:,} steps, best loss {seed.loss:.4f}", points))
    return lines
