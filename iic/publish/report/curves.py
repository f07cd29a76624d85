"""Learning curves as the page draws them: one small chart a run, a line a seed.

A chart is a few lines of svg inside the page, in the page's own colours; points are placed here,
so that the template only writes them down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from iic.params.runs import Plan, Run
from iic.publish.report.chains import Chains, chain_id
from iic.records.history import read_history
from iic.records.paths import RunPaths

WIDTH, HEIGHT = 240, 96
"""Units of the drawing, in which points are placed."""
ENOUGH = 3
"""Points that accuracy needs to be drawn rather than the loss, which has one an epoch."""


@dataclass(frozen=True)
class SeedCurve:
    """One seed: a line, and where there are several sub-heads the area between them."""

    seed: int
    line: str
    """Points of the line through the means over sub-heads, ``x,y x,y``."""
    area: str
    """Points around the area from the lowest to the highest sub-head; empty for one."""
    last: str


@dataclass(frozen=True)
class CurveView:
    """One run's chart."""

    run: str
    what: str
    """``accuracy`` or ``loss``."""
    unit: str
    low: str
    high: str
    epochs: int
    stand_in: bool
    seeds: tuple[SeedCurve, ...]
    chain: tuple[str, ...]

    @property
    def alternative(self) -> str:
        """What the chart shows, in words."""
        ends = ", ".join(f"seed {seed.seed}: {seed.last}" for seed in self.seeds)
        return f"{self.run}: {self.what} over {self.epochs} epochs, at the end {ends}{self.unit}."


@dataclass(frozen=True)
class _Point:
    epoch: int
    low: float
    mean: float
    high: float


def curve_views(plan: Plan, chains: Chains) -> list[CurveView]:
    """Charts of the runs whose history has two points to connect.

    Raises:
        RecordError: A history is damaged.
    """
    places: dict[str, list[RunPaths]] = {}
    for paths, _ in chains.trainings():
        if (chains.root / paths.history).exists():
            places.setdefault(paths.run, []).append(paths)
    charts = (_chart(plan.run(run), plan, here, chains) for run, here in places.items())
    return [chart for chart in charts if chart is not None]


def _chart(run: Run, plan: Plan, places: Sequence[RunPaths], chains: Chains) -> CurveView | None:
    histories = {paths.seed: read_history(chains.root / paths.history) for paths in places}
    accuracies = {seed: _points(entries, "accuracy") for seed, entries in histories.items()}
    losses = {seed: _points(entries, "loss") for seed, entries in histories.items()}
    longest = max(map(len, accuracies.values()))
    by_loss = longest < ENOUGH and max(map(len, losses.values())) > longest
    curves = losses if by_loss else accuracies
    shown = {seed: points for seed, points in curves.items() if len(points) > 1}
    if not shown:
        return None
    every = [point for points in shown.values() for point in points]
    low, high = min(point.low for point in every), max(point.high for point in every)
    epochs = max(point.epoch for point in every)
    scale = _Scale(min(point.epoch for point in every), epochs, low, high)
    form = "{:.3g}" if by_loss else "{:.1f}"
    return CurveView(
        run.id,
        "loss" if by_loss else "accuracy",
        "" if by_loss else " %",
        form.format(low),
        form.format(high),
        epochs,
        plan.datasets[run.dataset].stand_in,
        tuple(
            SeedCurve(
                seed,
                " ".join(scale.place(point.epoch, point.mean) for point in points),
                _area(points, scale),
                form.format(points[-1].mean),
            )
            for seed, points in shown.items()
        ),
        tuple(chain_id(run.id, seed) for seed in shown),
    )


def _points(entries: Sequence[dict[str, Any]], key: str) -> list[_Point]:
    """Epochs that have the value; of several passes or sub-heads the lowest, mean and highest."""
    points = []
    for entry in entries:
        values = [
            value for value in entry.get(key) or () if value is not None and math.isfinite(value)
        ]
        if values:
            # of an epoch's passes the last is what it ended with; sub-heads stand side by side
            many = values if key == "accuracy" else values[-1:]
            points.append(_Point(int(entry["epoch"]), min(many), fmean(many), max(many)))
    return points


@dataclass(frozen=True)
class _Scale:
    first: int
    last: int
    low: float
    high: float

    def place(self, epoch: int, value: float) -> str:
        x = WIDTH * (epoch - self.first) / max(self.last - self.first, 1)
        y = HEIGHT * (self.high - value) / ((self.high - self.low) or 1)
        return f"{x:.1f},{y:.1f}"


def _area(points: Sequence[_Point], scale: _Scale) -> str:
    if all(point.low == point.high for point in points):
        return ""
    there = [scale.place(point.epoch, point.high) for point in points]
    back = [scale.place(point.epoch, point.low) for point in reversed(points)]
    return " ".join([*there, *back])
