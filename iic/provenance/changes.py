"""What differs between two fingerprints, part by part, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from iic.records.receipt import Acceptance, Fingerprint, Receipt

Part = Literal["code", "settings", "data", "environment"]
SHORT = 12
"""Characters of a hash that are shown."""


@dataclass(frozen=True)
class Change:
    """One difference."""

    part: Part
    name: str
    """Module, dotted settings key or file."""
    before: str | None
    """As in the receipt; None for what is new."""
    after: str | None
    """As it is now; None for what is gone."""

    @property
    def acceptable(self) -> bool:
        """Whether a person may say that it alters no number.

        Code, and settings which the receipt does not know: a later version has given them a
        default. A changed value, other data or other software make it another experiment.
        """
        return self.part == "code" or (self.part == "settings" and self.before is None)

    def __str__(self) -> str:
        """One line, e.g. ``settings schedule.epochs: 20 -> 40``."""
        if self.part == "settings":
            return f"settings {self.name}: {_shown(self.before)} -> {_shown(self.after)}"
        if self.before is None:
            return f"{self.part} {self.name}: new"
        if self.after is None:
            return f"{self.part} {self.name}: gone"
        if self.part == "code":
            return f"code {self.name}: edited"
        return f"{self.part} {self.name}: {self.before[:SHORT]} -> {self.after[:SHORT]}"


def changes(before: Fingerprint, after: Fingerprint) -> list[Change]:
    """All differences: code by module, settings by key, data by file; sorted within each part."""
    found = list(_differences("code", before.code, after.code))
    found += _differences("settings", _flat(before.settings), _flat(after.settings))
    found += _differences("data", before.data, after.data)
    # without a strict environment on both sides the lock file is not compared
    if before.environment is not None and after.environment is not None:
        found += _differences(
            "environment",
            {"requirements.lock": before.environment},
            {"requirements.lock": after.environment},
        )
    return found


def acceptance_of(receipt: Receipt, current: Fingerprint) -> Acceptance | None:
    """The acceptance of `current` that the receipt of a training has, if any.

    Other jobs are accepted across another lock file alone (`accepts_lock`). It is not sealed, so
    it proves nothing by itself: it counts only where every one of the `changes` is acceptable.
    """
    for acceptance in receipt.acceptances if receipt.rule == "train" else ():
        if acceptance.fingerprint == current.value:
            return acceptance
    return None


def accepts_lock(receipt: Receipt, lock: str) -> bool:
    """Whether an acceptance of `receipt` covers the lock file with this SHA-256."""
    return any(acceptance.lock == lock for acceptance in receipt.acceptances)


def stands(receipt: Receipt, current: Fingerprint) -> bool:
    """Whether a result with this receipt counts as one of today's code, settings and data.

    Its fingerprint is `current`, or was accepted to stand for it by someone who may say so.
    """
    if receipt.fingerprint.value == current.value:
        return True
    if acceptance_of(receipt, current) is None:
        return False
    return all(change.acceptable for change in changes(receipt.fingerprint, current))


def _differences(
    part: Part, before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[Change]:
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield Change(part, name, before.get(name), after.get(name))


def _flat(settings: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """``{"a": {"b": 1}}`` -> ``{"a.b": "1"}``; empty mappings and lists are values."""
    flat: dict[str, str] = {}
    for key, content in settings.items():
        name = f"{above}{key}"
        if isinstance(content, Mapping) and content:
            flat.update(_flat(content, f"{name}."))
        else:
            flat[name] = json.dumps(content, ensure_ascii=False, sort_keys=True)
    return flat


def _shown(value: str | None) -> str:
    if value is None:
        return "(absent)"
    return value if len(value) <= 60 else value[:57] + "..."
