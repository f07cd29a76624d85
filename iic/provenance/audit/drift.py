"""Were the results made by the code, settings and software that are here now?"""

from __future__ import annotations

import platform
from collections import defaultdict
from collections.abc import Iterator

from iic.provenance import isolated
from iic.provenance.audit.report import Finding
from iic.provenance.audit.tree import Tree
from iic.provenance.changes import accepts_lock
from iic.provenance.environment import minor as _minor
from iic.provenance.environment import package_versions
from iic.provenance.jobs import Job
from iic.provenance.lock_file import LOCK, lock_hash
from iic.records.receipt import Code, Environment

NAMED = 6
"""Changes and jobs that a message names one by one."""


def stale(tree: Tree) -> Iterator[Finding]:
    """Jobs whose code, settings or raw data have changed, and changes that a person accepted."""
    for job, receipt in tree.present:
        changes, acceptance = tree.drift(job, receipt)
        if not changes:
            continue
        changed = [str(change) for change in changes]
        improper = [str(change) for change in changes if not change.acceptable]
        if acceptance is None:
            yield Finding(
                level="drift",
                kind="stale",
                path=str(job.receipt),
                message=f"{job.name} is stale: {_some(changed, '; ')}",
                remedy=_remedy(tree, job),
            )
        elif improper:
            yield Finding(
                level="failure",
                kind="accepted",
                path=str(job.receipt),
                message=f"{job.name} has an acceptance that no person can give, since more than "
                f"code and new settings differs: {_some(improper, '; ')}",
                remedy=f"take the acceptance out, or delete {job.receipt}, and run: "
                f"iic run --scale {tree.scale} {job.receipt}",
            )
        else:
            # what differs is computed; the receipt's own list may be of anybody's making
            listed = _some(changed, "; ")
            if acceptance.changed != changed:
                listed += f"; recorded then: {_some(acceptance.changed, '; ') or 'nothing'}"
            yield Finding(
                level="note",
                kind="accepted",
                path=str(job.receipt),
                message=f"{job.name} was accepted across a change of code on "
                f"{acceptance.at:%Y-%m-%d}, because: {acceptance.because} ({listed})",
            )


def _remedy(tree: Tree, job: Job) -> str:
    """To do it again; or, where that means to train, perhaps to accept it as it is."""
    cost = tree.cost(job)
    accept = (
        "or, if only code changed and you are sure that it alters no number: "
        f"iic accept {job.target} --because TEXT"
    )
    if job.rule == "train":
        return f"iic run --scale {tree.scale} ..., {accept}"
    again = f"iic run --scale {tree.scale} {job.wildcards.get('name') or job.receipt}"
    return f"{again}, which needs {cost}; {accept}" if cost else again


def environment(tree: Tree) -> Iterator[Finding]:
    """Versions that differ from those of the receipts, one finding a difference."""
    now = {
        "requirements.lock": lock_hash(tree.root)[:12],
        "python": _minor(platform.python_version()),
        **package_versions(),
    }
    lock = lock_hash(tree.root)
    jobs: dict[tuple[str, str, bool], list[str]] = defaultdict(list)
    for job, receipt in tree.present:
        for what, version in _versions(receipt.environment).items():
            if version != now.get(what, "absent"):
                accepted = what == LOCK.name and accepts_lock(receipt, lock)
                jobs[what, version, accepted].append(job.name)
    for (what, version, accepted), names in sorted(jobs.items()):
        difference = (
            f"{what} is {now.get(what, 'absent')} here, and was {version} for {len(names)} jobs"
        )
        if accepted:
            yield Finding(
                level="note",
                kind="accepted",
                path=what,
                message=f"{difference} that were accepted with today's: {_some(names, ', ')}",
            )
        else:
            yield Finding(
                level="drift",
                kind="environment",
                path=what,
                message=f"{difference}: {_some(names, ', ')}",
                remedy="install the lock file that stands in the clone (make); or delete the "
                "receipts (git rm) and run again; or, if only the lock file differs and alters no "
                "number: iic accept RUN --because TEXT",
            )


def uncommitted(tree: Tree, code: Code) -> Iterator[Finding]:
    """Code that no commit has: of this clone now, and of the jobs when they ran."""
    if code.dirty:
        yield Finding(
            level="note",
            kind="uncommitted",
            path=".",
            message="code, settings or the lock file of this clone differ from its commit",
        )
    names = [job.name for job, receipt in tree.present if receipt.code.dirty]
    if names:
        yield Finding(
            level="note",
            kind="uncommitted",
            path=f"results/{tree.scale}",
            message=f"{len(names)} jobs ran with uncommitted changes (their code is known by its "
            f"hash alone): {_some(names, ', ')}",
        )


def start_files() -> Iterator[Finding]:
    """What the environment runs whenever a Python of it starts, and this project did not put there.

    An audit by hand does not run it; the jobs that made the results did, if it was there.
    """
    for path in isolated.start_files():
        yield Finding(
            level="note",
            kind="environment",
            path=path,
            message="every Python of this environment runs it first, so that it can change "
            "whatever a job does; an audit by hand leaves it out",
            remedy="see what it does; or make the environment anew: make setup",
        )


def _versions(environment: Environment) -> dict[str, str]:
    return {
        "requirements.lock": environment.lock[:12],
        "python": _minor(environment.python),
        **environment.packages,
    }


def _some(items: list[str], separator: str) -> str:
    shown = separator.join(items[:NAMED])
    left = len(items) - NAMED
    return f"{shown}{separator}and {left} more" if left > 0 else shown
