"""Tables of what was measured, where a failure keeps the whole ones from being made.

A single failed training holds back each table that shows it. Here each run that has not been scored
yet is, into a temporary folder: the clone's own evaluations, receipts and tables are never touched.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from iic.evaluate.run import evaluate_run
from iic.params.errors import IICError
from iic.params.runs import Plan, Run
from iic.provenance import jobs
from iic.provenance.changes import stands
from iic.provenance.fingerprint import fingerprint
from iic.provenance.status import status
from iic.provenance.unfinished import Standing, standings
from iic.publish import partial
from iic.publish.partial import Gaps
from iic.records import paths
from iic.records.evaluation import Evaluation
from iic.records.files import RecordError, dump_json, read_record, sha256_file
from iic.records.paths import RunPaths, receipt_of
from iic.records.receipt import Receipt


@dataclass(frozen=True)
class Made:
    """One partial table."""

    name: str
    path: Path
    """Its Markdown form, relative to the root of the clone."""
    measured: int
    trainings: int
    missing: tuple[Standing, ...]


def make(whole: Plan, names: Sequence[str] = (), root: Path = Path()) -> list[Made]:
    """Write a partial form of each table that is not done, and delete those of tables that are.

    Args:
        whole: The scale's plan.
        names: Tables; by default all of which something was measured or has failed.
        root: Root of the clone.

    Returns:
        What was written.

    Raises:
        SettingsError: The scale has no such table, or the settings are wrong.
        RecordError: A file cannot be written.
    """
    for name in names:
        whole.check("table", name, whole.tables)
    scale = whole.scale.name
    look = status(whole, root)
    done = {one.name for one in look.displays if one.kind == "table" and one.state == "done"}
    done = {name for name in done if (root / paths.table(scale, name)).exists()}
    wanted = [name for name in names or whole.tables if name not in done]
    for name in {*_there(scale, root)} - ({*whole.tables} - done):
        partial.discard(scale, name, root)
    found = standings(whole, look, root)
    shown = {(run.id, seed) for name in wanted for run, seed in _trainings(whole, name)}
    made = []
    try:
        with tempfile.TemporaryDirectory(prefix="iic-partial-") as folder:
            for run, seed in sorted(shown):
                if found[run, seed].state == "measured":
                    found[run, seed] = _score(whole, found[run, seed], Path(folder), root)
            for name in wanted:
                one = _table(whole, name, found, Path(folder), root, asked=name in names)
                made += [one] if one is not None else []
    except OSError as error:
        raise RecordError(f"{tempfile.gettempdir()}: cannot be written: {error}") from error
    return made


def _table(
    whole: Plan,
    name: str,
    found: dict[tuple[str, int], Standing],
    folder: Path,
    root: Path,
    asked: bool,
) -> Made | None:
    scale = whole.scale.name
    every = [found[run.id, seed] for run, seed in _trainings(whole, name)]
    missing = tuple(one for one in every if one.state != "measured")
    if not asked and all(one.state == "not reached" for one in every):
        partial.discard(scale, name, root)
        return None
    gaps = Gaps({(one.run, one.seed): one.note for one in missing}, len(every))
    built = partial.build(whole, name, folder, gaps, root)
    partial.write(built, scale, name, root)
    path = paths.partial_table(scale, name).with_suffix(".md")
    return Made(name, path, gaps.measured, gaps.trainings, missing)


def _trainings(whole: Plan, name: str) -> list[tuple[Run, int]]:
    return [(run, seed) for run in whole.table_runs(name) for seed in run.seeds]


def _there(scale: str, root: Path) -> list[str]:
    """Names of the partial tables that lie there."""
    return [path.stem for path in (root / paths.partial_table(scale, "x")).parent.glob("*.csv")]


def _score(whole: Plan, one: Standing, folder: Path, root: Path) -> Standing:
    """Put an evaluation, and the receipt that vouches for it, into `folder`."""
    place = RunPaths(whole.scale.name, one.run, one.seed)
    try:
        receipt = read_record(root / place.receipt, Receipt)
        evaluation = _evaluation(whole, place, receipt, root)
    except IICError as error:
        reason = f"it cannot be scored: {str(error).splitlines()[0]}"
        return replace(one, state="failed", reason=reason)
    target = folder / place.evaluation
    target.parent.mkdir(parents=True)
    target.write_text(dump_json(evaluation.model_dump(mode="json")), encoding="utf-8")
    receipt_of(target).write_bytes((root / place.receipt).read_bytes())
    return one


def _evaluation(whole: Plan, place: RunPaths, receipt: Receipt, root: Path) -> Evaluation:
    """The run's evaluation: the one on disk if it is of today, else a new one.

    Raises:
        RecordError: The assignments are missing or not what the training wrote.
        EvaluationError: They cannot be scored.
    """
    wrote = {one.path: one.sha256 for one in receipt.outputs}
    _check(root, place.assignments, wrote.get(place.assignments.as_posix()))
    job = jobs.evaluate(place.scale, place.run, place.seed)
    try:
        own = read_record(root / job.receipt, Receipt)
        if stands(own, fingerprint(job)) and receipt.digest in {one.digest for one in own.parents}:
            wrote = {one.path: one.sha256 for one in own.outputs}
            _check(root, place.evaluation, wrote.get(place.evaluation.as_posix()))
            return read_record(root / place.evaluation, Evaluation)
    except RecordError:
        pass  # absent or damaged: it is no more than a short cut
    run = whole.run(place.run)
    return evaluate_run(place, run.settings.evaluation, whole.datasets[run.dataset], root)


def _check(root: Path, path: Path, sha256: str | None) -> None:
    try:
        found = sha256_file(root / path)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from error
    if found != sha256:
        raise RecordError(f"{path}: is not what its receipt says")
