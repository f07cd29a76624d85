"""Is each receipt whole and in its place, and is each file what its receipt says?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from iic.provenance.audit.report import Finding
from iic.provenance.audit.tree import Tree
from iic.provenance.fingerprint_parts import value_of
from iic.provenance.jobs import Job
from iic.records.files import sha256_json
from iic.records.receipt import FileRecord, Receipt


def check(tree: Tree) -> Iterator[Finding]:
    """Receipts: present, readable, unedited, where they belong. Outputs: present and unaltered."""
    for job in tree.jobs:
        yield from look(tree, job)


def look(tree: Tree, job: Job) -> Iterator[Finding]:
    """The same for one job."""
    receipt = tree.receipt(str(job.receipt))
    if receipt is not None:
        yield from _receipt(tree, job, receipt)
        yield from _outputs(tree, job, receipt)
    elif str(job.receipt) in tree.damaged:
        yield Finding(
            level="failure",
            kind="schema",
            path=str(job.receipt),
            message=f"the receipt cannot be read: {tree.damaged[str(job.receipt)]}",
            remedy=_again(tree, job),
        )
    else:
        yield _absent(tree, job)


def _absent(tree: Tree, job: Job) -> Finding:
    # arrays without a manifest are what a preparation that was killed has left
    made = job.outputs[:1] if job.rule == "prepare" else job.outputs
    left = [path for path in made if tree.exists(str(path))]
    if left:
        return Finding(
            level="failure",
            kind="missing",
            path=str(job.receipt),
            message=f"the receipt of {job.name} is missing, though {left[0]} is there: nothing "
            "vouches for that file",
            remedy=_again(tree, job),
        )
    if tree.restorable(str(job.receipt)):
        return Finding(
            level="note",
            kind="to be restored",
            path=str(job.receipt.parent),
            message=f"the data of {job.wildcards['dataset']} are not here; what was made from them "
            "names their checksums",
            remedy=f"iic restore --scale {tree.scale}",
        )
    return Finding(
        level="note",
        kind="not run",
        path=str(job.receipt),
        message=f"{job.name} has not been run",
        remedy=f"iic run --scale {tree.scale} {_goal(job)}",
    )


def _receipt(tree: Tree, job: Job, receipt: Receipt) -> Iterator[Finding]:
    path = str(job.receipt)
    if (receipt.rule, receipt.wildcards) != (job.rule, job.wildcards):
        theirs = " ".join([receipt.rule, *receipt.wildcards.values()])
        ours = " ".join([job.rule, *job.wildcards.values()])
        yield Finding(
            level="failure",
            kind="misplaced",
            path=path,
            message=f"this is the receipt of another job: it says {theirs!r}, but here belongs "
            f"that of {ours!r}",
            remedy="put the files back where they were written, or delete them and run again",
        )
    edited = "delete it and run its job again; receipts are never edited by hand"
    seed = job.wildcards.get("seed")
    if receipt.seed is not None and str(receipt.seed) != receipt.wildcards.get("seed", seed):
        yield _edited(path, f"seed is {receipt.seed}, but its wildcards say {seed}", edited)
    if not tree.receipts.sealed(path):
        yield _edited(path, "its content does not match its seal", edited)
    parts = receipt.fingerprint
    value = value_of(
        receipt.rule, parts.identity or parts.code, parts.settings, parts.data, parts.environment
    )
    if parts.value != value:
        yield _edited(path, "the fingerprint is not the hash of its parts", edited)
    if receipt.settings_sha256 != sha256_json(parts.settings):
        yield _edited(path, "settings_sha256 is not the hash of the settings", edited)
    for what in _backwards(receipt):
        yield Finding(
            level="failure",
            kind="schema",
            path=path,
            message=f"no job takes negative time: {what}; a clock was set back, or the receipt is "
            "not what a job wrote",
            remedy=f"see that the clock is right, then {_again(tree, job)}",
        )


def _backwards(receipt: Receipt) -> Iterator[str]:
    """Times of a receipt that end before they start."""
    timing = receipt.timing
    if timing.seconds < 0:
        yield f"timing.seconds is {timing.seconds:g}"
    if timing.end < timing.start:
        seconds = (timing.end - timing.start).total_seconds()
        yield f"timing.end is {-seconds:g} s before timing.start"
    for number, session in enumerate(receipt.sessions):
        if session.end < session.start:
            seconds = (session.end - session.start).total_seconds()
            yield f"sessions.{number} took {seconds:g} s"


def _edited(path: str, what: str, remedy: str) -> Finding:
    return Finding(
        level="failure",
        kind="altered",
        path=path,
        message=f"the receipt was edited after it was written: {what}",
        remedy=remedy,
    )


def _outputs(tree: Tree, job: Job, receipt: Receipt) -> Iterator[Finding]:
    own = {str(path) for path in job.outputs}
    for output in receipt.outputs:
        yield from _file(tree, job, output)
        # what a dataset consists of is for its reader to say
        data = job.rule in ("download", "prepare")
        if output.path not in own and not (
            data and job.receipt.parent in Path(output.path).parents
        ):
            yield Finding(
                level="failure",
                kind="orphan",
                path=output.path,
                message=f"{job.receipt} names it as an output, but {job.name} makes no such file",
                remedy=_again(tree, job),
            )
    named = {output.path for output in receipt.outputs}
    for path in job.outputs:
        if str(path) not in named and tree.exists(str(path)):
            yield Finding(
                level="failure",
                kind="altered",
                path=str(path),
                message=f"{job.receipt} does not name it among the files that {job.name} wrote: "
                "nothing vouches for it",
                remedy=_again(tree, job),
            )


def _file(tree: Tree, job: Job, record: FileRecord) -> Iterator[Finding]:
    sha256 = tree.sha256(record.path)
    if sha256 == record.sha256:
        return
    if sha256 is None and tree.restorable(record.path):
        yield Finding(
            level="note",
            kind="to be restored",
            path=record.path,
            message=f"not here; known by its hash {record.sha256[:12]} in {job.receipt}",
            remedy=f"iic restore --scale {tree.scale}",
        )
    elif sha256 is None:
        yield Finding(
            level="failure",
            kind="missing",
            path=record.path,
            message=f"missing, though {job.receipt} says that it was written",
            remedy=_again(tree, job),
        )
    else:
        twin = tree.wrote.get(sha256)
        whose = f"; it has the content of {twin}" if twin and twin != record.path else ""
        size = (tree.root / record.path).stat().st_size
        yield Finding(
            level="failure",
            kind="altered",
            path=record.path,
            message=f"altered after {job.name} wrote it: sha256 {sha256[:12]} ({size} bytes), "
            f"written were {record.sha256[:12]} ({record.size} bytes){whose}",
            remedy=_again(tree, job),
        )


def _again(tree: Tree, job: Job) -> str:
    if tree.restorable(str(job.receipt)):
        return f"delete {job.receipt.parent} and run: iic run --scale {tree.scale} data"
    return (
        f"take the file from git or DVC again (git checkout, iic restore), or delete "
        f"{job.receipt} and run: iic run --scale {tree.scale} {_goal(job)}"
    )


def _goal(job: Job) -> str:
    """What Snakemake calls the job's result."""
    return job.wildcards.get("name") or str(job.receipt)
