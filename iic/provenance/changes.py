"""What differs between two fingerprints, part by part, in words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from iic.provenance.fingerprint_parts import without_code_names
from iic.records.receipt import Acceptance, Fingerprint, Receipt

Part = Literal["code", "settings", "data", "environment"]
ACCEPTABLE = ("train", "draw")
"""Rules whose jobs may be accepted across a change of code; all others are quick to do again."""
SCHEME = ("modules", "definitions")
SHORT = 12
"""Characters of a hash that are shown."""


@dataclass(frozen=True)
class Change:
    """One difference."""

    part: Part
    name: str
    """Qualified name of a definition, dotted settings key or file."""
    before: str | None
    """As in the receipt; None for what is new."""
    after: str | None
    """As it is now; None for what is gone."""

    @property
    def acceptable(self) -> bool:
        """Whether a person may say that it alters no number.

        Code; settings which the receipt does not know, since a later version has given them a
        default; and a run's note, which is text. A changed value, other data or other software
        make it another experiment.
        """
        if self.part == "code":
            return not self.unreadable
        note = self.name.startswith("runs.") and self.name.endswith(".note")
        return self.part == "settings" and (self.before is None or note)

    @property
    def unreadable(self) -> bool:
        """Whether it is that the code of today cannot be read; `name` then says so."""
        return self.part == "code" and self.before is None and self.after is None

    def __str__(self) -> str:
        """One line, e.g. ``settings schedule.epochs: 20 -> 40``."""
        if self.part == "settings":
            return f"settings {self.name}: {shortened(self.before)} -> {shortened(self.after)}"
        if self.unreadable:
            return self.name
        if self.part == "code":
            how = (
                "is new" if self.before is None else "is gone" if self.after is None else "changed"
            )
            return f"code {self.name} {how}"
        if self.before is None:
            return f"{self.part} {self.name}: new"
        if self.after is None:
            return f"{self.part} {self.name}: gone"
        return f"{self.part} {self.name}: {self.before[:SHORT]} -> {self.after[:SHORT]}"


def changes(before: Fingerprint, after: Fingerprint) -> list[Change]:
    """All differences: code by definition, settings by key, data by file; each part sorted.

    A definition that only lies elsewhere is none.
    """
    different = list(_code(before, after))
    plain = (_flat(without_code_names(fingerprint.settings)) for fingerprint in (before, after))
    different += _differences("settings", *plain)
    different += _differences("data", before.data, after.data)
    # without a strict environment on both sides the lock file is not compared
    if before.environment is not None and after.environment is not None:
        different += _differences(
            "environment",
            {"requirements.lock": before.environment},
            {"requirements.lock": after.environment},
        )
    return different


def changes_since(receipt: Receipt, now: Fingerprint) -> list[Change]:
    """All differences from what a receipt stands for, those left out that it has accepted.

    Acceptances are not sealed, so this is for a reader. What counts are the `changes` of the
    receipt's own fingerprint.
    """
    before = receipt.fingerprint
    accepted = [acceptance for acceptance in receipt.acceptances if acceptance.identity is not None]
    if accepted:
        newest = {"identity": accepted[-1].identity, "code": accepted[-1].code}
        before = before.model_copy(update=newest)
    accepted_lines = {line for acceptance in receipt.acceptances for line in acceptance.changed}
    different = changes(before, now)
    return [
        change
        for change in different
        if not (change.part == "settings" and str(change) in accepted_lines)
    ]


def acceptance_of(receipt: Receipt, current: Fingerprint) -> Acceptance | None:
    """The acceptance of `current` that the receipt of a training or of a figure has, if any.

    Other jobs are accepted across another lock file alone (`accepts_lock`). It is not sealed, so
    it proves nothing by itself: it counts only where every one of the `changes` is acceptable.
    """
    for acceptance in receipt.acceptances if receipt.rule in ACCEPTABLE else ():
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


def _code(before: Fingerprint, after: Fingerprint) -> Iterator[Change]:
    if before.identity == after.identity and (after.identity or before.code == after.code):
        return
    if before.identity is None or after.identity is None:
        # there is no telling which code: a receipt from before has hashes of modules
        yield Change("code", "as a whole (hashed by module then)", SCHEME[0], SCHEME[1])
        return
    unchanged = before.code.items() & after.code.items()
    old, new = (dict(code.items() - unchanged) for code in (before.code, after.code))
    moved = Counter(old.values()) & Counter(new.values())
    different = list(_differences("code", _without(old, moved), _without(new, moved)))
    # all definitions are the same, and one refers to another of the same name
    yield from different or [
        Change("code", "what a name refers to", before.identity, after.identity)
    ]


def _without(code: Mapping[str, str], moved: Counter[str]) -> dict[str, str]:
    """Definitions less those that have gone elsewhere, which have no name in common."""
    waiting, left = moved.copy(), {}
    for name, digest in sorted(code.items()):
        if waiting[digest]:
            waiting[digest] -= 1
        else:
            left[name] = digest
    return left


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


def shortened(value: str | None) -> str:
    """A value as a line has room for."""
    if value is None:
        return "(absent)"
    return value if len(value) <= 60 else value[:57] + "..."
