"""Are the numbers that README and docs quote those of the results?

Only of scales whose results stand in git: those of the others differ from one machine to the next.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from iic.params.errors import IICError
from iic.provenance.audit.report import Finding
from iic.provenance.audit.tree import Tree

LARGEST = 2**22
"""Bytes of a page that is read."""


class Marks:
    """The parts of pages that quote a scale."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.written = 0
        """Parts that were written again and compared."""

    def check(self, *, follows: bool = False) -> Iterator[Finding]:
        """Numbers on pages that are not those of the results.

        Args:
            follows: Whether the pages are written next, as after a workflow: then it is drift.
        """
        if not self.tree.plan.scale.real:
            return
        from iic.publish.marked import PARTS, between

        for name, part in PARTS.items():
            page = self.tree.root / part.page
            if part.scale != self.tree.scale or not page.is_file():
                continue
            try:
                if page.stat().st_size > LARGEST:
                    raise IICError(f"has more than {LARGEST} bytes")
                quoted = between(page.read_text(encoding="utf-8", errors="replace"), name)
                if quoted is None:
                    continue
                content = part.write(self.tree.root) + "\n"
            except (IICError, OSError, LookupError, ValueError, TypeError) as error:
                # of results that are incomplete; what is wrong with them, other checks say
                yield Finding(
                    level="note",
                    kind="rebuild",
                    path=part.page.as_posix(),
                    message=f"part {name} was not written again: {error}",
                )
                continue
            self.written += 1
            for difference in itertools.islice(differences(quoted, content), 3):
                yield Finding(
                    level="drift" if follows else "failure",
                    kind="rebuild",
                    path=part.page.as_posix(),
                    message=f"part {name} quotes what the results do not have: {difference}",
                    remedy="make readme",
                )


def differences(quoted: str, written: str) -> Iterator[str]:
    """Cells and lines that differ, each with the heads of its row and of its column.

    Args:
        quoted: What stands on the page.
        written: What the results give.
    """
    heads: list[str] = []
    for old, new in itertools.zip_longest(quoted.splitlines(), written.splitlines()):
        cells = [[cell.strip() for cell in (line or "").split("|")] for line in (old, new)]
        if new is not None and new.startswith("|") and not heads:
            heads = cells[1]
        if not new:
            heads = []
        if old == new:
            continue
        if old is None or new is None:
            yield f"{old!r} there, {new!r} by the results"
        elif len(cells[0]) == len(cells[1]) == len(heads):
            for head, before, now in zip(heads, *cells, strict=True):
                if before != now:
                    row = f"row {cells[1][1]}, column {head}"
                    yield f"{row}: {before} there, {now} by the results"
        else:
            yield f"{old!r} there, {new!r} by the results"
