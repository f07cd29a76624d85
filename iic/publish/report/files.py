"""What the report reads beside results. Light, since the workflow reads it when it is planned."""

from __future__ import annotations

from pathlib import Path

FIDELITY = Path("docs/fidelity.md")
"""Where the paper and its released code differ."""
