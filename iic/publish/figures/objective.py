"""Figure 4: the objective as a few lines of PyTorch, taken from the code that trains."""

from __future__ import annotations

import ast
import inspect
import io
import keyword
import tokenize
from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from iic.params.runs import Plan
from iic.publish.figures.style import INK, SERIES, Drawn, FigureError
from iic.records.sources import Series, Sources

MODULE = "iic.objective.clustering"
FUNCTIONS = ("joint", "mutual_information")
FONT = "DejaVu Sans Mono"
SIZE = 8.0
"""Points."""
ADVANCE = 1233 / 2048 * SIZE
"""Width of every sign of the font, in points."""
LEADING = 1.42 * SIZE
MARGIN = 12.0
COLOURS = {
    "keyword": SERIES[0],
    "name": SERIES[3],
    "number": SERIES[1],
    "string": SERIES[2],
    "comment": "#777777",
    "plain": INK,
}


def draw(plan: Plan, name: str, root: Path) -> Drawn:
    """The two functions of the objective, typeset.

    Raises:
        FigureError: The module no longer has one of the functions.
    """
    text = listing(_source())
    lines = text.splitlines()
    width = max(map(len, lines)) * ADVANCE + 2 * MARGIN
    height = len(lines) * LEADING + 2 * MARGIN
    figure = Figure(figsize=(width / 72, height / 72))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    for row, column, token, kind in highlighted(text):
        axes.text(
            MARGIN + column * ADVANCE,
            MARGIN + (row + 0.76) * LEADING,
            token,
            family=FONT,
            fontsize=SIZE,
            color=COLOURS[kind],
            va="baseline",
            weight="bold" if kind == "keyword" else "normal",
            parse_math=False,
        )
    series = [Series(name=function, modules=[MODULE]) for function in FUNCTIONS]
    return Drawn(figure, Sources(scale=plan.scale.name, name=name, series=series))


def listing(source: str) -> str:
    """The functions of the objective without docstrings and without the checks of their input.

    Raises:
        FigureError: `source` lacks one of the functions.
    """
    defined = {
        node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)
    }
    missing = [function for function in FUNCTIONS if function not in defined]
    if missing:
        raise FigureError(f"{MODULE} has no function {', '.join(missing)} to list")
    lines = source.splitlines()
    blocks = []
    for function in FUNCTIONS:
        node = defined[function]
        assert node.end_lineno is not None
        left_out: set[int] = set()
        for statement in node.body:
            if _is_docstring(statement) or _is_guard(statement):
                assert statement.end_lineno is not None
                left_out |= set(range(statement.lineno, statement.end_lineno + 1))
        kept = [n for n in range(node.lineno, node.end_lineno + 1) if n not in left_out]
        blocks.append("\n".join(lines[n - 1] for n in kept if lines[n - 1].strip()))
    return "\n\n".join(blocks) + "\n"


def highlighted(text: str) -> Iterator[tuple[int, int, str, str]]:
    """Row, column, text and kind of every token that prints, rows and columns from 0."""
    previous = ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if not token.string.strip():
            continue
        for offset, part in enumerate(token.string.split("\n")):
            column = token.start[1] if offset == 0 else 0
            yield token.start[0] - 1 + offset, column, part, _kind(token, previous)
        previous = token.string


def _kind(token: tokenize.TokenInfo, previous: str) -> str:
    if token.type == tokenize.NAME:
        if keyword.iskeyword(token.string):
            return "keyword"
        return "name" if previous == "def" else "plain"
    kinds = {tokenize.NUMBER: "number", tokenize.STRING: "string", tokenize.COMMENT: "comment"}
    return kinds.get(token.type, "plain")


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_guard(statement: ast.stmt) -> bool:
    """Whether a statement only refuses wrong input: such checks say nothing of the method."""
    return isinstance(statement, ast.If) and all(
        isinstance(inner, ast.Raise) for inner in statement.body
    )


def _source() -> str:
    # imported here, so that the figure's fingerprint holds the module it is a listing of
    from iic.objective import clustering

    return inspect.getsource(clustering)
