"""Which files the pages are made with. Light, since the workflow reads it when it is planned."""

from __future__ import annotations

from pathlib import Path

TEMPLATES = Path("iic/publish/pages/templates")
"""Relative to the root of the clone."""


def template_files(root: Path = Path()) -> list[Path]:
    """Templates, style and script, relative to `root`: they count for every page."""
    files = (path for path in (root / TEMPLATES).iterdir() if path.suffix in (".j2", ".css", ".js"))
    return sorted(path.relative_to(root) for path in files)
