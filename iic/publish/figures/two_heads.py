"""Figure 2: the two-head scheme, drawn."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from iic.params.runs import Plan
from iic.publish.figures.style import INK, SERIES, TEXT_WIDTH, Drawn
from iic.records.sources import Series, Sources

HEIGHT = 3.8
TOP = 100 * HEIGHT / TEXT_WIDTH
"""Height in the drawing's units, of which the width has 100."""
MAIN, AUXILIARY, BASE = SERIES[0], SERIES[1], SERIES[2]
UPPER, LOWER = TOP - 12.5, 12.5
SPREAD = 6.0
"""Distance of a head from the middle of its row."""
MAIN_BARS = (0.15, 1.0, 0.3, 0.2)
AUXILIARY_BARS = (0.1, 0.25, 0.15, 0.9, 0.5, 0.2, 0.1, 0.15)


def draw(plan: Plan, name: str, root: Path) -> Drawn:
    """An image and its transformed version through one base and two heads of several sub-heads."""
    figure = Figure(figsize=(TEXT_WIDTH, HEIGHT))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 100), ylim=(0, TOP))
    axes.set_axis_off()
    middle = TOP / 2
    _box(axes, 7, UPPER, 11, 7, "image\n$x$", INK)
    _box(axes, 7, LOWER, 11, 7, "transformed\n$x' = g\\,x$", INK)
    _arrow(axes, (7, UPPER - 3.9), (7, LOWER + 3.9))
    axes.text(8.2, middle, "random\n$g$", va="center", color=INK)
    for y, mirrored in ((UPPER, 1), (LOWER, -1)):
        _box(axes, 25, y, 13, 9, "shared base\n$\\Phi$", BASE)
        _arrow(axes, (12.9, y), (18.2, y))
        _head(axes, y, y + mirrored * SPREAD, "main head", "$k = k_{gt}$", MAIN, MAIN_BARS)
        _head(
            axes,
            y,
            y - mirrored * SPREAD,
            "auxiliary head",
            "$k > k_{gt}$",
            AUXILIARY,
            AUXILIARY_BARS,
        )
    axes.plot([25, 25], [LOWER + 4.8, UPPER - 4.8], color=BASE, linestyle=":", linewidth=1.3)
    axes.text(26, middle, "same\nweights", va="center", color=BASE)
    axes.text(46, middle, "each head: $h$ sub-heads", ha="center", va="center", color=INK)
    _objective(axes, 75.5, SPREAD, AUXILIARY, "I(y, y')", "overclustering:\nonly in training")
    _objective(axes, 92, -SPREAD, MAIN, "I(z, z')", "clustering: used at test time")
    source = Sources(scale=plan.scale.name, name=name, series=[Series(name="drawing")])
    return Drawn(figure, source)


def _box(axes: Axes, x: float, y: float, width: float, height: float, text: str, c: str) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=1",
            facecolor="white",
            edgecolor=c,
            linewidth=1.1,
        )
    )
    axes.text(x, y, text, ha="center", va="center", color=c, linespacing=1.35)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], c: str = INK) -> None:
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=8,
            shrinkA=0,
            shrinkB=0,
            color=c,
            linewidth=1.0,
        )
    )


def _head(
    axes: Axes, base: float, y: float, name: str, k: str, c: str, bars: tuple[float, ...]
) -> None:
    """A head as a stack of sub-heads, fed by the base and giving a distribution over clusters."""
    _arrow(axes, (31.7, base + (y - base) * 0.35), (37.3, y), c)
    for offset in (1.4, 0.7):
        _box(axes, 46 + offset, y + offset, 16, 6.4, "", c)
    _box(axes, 46, y, 16, 6.4, f"{name}\n{k}", c)
    _arrow(axes, (55.6, y), (58.6, y), c)
    step = 7.0 / len(bars)
    for position, height in enumerate(bars):
        corner = (59.4 + position * step, y - 2.4)
        axes.add_patch(Rectangle(corner, step * 0.8, 4.8 * height, facecolor=c, linewidth=0))
    axes.plot([59.2, 66.6], [y - 2.5, y - 2.5], color=c, linewidth=0.8)


def _objective(axes: Axes, x: float, inwards: float, c: str, formula: str, use: str) -> None:
    """The mutual information of a pair of outputs, one from each row."""
    middle = TOP / 2
    for y, end in ((UPPER - inwards, middle + 5.0), (LOWER + inwards, middle - 5.0)):
        axes.plot([67.4, x], [y, y], color=c, linewidth=1.0, solid_capstyle="butt")
        _arrow(axes, (x, y), (x, end), c)
    _box(axes, x, middle, 14.5, 9, f"maximise\n${formula}$", c)
    axes.text(
        67.6,
        LOWER + inwards - 1.0,
        use,
        va="top",
        color=c,
        fontsize=7.5,
        linespacing=1.3,
    )
