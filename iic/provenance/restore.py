"""``iic restore``: make a fresh clone know that its results are done.

git and DVC bring files back with the time of the checkout, in any order, and what Snakemake
remembers of its jobs is in neither. Left alone, it would run everything again. So: pull, verify
every receipt, and only then tell Snakemake that what verified is up to date.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from iic.params.errors import IICError
from iic.params.runs import Plan
from iic.provenance.audit.run import verify
from iic.provenance.jobs import Job, all_jobs
from iic.provenance.why import Answer, why

log = logging.getLogger(__name__)

Runner = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


class RestoreError(IICError):
    """The results cannot be taken for done."""


def restore(plan: Plan, root: Path = Path(), cores: int = 1) -> list[Answer]:
    """Bring back what DVC has, verify it, and mark it as done.

    Args:
        plan: What the scale holds.
        root: Root of the clone.
        cores: Given to Snakemake, which here runs no job.

    Returns:
        The jobs that are left to do, because they never ran, are stale or lack files.

    Raises:
        RestoreError: DVC or Snakemake failed, a file is not what its receipt says, or Snakemake
            would still run a job that verified.
    """
    pull(root)
    failures = verify(plan, root)
    if failures:
        listed = "\n".join(f"  {one.path}: {one.message}" for one in failures[:10])
        more = f"\n  and {len(failures) - 10} more" if len(failures) > 10 else ""
        raise RestoreError(
            f"nothing is marked as done, since {len(failures)} checks failed:\n{listed}{more}\n"
            f"  see: iic audit --scale {plan.scale.name}"
        )
    answers = [why(job, root) for job in all_jobs(plan)]
    todo = [answer for answer in answers if not answer.fresh]
    done = _targets(answers)
    if not done:
        raise RestoreError(f"scale {plan.scale.name!r} has no results here, and DVC brought none")
    _snakemake(plan, root, cores, "--touch", *done)
    after = _snakemake(plan, root, cores, "--dry-run", *done)
    if "Nothing to be done" not in after.stdout + after.stderr:
        raise RestoreError(
            "Snakemake would run jobs that verified:\n" + (after.stdout + after.stderr)[-3000:]
        )
    return todo


def pull(root: Path) -> bool:
    """``dvc pull``, where DVC is installed and a remote is configured.

    Returns:
        Whether there was anything to pull from.

    Raises:
        RestoreError: DVC failed.
    """
    if not (root / ".dvc").is_dir():
        return False
    dvc = [sys.executable, "-m", "dvc"]
    remotes = _call([*dvc, "remote", "list"], root)
    if remotes.returncode or not remotes.stdout.strip():
        log.info("no DVC remote is configured: only what is here is verified")
        return False
    # what was never pushed is no error: a clone may have the receipts of runs without artifacts
    done = _call([*dvc, "pull", "--allow-missing"], root)
    if done.returncode:
        raise RestoreError(f"dvc pull failed:\n{done.stdout}{done.stderr}")
    return True
