"""History as a witness: what an earlier commit with results had, and is gone or changed since.

Files can be rewritten so that they agree; the commits that others have fetched cannot. Whoever
drops the worst seed, widens a tolerance or skips a bad method leaves that here. Honest changes
leave the same traces, so these are notes, for a reader to judge.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from iic.params.datasets import CATALOGUE
from iic.params.errors import SettingsError
from iic.params.loading import parse_yaml
from iic.provenance import git
from iic.provenance.audit.plausibility import CLOCKS
from iic.provenance.audit.preparation import known_checksums
from iic.provenance.audit.report import Finding, Level
from iic.provenance.audit.tree import Tree
from iic.provenance.git import GitUnknown
from iic.records.paths import RESULTS

Items = dict[str, str]
PUBLISHED = Path("params/published")
SCALES = Path("params/scales")
SKIPPED = "the scale skips "


class Past:
    """What git has of a scale's results and of the settings that they are judged by."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.root = tree.root

    def check(self) -> Iterator[Finding]:
        """What is gone or changed; commits that receipts name and that do not exist."""
        top = str(RESULTS / self.tree.scale)
        try:
            yield from self._commits()
            first = self._log("--diff-filter=A", "--format=%H", "--", top)[-1:]
            if not first:
                return
            yield from self._gone()
            for file, items in self._files().items():
                yield from self._changed(first[0], file, items)
        except GitUnknown as error:
            yield _finding(top, f"nobody looked at earlier results: {error}")

    def _log(self, *arguments: str) -> list[str]:
        # paths as they are: quoted ones would be of no file
        words = git.ask(self.root, "-c", "core.quotePath=false", "log", "--no-renames", *arguments)
        return words.splitlines()

    def _commits(self) -> Iterator[Finding]:
        """Each commit that a receipt names exists, and was made before the job began."""
        named: dict[str, list[str]] = {}
        for job, receipt in self.tree.present:
            accepted = [acceptance.commit for acceptance in receipt.acceptances]
            for commit in filter(None, {receipt.code.commit, *accepted}):
                named.setdefault(commit, []).append(str(job.receipt))
        if not named:
            return
        shown = git.ask(
            self.root, "rev-list", "--no-walk", "--ignore-missing", "--timestamp", *named
        )
        made = {commit: int(time) for time, commit in map(str.split, shown.splitlines())}
        shallow = git.ask(self.root, "rev-parse", "--is-shallow-repository").strip() == "true"
        level: Level = "failure" if self.tree.plan.scale.real and not shallow else "note"
        for commit, receipts in named.items():
            if commit not in made:
                yield _finding(
                    receipts[0],
                    f"{len(receipts)} receipts name commit {commit[:12]}, which this clone does "
                    f"not have{' (it is a shallow one)' if shallow else ''}",
                    level,
                )
        for job, receipt in self.tree.present:
            time = made.get(receipt.code.commit or "")
            if time is not None and datetime.fromtimestamp(time, UTC) - CLOCKS > receipt.timing.end:
                yield _finding(
                    str(job.receipt),
                    f"ended before its commit {str(receipt.code.commit)[:12]} was made",
                    level,
                )

    def _gone(self) -> Iterator[Finding]:
        """Runs, tables and figures that were there, and runs that were measured anew."""
        for commit, path in self._touched("A"):
            kind = Path(path).parts[2], Path(path).suffix
            shown = path.endswith("/run.json") or kind in (("tables", ".csv"), ("figures", ".svg"))
            if shown and not self.tree.exists(path):
                yield _finding(path, f"{_called(path)} was measured at {commit} and is gone")
        for commit, path in self._touched("M"):
            if path.endswith("/assignments.parquet"):
                yield _finding(path, f"{_called(path)} had other assignments before {commit}")

    def _touched(self, how: str) -> Iterator[tuple[str, str]]:
        """The newest commit in which a file was added or modified, and the file, each once."""
        commit, seen = "", set()
        top = str(RESULTS / self.tree.scale)
        for line in self._log(f"--diff-filter={how}", "--name-only", "--format=@%h", "--", top):
            if line.startswith("@"):
                commit = line[1:]
            elif line and line not in seen:
                seen.add(line)
                yield commit, line

    def _files(self) -> dict[Path, Callable[[str], Items]]:
        """Files that results are judged by -> what to compare in them."""
        files: dict[Path, Callable[[str], Items]] = {
            CATALOGUE: self._catalogue,
            SCALES / f"{self.tree.scale}.yaml": _scale,
            PUBLISHED / "tolerances.csv": self._tolerances,
        }
        return files | {PUBLISHED / f"{name}.csv": _rows for name in self.tree.plan.tables}

    def _changed(self, first: str, file: Path, items: Callable[[str], Items]) -> Iterator[Finding]:
        """What a file said in a commit with results, and says no more."""
        try:
            today = items((self.root / file).read_text(encoding="utf-8"))
        except (OSError, ValueError, SettingsError):
            return  # settings that cannot be read stop the audit before this
        before: dict[str, tuple[str, str | None]] = {}
        since = self._log("--format=%h", f"{first}..HEAD", "--", str(file))
        # oldest first, so that the last commit with another value is the one that stays
        for commit in (first[:7], *reversed(since)):
            try:
                earlier = items(git.ask(self.root, "show", f"{commit}:{file}"))
            except (GitUnknown, ValueError, KeyError, TypeError, AttributeError, SettingsError):
                continue  # it was not there, or in another form
            for key in earlier.keys() | today.keys():
                skip = key.startswith(SKIPPED)
                if earlier.get(key) != today.get(key) and (key in earlier) != skip:
                    before[key] = commit, earlier.get(key)
        for key, (commit, value) in sorted(before.items()):
            now = today.get(key)
            if value is None:
                message = f"{key}, and was not at {commit}, which has results"
            elif now is None:
                message = f"{key} was {value} at {commit}, which has results, and is gone"
            else:
                message = f"{key} was {value} at {commit}, which has results, and is {now}"
            yield _finding(str(file), message)

    def _tolerances(self, text: str) -> Items:
        """Those of the paper's datasets that the scale has."""
        own = self.tree.plan.scale.datasets
        return {name: value for name, value in _rows(text).items() if name in own}

    def _catalogue(self, text: str) -> Items:
        """Checksums of the scale's datasets; what is a stand-in, their names say."""
        content = parse_yaml(text, str(CATALOGUE))
        own = {name: entry for name, entry in content.items() if name in self.tree.plan.datasets}
        return {f"the checksum of {name}": value for name, value in known_checksums(own)}


def _scale(text: str) -> Items:
    """Seeds and skipped runs."""
    content: dict[str, Any] = parse_yaml(text, str(SCALES))
    items = {
        f"seed {seed} of {run}": "declared"
        for run, seeds in (content.get("seeds") or {}).items()
        for seed in seeds
    }
    return items | {f"{SKIPPED}{pattern}": "" for pattern in content.get("skip") or ()}


def _rows(text: str) -> Items:
    """Lines of a csv by their leading names, the numbers as they are written."""
    lines = list(csv.DictReader(text.splitlines()))
    items = {}
    for line in lines:
        names = [line[key] for key in ("row", "column", "dataset") if line.get(key)]
        given = (key for key in ("value", "std", "mark", "tolerance") if line.get(key))
        values = [f"{key} {line[key]}" for key in given]
        items[" x ".join(names)] = ", ".join(values)
    return items


def _called(path: str) -> str:
    """A result as a reader calls it: ``seed 2 of digits/iic``, ``table_1``."""
    parts = Path(path).parts
    if parts[2] == "runs":
        return f"seed {parts[-2].removeprefix('seed')} of {'/'.join(parts[3:-2])}"
    return Path(path).stem


def _finding(path: str, message: str, level: Level = "note") -> Finding:
    return Finding(level=level, kind="history", path=path, message=message)
