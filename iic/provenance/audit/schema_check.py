"""Do the records hold what their schemas ask for, whatever their receipts say of the bytes?

Receipts, evaluations and sources are read by other checks, which say what is wrong with them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import ValidationError

from iic.params.base import Model
from iic.params.datasets import UNVERIFIED
from iic.provenance.audit.report import Finding
from iic.provenance.audit.tree import Tree
from iic.provenance.jobs import Job
from iic.records import paths
from iic.records.files import AmbiguousJSON, RecordError, read_record, strict_json
from iic.records.history_line import HistoryLine
from iic.records.outcome import TrainOutcome
from iic.records.prepared import PreparedManifest
from iic.records.prepared_maps import MapManifest
from iic.records.raw import RawManifest
from iic.records.table import read_table


def check(tree: Tree) -> Iterator[Finding]:
    """Manifests, histories, outcomes of trainings and tables that are not of their schema."""
    for job, receipt in tree.present:
        for path, read in _readers(tree, job):
            if not tree.exists(str(path)):
                continue  # said by the check of integrity
            try:
                read(tree.root / path)
            except RecordError as error:
                yield _wrong(str(path), str(error).removeprefix(f"{tree.root}/"))
        if job.rule == "train":
            try:
                TrainOutcome.model_validate(receipt.outcome, strict=False)
            except ValidationError as error:
                yield _wrong(str(job.receipt), f"outcome: {_first(error)}")


def unverified(tree: Tree) -> Iterator[Finding]:
    """Raw files that the results stand on and of which nobody publishes a checksum."""
    users: dict[str, list[Job]] = defaultdict(list)
    for job, receipt in tree.present:
        for path, checksum in receipt.fingerprint.data.items():
            if checksum == UNVERIFIED:
                users[path].append(job)
    for path, jobs in users.items():
        dataset = Path(path).relative_to(paths.RAW).parts[0]
        raw = tree.receipt(str(paths.receipt_of(paths.raw_manifest(dataset))))
        wrote = {output.path: output.sha256 for output in raw.outputs} if raw else {}
        here = f"here it has sha256 {wrote[path]}" if path in wrote else "it is not here"
        entry = tree.plan.datasets.get(dataset)
        files = entry.raw_files if entry is not None else ()
        reasons = [file.unverified for file in files if path.endswith(f"/{file.name}")]
        why = f" ({reasons[0]})" if reasons and reasons[0] else ""
        yield Finding(
            level="note",
            kind="unverified",
            path=path,
            message=f"nobody publishes a checksum of this file{why}, so it was taken as it first "
            f"came; {here}; {len(jobs)} jobs stand on it",
            remedy="compare its hash with that of others who have the file",
        )


Reader = Callable[[Path], object]


def _readers(tree: Tree, job: Job) -> Iterator[tuple[Path, Reader]]:
    """The records that a job writes and that no other check reads."""
    names = job.wildcards
    if job.rule == "download":
        yield paths.raw_manifest(names["dataset"]), _record(RawManifest)
    elif job.rule == "prepare":
        maps = tree.plan.datasets[names["dataset"]].maps is not None
        yield (
            paths.prepared_manifest(names["dataset"]),
            _record(MapManifest if maps else PreparedManifest),
        )
    elif job.rule == "train":
        run = paths.RunPaths(names["scale"], names["run"], int(names["seed"]))
        yield run.history, _history
    elif job.rule == "tabulate" and names["name"] in tree.plan.tables:
        yield paths.table(names["scale"], names["name"]), read_table


def _record(model: type[Model]) -> Reader:
    return lambda path: read_record(path, model)


def _history(path: Path) -> None:
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            HistoryLine.model_validate_json(line)
            strict_json(line)
        except ValidationError as error:
            raise RecordError(f"{path}: line {number}: {_first(error)}") from None
        except AmbiguousJSON as error:
            raise RecordError(f"{path}: line {number}: {error}") from None


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "(all of it)"
    return f"{key}: {first['msg']}"


def _wrong(path: str, message: str) -> Finding:
    return Finding(
        level="failure",
        kind="schema",
        path=path,
        message=message,
        remedy="take the file from git or DVC again, or delete it and run its job again",
    )
