"""What building a table gives: the content of its files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from iic.records import paths
from iic.records.files import dump_json, write_bytes
from iic.records.sources import Sources


@dataclass(frozen=True)
class Built:
    """The files of a table, as bytes."""

    csv: bytes
    md: bytes
    tex: bytes
    sources: Sources

    def files(self, scale: str, name: str) -> dict[Path, bytes]:
        """Path relative to the root of the clone -> content."""
        csv = paths.table(scale, name)
        return {
            csv: self.csv,
            csv.with_suffix(".md"): self.md,
            csv.with_suffix(".tex"): self.tex,
            paths.sources_of(csv): dump_json(self.sources.model_dump(mode="json")).encode(),
        }

    def write(self, scale: str, name: str, root: Path) -> list[Path]:
        """Write the files, each whole or not at all, and list them relative to `root`."""
        files = self.files(scale, name)
        for path, content in files.items():
            write_bytes(root / path, content)
        return list(files)


def dump_lines(columns: Sequence[str], lines: Iterable[Mapping[str, str]]) -> bytes:
    """A listing's csv: a header, LF line ends, UTF-8.

    Args:
        columns: Names, in order.
        lines: Column -> text; every line has all of them.

    Raises:
        ValueError: A line has a column that is not one of `columns`.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue().encode()
