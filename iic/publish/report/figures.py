"""Figures as the page shows them: the picture inside the page, its caption, its sources."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from iic.params.escaping import quoted
from iic.params.runs import Plan
from iic.publish.pages.render import data_uri
from iic.publish.report.chains import Chain, Chains, chain_id, display_id
from iic.publish.wording import titled
from iic.records import paths
from iic.records.files import RecordError, read_record
from iic.records.sources import Sources

LARGEST_SVG = 200_000
"""Bytes, beyond which a drawing is shown by its pixels where that takes less: one of many images,
or of many points, would be most of the page."""
MOST_PIXELS = 50_000_000
"""Of a figure; its sides are a few thousand."""


@dataclass(frozen=True)
class FigureView:
    """One figure."""

    name: str
    title: str
    caption: str
    picture: str
    """Address that holds the picture."""
    made: Chain
    chain: tuple[str, ...]
    """Ids of chains: the figure's own, then one a training."""
    runs: tuple[str, ...]
    """What it is drawn from, in words."""
    stand_in: bool
    """Whether a run that it shows is of stand-in data."""
    files: tuple[str, ...]

    @property
    def alternative(self) -> str:
        """What the picture shows, for those who cannot see it."""
        return f"{self.title}: {self.caption.split('. ')[0].rstrip('.')}."


def figure_views(plan: Plan, chains: Chains) -> list[FigureView]:
    """The figures of a scale that have a receipt.

    Raises:
        RecordError: A file of theirs is missing.
    """
    views = []
    for name, figure in plan.figures.items():
        path = paths.figure(plan.scale.name, name)
        receipt = chains.receipt(paths.receipt_of(path))
        if receipt is None:
            continue
        title = titled(name, figure.title)
        sources = read_record(chains.root / paths.sources_of(path), Sources)
        seeds = [source for series in sources.series for source in series.seeds]
        trainings = dict.fromkeys((source.run, source.seed) for source in seeds)
        shown = {plan.run(run).dataset for run, _ in trainings}
        views.append(
            FigureView(
                name,
                title,
                figure.caption,
                _picture(plan.scale.name, name, chains),
                chains.of_display(path, title, sources, receipt),
                (display_id(name), *(chain_id(*training) for training in trainings)),
                tuple(f"{run}, seed {seed}" for run, seed in trainings),
                any(plan.datasets[dataset].stand_in for dataset in shown),
                tuple(f"figures/{name}{end}" for end in (".svg", ".png", ".sources.json")),
            )
        )
    return views


def _picture(scale: str, name: str, chains: Chains) -> str:
    vector = paths.figure(scale, name)
    contents = {}
    for path in (vector, vector.with_suffix(".png")):
        try:
            contents[path.suffix] = (chains.root / path).read_bytes()
        except OSError as error:
            raise RecordError(
                f"{path}: cannot be read: {error.strerror}\n"
                f"  remedy: iic run --scale {scale} {name}"
            ) from None
    # inside an address of its own, so that the identifiers of two drawings never meet
    drawing = contents[".svg"]
    if len(drawing) > LARGEST_SVG:
        pixels = _webp(contents[".png"], vector.with_suffix(".png"))
        if len(pixels) < len(drawing):
            return data_uri(pixels, "image/webp")
    return data_uri(drawing, "image/svg+xml")


def _webp(png: bytes, path: Path) -> bytes:
    """The same pixels in less space, nothing of them lost.

    Raises:
        RecordError: They are no png, or more than `MOST_PIXELS`.
    """
    buffer = io.BytesIO()
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise ValueError(f"{picture.width:,}x{picture.height:,} pixels, which are too many")
            picture.save(buffer, "WEBP", lossless=True)
    except Exception as error:  # damaged bytes may lead a decoder anywhere
        raise RecordError(f"{path}: no png of a figure: {quoted(error)}") from None
    return buffer.getvalue()
