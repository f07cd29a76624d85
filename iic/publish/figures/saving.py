"""Figures on disk: svg and png with the same bytes whenever the same files are drawn."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from iic.params.runs import Plan
from iic.publish.figures.style import RC, Drawn
from iic.records import paths
from iic.records.files import dump_json, write_bytes
from iic.records.sources import Sources

PNG_DPI = 200


@dataclass(frozen=True)
class Rendered:
    """The files of a figure, as bytes."""

    svg: bytes
    png: bytes
    sources: Sources

    def files(self, scale: str, name: str) -> dict[Path, bytes]:
        """Path relative to the root of the clone -> content."""
        svg = paths.figure(scale, name)
        return {
            svg: self.svg,
            svg.with_suffix(".png"): self.png,
            paths.sources_of(svg): dump_json(self.sources.model_dump(mode="json")).encode(),
        }


def render(plan: Plan, name: str, root: Path = Path()) -> Rendered:
    """Draw a figure of the plan.

    Raises:
        FigureError: The results that it is drawn from are missing.
        RecordError: One of its files is damaged or has no receipt.
    """
    draw: Callable[[Plan, str, Path], Drawn]
    draw = importlib.import_module(plan.figures[name].module).draw
    # identifiers inside an svg are random unless salted
    settings: Any = RC | {"svg.hashsalt": f"iic {name}"}
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(settings)
        drawn = draw(plan, name, root)
        return Rendered(
            svg=_save(drawn.figure, "svg", {"Date": None, "Creator": None}),
            png=_save(drawn.figure, "png", {"Software": None}),
            sources=drawn.sources,
        )


def write(plan: Plan, name: str, root: Path = Path()) -> list[Path]:
    """Draw a figure and write its files, each whole or not at all.

    Returns:
        The files, relative to `root`.
    """
    files = render(plan, name, root).files(plan.scale.name, name)
    for path, content in files.items():
        write_bytes(root / path, content)
    return list(files)


def _save(figure: Figure, kind: str, metadata: dict[str, None]) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=PNG_DPI, metadata=metadata)
    return buffer.getvalue()
