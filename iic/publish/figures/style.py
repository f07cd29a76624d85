"""What all figures have in common: size of print, type, and colours that the colour-blind tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from iic.params.errors import IICError
from iic.params.runs import Plan, Run
from iic.records.sources import Sources

TEXT_WIDTH = 7.0
"""Inches: width of the page's text, so that type is printed at its nominal size."""

RC: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 8,
    "figure.dpi": 100,
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.5,
    "image.resample": True,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "mathtext.fontset": "dejavusans",
    "svg.fonttype": "path",
    "text.hinting": "none",
    "xtick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.labelsize": 7.5,
    "ytick.major.width": 0.6,
}
"""Every setting that the drawing depends on, so that a user's matplotlibrc changes nothing."""

INK = "#222222"
PALE = "#8a8a8a"

SERIES = ("#0077BB", "#EE7733", "#009988", "#CC3311", "#33BBEE", "#EE3377")
"""Lines (Paul Tol's vibrant scheme)."""
CLASSES = (
    *("#332288", "#88CCEE", "#44AA99", "#117733", "#999933"),
    *("#DDCC77", "#CC6677", "#882255", "#AA4499", "#777777"),
)
"""Classes (Paul Tol's muted scheme, and grey)."""


TRUE, WRONG, OTHER = "#009988", "#CC3311", "#99CCEE"
"""The true class, a wrong prediction, and all else: they differ in lightness as well as in hue."""


class FigureError(IICError):
    """A figure lacks the results that it is drawn from."""


@dataclass(frozen=True)
class Drawn:
    """A figure before it is saved."""

    figure: Figure
    sources: Sources


def colour(palette: tuple[str, ...], position: int) -> str:
    """Colour of a series or class, going round where there are more than colours."""
    return palette[position % len(palette)]


def stand_in_note(plan: Plan, run: Run) -> str:
    """What a heading adds to the name of a run on stand-in data."""
    return " (stand-in data)" if plan.datasets[run.dataset].stand_in else ""
