"""Figure 3: how the predictions of a run move from the centre to the corners of the simplex.

A prediction z over C clusters is drawn at sum_c z_c (cos 2 pi v_c / C, -sin 2 pi v_c / C), v_c
being the vertex of cluster c (supplement, section 4): uniform predictions lie in the centre,
certain ones on a vertex.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from iic.data.load import load
from iic.evaluate.matching import UNMATCHED, contingency, correct, one_to_one
from iic.params.runs import Plan, Run
from iic.publish.evidence import training_source
from iic.publish.figures.style import (
    CLASSES,
    INK,
    TEXT_WIDTH,
    Drawn,
    FigureError,
    colour,
    stand_in_note,
)
from iic.records.paths import RunPaths
from iic.records.snapshots import read_snapshots
from iic.records.sources import Series, Sources

Floats = NDArray[np.float32]

PANELS = 6
PAPER_VERTICES = (2, 5, 3, 8, 6, 7, 0, 9, 1, 4)
"""Vertex of each digit in the paper's figure; neighbours are digits that look unlike."""
VERTEX_RADIUS = 1.24
MEAN_IMAGE_HALF = 0.17
LIMIT = 1.46


def draw(plan: Plan, name: str, root: Path) -> Drawn:
    """Six snapshots of all predictions of one run, coloured by true class.

    The sub-head is the one with the best accuracy at the last snapshot; its clusters are named
    after classes by one-to-one matching there. At each vertex stands the mean image of the
    images whose most probable cluster it is, weighted by that probability.

    Raises:
        FigureError: The run does not exist at this scale, or its data has no labels.
    """
    runs = plan.figure_runs(plan.figures[name])
    if not runs:
        raise FigureError(
            f"{name}: scale {plan.scale.name} has no run {', '.join(plan.figures[name].runs)}"
        )
    run = runs[0]
    paths = RunPaths(run.scale, run.id, run.seeds[0])
    snapshots = read_snapshots(root / paths.snapshots)
    data = load(run.dataset, root)
    if data.labels is None:
        raise FigureError(f"{name}: {run.dataset} has no labels to colour the predictions by")
    classes = plan.datasets[run.dataset].classes
    steps = _spread(sorted(snapshots))
    labelled = np.flatnonzero(data.labels >= 0)
    labels = data.labels[labelled]
    head, mapping = _best_head(snapshots[steps[-1]][:, labelled], labels, len(classes))
    shown = {step: snapshots[step][head][labelled] for step in steps}
    figure = _panels(shown, mapping, _Images(data.images, labelled, labels), classes)
    figure.suptitle(_title(plan, run, head), x=0.01, ha="left", fontsize=8)
    source = training_source(paths, paths.snapshots, root)
    series = [Series(name=f"step {step}, sub-head {head}", seeds=[source]) for step in steps]
    return Drawn(figure, Sources(scale=plan.scale.name, name=name, series=series))


@dataclass(frozen=True)
class _Images:
    """The labelled images of a dataset."""

    pixels: NDArray[np.uint8]
    """All images, (N, channels, H, W)."""
    labelled: NDArray[np.int64]
    """Positions of those with a label."""
    labels: NDArray[np.int64]
    """Their labels."""

    def mean(self, members: NDArray[np.int64], weights: Floats) -> Floats:
        """Weighted mean of some of them in 0 .. 1, (H, W) or (H, W, 3); blank for none."""
        total = np.zeros(self.pixels.shape[1:], dtype=np.float64)
        # in slices: the images are a memory map that may not fit into memory
        for start in range(0, len(members), 4096):
            part = slice(start, start + 4096)
            chosen = self.pixels[self.labelled[members[part]]]
            total += np.tensordot(weights[part].astype(np.float64), chosen, axes=1)
        mean = (total / (255 * max(float(weights.sum(dtype=np.float64)), 1e-12))).astype(np.float32)
        return mean[0] if len(mean) == 1 else mean[:3].transpose(1, 2, 0)


def positions(z: Floats, vertex: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where predictions are drawn.

    Args:
        z: Probabilities (N, C); each row is scaled to sum 1.
        vertex: Vertex of each cluster, (C,), a permutation of 0 .. C - 1.

    Returns:
        (N, 2), x to the right and y upwards; vertex 0 is at the right, the others follow
        clockwise, as in the paper, whose first coordinate runs down the image.
    """
    z = z.astype(np.float64)
    angle = 2 * np.pi * vertex / len(vertex)
    corners = np.stack([np.cos(angle), -np.sin(angle)], axis=1)
    result: NDArray[np.float64] = z / z.sum(axis=1, keepdims=True) @ corners
    return result


def _spread(steps: list[int]) -> list[int]:
    """At most six of the steps, the first and the last included."""
    chosen = np.linspace(0, len(steps) - 1, min(PANELS, len(steps))).round().astype(int)
    return [steps[position] for position in chosen]


def _best_head(
    last: Floats, labels: NDArray[np.int64], k_classes: int
) -> tuple[int, NDArray[np.int64]]:
    """Sub-head of best accuracy and the class of each of its clusters."""
    counts = contingency(last.argmax(axis=2).T, labels, last.shape[2], k_classes)
    mappings = [one_to_one(table) for table in counts]
    scores = [correct(table, mapping) for table, mapping in zip(counts, mappings, strict=True)]
    best = int(np.argmax(scores))
    return best, mappings[best]


def _vertices(mapping: NDArray[np.int64]) -> NDArray[np.int64]:
    """Vertex of each cluster, by its class; clusters without class take what is left."""
    mapping = mapping.copy()
    mapping[mapping == UNMATCHED] = np.setdiff1d(np.arange(len(mapping)), mapping)
    order = np.arange(len(mapping))
    if len(mapping) == len(PAPER_VERTICES):
        order = np.asarray(PAPER_VERTICES)
    result: NDArray[np.int64] = order[mapping]
    return result


def _panels(
    snapshots: dict[int, Floats],
    mapping: NDArray[np.int64],
    images: _Images,
    classes: tuple[str, ...],
) -> Figure:
    columns = min(3, len(snapshots))
    rows = -(-len(snapshots) // columns)
    side = TEXT_WIDTH / 3
    figure = Figure(figsize=(side * columns, side * rows * 1.04 + 0.55), layout="constrained")
    vertex = _vertices(mapping)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (step, z) in zip(panels, snapshots.items(), strict=False):
        _panel(axes, z, vertex, images)
        axes.set_title(f"step {step:,}", pad=2)
    for axes in panels[len(snapshots) :]:
        axes.set_axis_off()
    handles = [
        Line2D([], [], marker="o", linestyle="", markersize=5, color=colour(CLASSES, position))
        for position in range(len(classes))
    ]
    figure.legend(
        handles,
        classes,
        title="true class",
        loc="outside lower center",
        ncols=len(classes),
        handletextpad=0.0,
        columnspacing=1.0,
        title_fontsize=7.5,
    )
    return figure


def _panel(axes: Axes, z: Floats, vertex: NDArray[np.int64], images: _Images) -> None:
    points = positions(z, vertex)
    paints = np.asarray([colour(CLASSES, label) for label in range(images.labels.max() + 1)])
    angles = np.linspace(0, 2 * np.pi, len(vertex), endpoint=False)
    axes.fill(np.cos(angles), np.sin(angles), facecolor="none", edgecolor="#d0d0d0", lw=0.6)
    size = max(0.4, min(7.0, 9000 / len(points)))
    axes.scatter(
        points[:, 0],
        points[:, 1],
        c=paints[images.labels],
        s=size,
        alpha=0.75,
        linewidths=0,
        rasterized=True,
    )
    winner = z.argmax(axis=1)
    for cluster, index in enumerate(vertex):
        angle = 2 * np.pi * index / len(vertex)
        x, y = VERTEX_RADIUS * np.cos(angle), -VERTEX_RADIUS * np.sin(angle)
        half = MEAN_IMAGE_HALF
        extent = (x - half, x + half, y - half, y + half)
        members = np.flatnonzero(winner == cluster)
        image = images.mean(members, z[members, cluster])
        axes.imshow(image, cmap="gray_r", vmin=0, vmax=1, extent=extent, interpolation="bilinear")
        axes.plot(
            [extent[0], extent[1], extent[1], extent[0], extent[0]],
            [extent[2], extent[2], extent[3], extent[3], extent[2]],
            color=INK,
            linewidth=0.4,
        )
    axes.set(xlim=(-LIMIT, LIMIT), ylim=(-LIMIT, LIMIT), aspect="equal")
    axes.set_axis_off()


def _title(plan: Plan, run: Run, head: int) -> str:
    return f"{run.id}{stand_in_note(plan, run)}, seed {run.seeds[0]}, sub-head {head}"
