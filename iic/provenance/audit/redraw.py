"""Figures and the report page, drawn again: figures are compared by pixels, the page by bytes.

Tables are always built again (`iic.provenance.audit.rebuild`); this takes longer, and is asked for.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from iic.params.errors import IICError
from iic.provenance import graph, jobs
from iic.provenance.audit.page import of_results, view
from iic.provenance.audit.rebuild import first_difference
from iic.provenance.audit.report import AuditReport, Finding
from iic.provenance.audit.tree import Tree
from iic.provenance.jobs import Job
from iic.records import paths
from iic.records.files import read_record
from iic.records.receipt import Receipt

SHADES = 32
"""Of 255: a pixel that is further off in a colour is another. Text is smoothed by other versions of
a library in other shades."""
SHARE = 0.001
"""Of the pixels that may be others."""
POINTS = 0.5
"""How far a number of an svg may be from the one drawn again; 72 points are an inch."""
NUMBER = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?")
TAG = re.compile(r"<[^>]*>")
IMAGE = re.compile(r"data:image/png;base64,([\w+/=\s]+)")
IDENTIFIER = re.compile(r"\b[a-z]+[0-9a-f]{10}\b")
"""Names of shapes and of cut-outs are hashes of their numbers."""


class Redraw:
    """Draws every figure of a tree again, and its page."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.drawn = 0
        """Figures and pages that were drawn again and compared."""

    def check(self) -> Iterator[Finding]:
        """Figures and pages that are not what their sources give."""
        for job, receipt in self.tree.present:
            if job.rule == "draw":
                yield from self._figure(job, receipt)
        page = jobs.report(self.tree.scale)
        made = self.tree.receipt(str(page.receipt))
        if made is not None:
            yield from self._page(page, made)

    def _figure(self, job: Job, receipt: Receipt) -> Iterator[Finding]:
        from iic.publish.figures.saving import render

        name, scale = job.wildcards["name"], job.wildcards["scale"]
        if absent := self._absent(receipt):
            yield self._note(job, f"{name} was not drawn again: {absent} is not here")
            return
        try:
            files = render(self.tree.plan, name, self.tree.root).files(scale, name)
        except IICError as error:
            yield self._wrong(job, receipt, str(job.receipt), f"{name} cannot be drawn: {error}")
            return
        self.drawn += 1
        for path, content in files.items():
            if not self.tree.exists(str(path)):
                continue  # said by the check of integrity
            wrong = difference(path.suffix, (self.tree.root / path).read_bytes(), content)
            if wrong is not None:
                message = f"is not what its sources give, drawn again: {wrong}"
                yield self._wrong(job, receipt, str(path), message)

    def _page(self, job: Job, receipt: Receipt) -> Iterator[Finding]:
        from iic.publish.report.page import build

        tree, page = self.tree, paths.report_page(self.tree.scale)
        changed = [read.path for read in receipt.inputs if tree.sha256(read.path) != read.sha256]
        if changed or not tree.exists(str(page)):
            if changed:
                said = f"{changed[0]} is not here as it shows it"
                yield self._note(job, f"the page was not made again: {said}")
            return
        place = tree.root / paths.audit_report(tree.scale)
        made = [above.receipt for above in graph.parents(tree.plan, job)]
        shown = [path for path in made if tree.exists(str(path))]
        try:
            report = of_results(read_record(place, AuditReport)) if place.exists() else None
            audit = None if report is None else view(report)
            content = build(tree.plan, audit, shown, tree.root)
        except IICError as error:
            yield self._wrong(job, receipt, str(page), f"the page cannot be made again: {error}")
            return
        self.drawn += 1
        written = (tree.root / page).read_bytes()
        if written != content:
            message = f"is not the page of these results: {first_difference(written, content)}"
            yield self._wrong(job, receipt, str(page), message)

    def _absent(self, receipt: Receipt) -> str | None:
        absent = (read.path for read in receipt.inputs if not self.tree.exists(read.path))
        return next(absent, None)

    def _note(self, job: Job, message: str) -> Finding:
        return Finding(level="note", kind="rebuild", path=str(job.receipt), message=message)

    def _wrong(self, job: Job, receipt: Receipt, path: str, message: str) -> Finding:
        changed = self.tree.differs(job, receipt)
        why = " (its code, definition or published numbers have changed since)" if changed else ""
        name = job.wildcards.get("name", path)
        return Finding(
            level="drift" if changed else "failure",
            kind="rebuild",
            path=path,
            message=message + why,
            remedy=f"delete it and run: iic run --scale {self.tree.scale} {name}",
        )


def difference(suffix: str, written: bytes, drawn: bytes) -> str | None:
    """How a file of a figure differs from what is drawn now; None where a reader sees the same.

    Args:
        suffix: ``.png``, ``.svg``, or anything else, which has to have the same bytes.
        written: Content of the file.
        drawn: Content that is drawn now.
    """
    if written == drawn:
        return None
    if suffix == ".png":
        return _pixels(written, drawn)
    if suffix == ".svg":
        return _shapes(written.decode(errors="replace"), drawn.decode())
    return first_difference(written, drawn)


def _pixels(written: bytes, drawn: bytes) -> str | None:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(written)) as image:
            old = np.asarray(image.convert("RGBA"), dtype=np.int16)
    except (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        return f"it is no readable image ({type(error).__name__})"
    with Image.open(io.BytesIO(drawn)) as image:
        new: NDArray[np.int16] = np.asarray(image.convert("RGBA"), dtype=np.int16)
    if old.shape != new.shape:
        return f"{old.shape[1]} x {old.shape[0]} pixels, drawn now {new.shape[1]} x {new.shape[0]}"
    others = (np.abs(old - new) > SHADES).any(axis=2)
    if others.mean() <= SHARE:
        return None
    top, left = (int(places.min()) for places in others.nonzero())
    bottom, right = (int(places.max()) for places in others.nonzero())
    return (
        f"{int(others.sum())} of {others.size} pixels are others, between ({left}, {top}) and "
        f"({right}, {bottom})"
    )


def _shapes(written: str, drawn: str) -> str | None:
    """Two svg have to be the same but for identifiers, and near in numbers that are no text."""
    images = [IMAGE.findall(text) for text in (written, drawn)]
    if len(images[0]) != len(images[1]):
        return f"{len(images[0])} images, drawn now {len(images[1])}"
    for old, new in zip(*images, strict=True):
        try:
            found = None if old == new else _pixels(base64.b64decode(old), base64.b64decode(new))
        except ValueError as error:
            found = str(error)
        if found is not None:
            return f"in an image: {found}"
    texts = [IDENTIFIER.sub("", IMAGE.sub("", text)) for text in (written, drawn)]
    words = [TAG.sub("\n", text) for text in texts]
    if words[0] != words[1]:
        return first_difference(words[0].encode(), words[1].encode())
    numbers = [NUMBER.findall(text) for text in texts]
    plain = [NUMBER.sub("0", text) for text in texts]
    if plain[0] != plain[1]:
        return first_difference(plain[0].encode(), plain[1].encode())
    for old, new in zip(*numbers, strict=True):
        if abs(float(old) - float(new)) > POINTS:
            return f"a number is {old}, drawn now {new}"
    return None
