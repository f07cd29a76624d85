"""Errors that a user can mend: their text is shown without a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class IICError(Exception):
    """An expected failure whose message says what is wrong and what to do about it."""


class SettingsError(IICError):
    """A wrong key, type or value in a file of ``params/`` or on the command line.

    Args:
        file: Where the setting stands (a path, or ``--config``).
        key: Dotted path of the key inside that file.
        problem: What is wrong, the value included.
        allowed: What would be right, if that can be said in a line.
        candidates: Known keys or values, from which the nearest is suggested.
        given: The misspelt word that `candidates` are compared with.
    """

    def __init__(
        self,
        file: str,
        key: str,
        problem: str,
        *,
        allowed: str | None = None,
        candidates: Iterable[str] = (),
        given: str | None = None,
    ) -> None:
        self.file = file
        self.key = key
        self.problem = problem
        self.allowed = allowed
        self.hint = None if given is None else nearest(given, candidates)
        lines = [f"{file}: {key}: {problem}" if key else f"{file}: {problem}"]
        if allowed:
            lines.append(f"  allowed: {allowed}")
        if self.hint:
            lines.append(f"  did you mean: {self.hint}?")
        super().__init__("\n".join(lines))

    def at(self, file: str, key: str) -> SettingsError:
        """The same error at another place: the one where the value really stands."""
        hints = [] if self.hint is None else [self.hint]
        return SettingsError(
            file, key, self.problem, allowed=self.allowed, candidates=hints, given=self.hint
        )


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like `word`, or None where none is alike."""
    matches = difflib.get_close_matches(word, list(candidates), n=1, cutoff=0.5)
    return matches[0] if matches else None
