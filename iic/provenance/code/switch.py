"""Keeps committed trainings across the change from hashes of modules to hashes of definitions.

    python -m iic.provenance.code.switch COMMIT SCALE ...

COMMIT is the last one with hashes of modules. A training is kept only if it stood there: the
fingerprint that COMMIT's own code gives it is its receipt's, or one that the receipt accepts; and
if each definition that it reaches is the same there and here. Then its receipt accepts today's
fingerprint, with a reason that names both. If one training fails, none is changed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iic.params.errors import IICError
from iic.params.runs import Plan, load_plan
from iic.provenance import git
from iic.provenance.accept import accept
from iic.provenance.code.roots import CodeError, training
from iic.provenance.fingerprint import train
from iic.provenance.jobs import Job, all_jobs
from iic.records.files import read_record
from iic.records.receipt import Receipt

THEN = """
import json, sys
from iic.params.runs import plan
from iic.provenance import fingerprint, jobs
every = [job for job in jobs.all_jobs(plan(sys.argv[1])) if job.rule == "train"]
print(json.dumps({job.name: fingerprint.fingerprint(job).value for job in every}))
"""


class NotTheSame(IICError):
    """A training did not stand at the commit, or its code is another one since."""


@contextmanager
def checked_out(commit: str, root: Path = Path()) -> Iterator[Path]:
    """A folder with the tree of `commit`, for a while.

    Raises:
        NotTheSame: This clone has no such commit.
    """
    with tempfile.TemporaryDirectory(prefix="iic-switch-") as folder:
        try:
            git.write_files(root, git.commit_of(root, commit), Path(folder))
        except git.GitUnknown as error:
            raise NotTheSame(f"{commit}: {error}") from None
        yield Path(folder)


def fingerprints_then(tree: Path, scale: str) -> dict[str, str]:
    """Training -> the fingerprint that the code in `tree` gives it.

    Raises:
        NotTheSame: That code cannot tell.
    """
    command = [sys.executable, "-c", THEN, scale]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise NotTheSame(f"{tree}: {done.stderr.strip()}")
    values: dict[str, str] = json.loads(done.stdout)
    return values


def reason(plan: Plan, job: Job, then: dict[str, str], tree: Path, commit: str) -> str:
    """Why the receipt of `job` stands for today's code.

    Raises:
        NotTheSame: It does not.
    """
    receipt = read_record(job.receipt, Receipt)
    stood = {
        receipt.fingerprint.value,
        *(acceptance.fingerprint for acceptance in receipt.acceptances),
    }
    value = then.get(job.name, "none")
    if value not in stood:
        raise NotTheSame(f"{job.name}: {commit} gives it {value[:12]}, which {job.receipt} is not")
    run = plan.run(job.wildcards["run"])
    base = plan.base_of(run)
    methods = [run.method] if base is None else [run.method, base.method]
    try:
        before = training(methods, plan.datasets[run.dataset], tree).value or ""
    except CodeError as error:
        raise NotTheSame(f"{job.name}: at {commit} {error}") from None
    now = train(plan.scale.name, run.id).identity or ""
    if before != now:
        raise NotTheSame(f"{job.name}: its code was {before[:12]} at {commit}, and is {now[:12]}")
    return (
        f"code is hashed by definition from here on, before by module: at commit {commit} the "
        f"fingerprint by module was {value[:12]}, which stood, and every definition is the same "
        f"there and here ({now[:12]})"
    )


def switch(commit: str, scales: list[str]) -> int:
    """Accept all trainings of `scales` that have a receipt; return how many.

    Raises:
        NotTheSame: For the first that did not stand, or has changed.
    """
    reasons: list[tuple[Job, str]] = []
    with checked_out(commit) as tree:
        for scale in scales:
            plan, then = load_plan(scale), fingerprints_then(tree, scale)
            trainings = [job for job in all_jobs(plan) if job.rule == "train"]
            reasons += [
                (job, reason(plan, job, then, tree, commit))
                for job in trainings
                if job.receipt.exists()
            ]
    for job, because in reasons:
        accept([job], because)
    return len(reasons)


if __name__ == "__main__":
    try:
        print(f"{switch(sys.argv[1], sys.argv[2:])} trainings accepted")
    except IICError as error:
        sys.exit(str(error))
