"""``iic audit --redraw``: figures by pixels and shapes, the page by bytes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iic.params.runs import load_plan
from iic.provenance import graph, jobs
from iic.provenance.audit.redraw import Redraw, difference
from iic.provenance.audit.report import Finding
from iic.provenance.audit.tree import Tree
from iic.publish.report.page import build
from iic.records.files import dump_json, read_record, sha256_file, write_bytes, write_text
from iic.records.paths import report_page
from iic.records.receipt import Receipt
from tests.conftest import SCALE
from tests.provenance.audit_helpers import RESULTS, named, replace, vouch

FIGURE = RESULTS / "figures/figure_4"


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "png")
    return buffer.getvalue()


WHITE = np.full((100, 100, 3), 255)
SPOT, SHADE, LARGER = WHITE.copy(), WHITE.copy(), np.full((100, 101, 3), 255)
SPOT[10:15, 20:30] = 0
SHADE[:50] = 240
SVG = b'<svg><path id="p0123456789" d="M 10.25 3"/><text>97.61</text></svg>'


@pytest.mark.parametrize(
    ("suffix", "there", "said"),
    [
        (".png", png(WHITE), None),
        (".png", png(SHADE), None),
        (".png", png(SPOT), "50 of 10000 pixels are others, between (20, 10) and (29, 14)"),
        (".png", png(LARGER), "101 x 100 pixels, drawn now 100 x 100"),
        (".png", b"no image", "no readable image"),
        (".svg", SVG, None),
        (".svg", SVG.replace(b"p0123456789", b"pabcdef0123").replace(b"10.25", b"10.26"), None),
        (".svg", SVG.replace(b"10.25", b"17.5"), "a number is 17.5, drawn now 10.25"),
        (".svg", SVG.replace(b"97.61", b"97.71"), "97.71"),
        (".svg", SVG.replace(b"<path", b"<line"), "<line"),
        (".json", b"{}", "[]"),
    ],
)
def test_what_a_reader_would_see_is_compared(suffix: str, there: bytes, said: str | None) -> None:
    drawn = {".png": png(WHITE), ".svg": SVG, ".json": b"[]"}[suffix]
    found = difference(suffix, there, drawn)
    assert found is None if said is None else said in str(found)


def findings() -> tuple[list[Finding], int]:
    """Of one figure and of the page."""
    tree = Tree(load_plan(SCALE))
    tree.__dict__["present"] = [
        (job, receipt)
        for job, receipt in tree.present
        if job.rule == "draw" and job.wildcards["name"] == FIGURE.name
    ]
    drawings = Redraw(tree)
    return list(drawings.check()), drawings.drawn


def made_page() -> Path:
    """The page with its receipt, made as the workflow makes it."""
    plan = load_plan(SCALE)
    job = jobs.report(SCALE)
    page = report_page(SCALE)
    above = [parent.receipt for parent in graph.parents(plan, job) if parent.receipt.exists()]
    write_bytes(page, build(plan, None, above))
    receipt = read_record(FIGURE.with_suffix(".run.json"), Receipt)
    content = receipt.model_dump(mode="json") | {
        "rule": "report", "wildcards": job.wildcards, "inputs": [], "outcome": {},
        "outputs": [{"path": str(page), "sha256": sha256_file(page), "size": 1}],
    }  # fmt: skip
    write_text(job.receipt, dump_json(content))
    return page


@pytest.mark.long
def test_a_forged_figure_and_a_forged_page_are_found(tree: Path) -> None:
    """Long: a figure and the page of a whole scale are made three times, 14 s."""
    page = made_page()
    assert findings() == ([], 2)
    pixels = np.array(Image.open(FIGURE.with_suffix(".png")).convert("RGB"))
    pixels[:50, :50] = 0
    FIGURE.with_suffix(".png").write_bytes(png(pixels))
    vouch(FIGURE.with_suffix(".png"))
    replace(page, "</h1>", " (99.9 %)</h1>")
    found, _ = findings()
    named(found, FIGURE.with_suffix(".png"), "rebuild", "pixels are others")
    # the page's code is no longer that of its receipt, which is a figure's
    named(found, page, "rebuild", "is not the page of these results", level="drift")
