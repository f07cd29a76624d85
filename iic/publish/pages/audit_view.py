"""An audit as the pages show it, whatever room it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Tone = Literal["good", "warn", "bad"]
TONES: dict[str, Tone] = {"failure": "bad", "drift": "warn", "note": "good"}
"""Level of a finding -> how it is coloured."""
LEVELS = {
    "failure": "A number cannot be trusted",
    "drift": "Made by other code, settings or software than today's",
    "note": "What a reader should know",
}


@dataclass(frozen=True)
class FindingView:
    """One thing found."""

    level: str
    kind: str
    path: str
    message: str
    remedy: str | None


@dataclass(frozen=True)
class AuditView:
    """One audit."""

    scale: str
    at: datetime
    verdict: str
    sentence: str
    """The verdict in words."""
    tone: Tone
    commit: str | None
    dirty: bool | None
    """Whether the clone that did the audit had uncommitted changes; None where nobody knows."""
    checked: Mapping[str, int]
    """What was looked at -> how often."""
    findings: tuple[FindingView, ...]
    more: Mapping[str, Any] = field(default_factory=dict)
    """Other parts of the audit's record by title, as JSON."""

    @property
    def groups(self) -> list[tuple[str, str, Tone, list[FindingView]]]:
        """Level, what it means, its colour, its findings; the gravest first."""
        levels = dict.fromkeys([*LEVELS, *(finding.level for finding in self.findings)])
        grouped = {
            level: [finding for finding in self.findings if finding.level == level]
            for level in levels
        }
        return [
            (level, LEVELS.get(level, ""), TONES.get(level, "warn"), findings)
            for level, findings in grouped.items()
            if findings
        ]
