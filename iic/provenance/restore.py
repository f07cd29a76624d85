"""``iic restore``: bring back what DVC has, verify all that is here, and say what is missing.

What verified is done: the workflow asks the receipts (`iic.provenance.due`), so nothing has to be
told to Snakemake.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from iic.data.download import MIRROR_VARIABLE
from iic.params.runs import Plan
from iic.provenance.absent import Absence, absent
from iic.provenance.audit.report import Finding
from iic.provenance.audit.run import verify
from iic.provenance.jobs import Job, all_jobs
from iic.provenance.remote import Pulled, RestoreError, call, pull
from iic.provenance.snakemake_lock import refuse_while_busy
from iic.provenance.why import Answer, why
from iic.records import paths

log = logging.getLogger(__name__)

ERROR = " error: "
"""How the logs of jobs begin an error."""


@dataclass(frozen=True)
class Restored:
    """What came of it."""

    verified: int
    """Receipts, all of them as they were written and with the files that they name."""
    left: list[Answer]
    """The jobs that are left to do: never run, stale, or without some of their files."""
    absent: list[Absence]

    @property
    def drifted(self) -> bool:
        """Whether a result that is here was made by other code, settings or data."""
        return any(answer.status == "changed" for answer in self.left)


def restore(
    plan: Plan,
    root: Path = Path(),
    cores: int = 1,
    *,
    remote: str | None = None,
    from_dvc: bool = True,
    mirror: str | None = None,
) -> Restored:
    """Bring back what DVC has, and verify all that is here.

    Data that DVC does not have are obtained again by the workflow, as they would be for any job.
    Where they cannot be had, what is here is verified all the same.

    Args:
        plan: What the scale holds.
        root: Root of the clone.
        cores: Given to Snakemake.
        remote: Name of the DVC remote; the default one when None.
        from_dvc: Whether to pull at all; else only what is here is verified.
        mirror: Folder or URL that is asked first for data.

    Raises:
        Busy: A Snakemake holds the clone.
        RestoreError: There are no results; DVC or Snakemake failed; or a file is not what its
            receipt says.
    """
    refuse_while_busy(root, "restore brings nothing back")
    pulled = pull(plan, root, remote) if from_dvc else Pulled(None, "--no-pull was given")
    present = [job for job in all_jobs(plan) if (root / job.receipt).exists()]
    # data alone are worth restoring where they were pulled: those that lie here anyway are not
    jobs_there = present if pulled.from_remote else [job for job in present if not _data(job)]
    if not jobs_there:
        why_none = f" ({pulled.reason})" if pulled.reason else ""
        raise RestoreError(
            f"scale {plan.scale.name!r} has no results here, and DVC brought none{why_none}: there "
            "is nothing to restore"
        )
    # with no results yet, there is nothing that needs the data which did not come
    needed = plan.datasets if not all(map(_data, present)) else ()
    why_not = _obtain(plan, root, cores, needed, mirror)
    failures = verify(plan, root)
    if failures:
        listed = "\n".join(f"  {failure.path}: {failure.message}" for failure in failures[:10])
        more = f"\n  and {len(failures) - 10} more" if len(failures) > 10 else ""
        raise RestoreError(
            f"not as the receipts say, {len(failures)} checks failed:\n{listed}{more}\n"
            f"  see: iic audit --scale {plan.scale.name}{_damaged(pulled, failures)}"
        )
    answers = [why(job, root) for job in all_jobs(plan)]
    left = [answer for answer in answers if not answer.fresh]
    verified = sum((root / answer.job.receipt).exists() for answer in answers)
    return Restored(verified, left, absent(plan, root, why_not))


def _obtain(
    plan: Plan, root: Path, cores: int, datasets: Iterable[str], mirror: str | None
) -> dict[str, str]:
    """Have the workflow obtain data that are not here.

    Returns:
        Dataset -> why it could not be had.

    Raises:
        RestoreError: Snakemake failed for another reason.
    """
    lacking = [
        dataset for dataset in datasets if not (root / paths.prepared_manifest(dataset)).exists()
    ]
    if not lacking:
        return {}
    log.info("obtaining the data of %s, which are not here", ", ".join(lacking))
    start = time.time()
    try:
        manifests = [str(paths.prepared_manifest(dataset)) for dataset in lacking]
        _snakemake(plan, root, cores, "--keep-going", "--", *manifests, mirror=mirror)
        return {}
    except RestoreError:
        said = {
            dataset: reason for dataset in lacking if (reason := _last_error(dataset, root, start))
        }
        if not said:
            raise
        return said


def _last_error(dataset: str, root: Path, since: float) -> str | None:
    """First line of the last error in the logs of a dataset's jobs."""
    for rule in ("prepare", "download"):
        path = root / paths.data_log(rule, dataset)
        try:
            if path.stat().st_mtime < since - 1:
                continue
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        if errors := [line.partition(ERROR)[2] for line in lines if ERROR in line]:
            return errors[-1].removeprefix(f"{dataset}: ").rstrip(":")
    return None


def _damaged(pulled: Pulled, failures: Sequence[Finding]) -> str:
    """A hint at the copies that DVC keeps, where what it brought is not what was written."""
    brought = [
        failure for failure in failures if failure.kind == "altered" and not _in_git(failure.path)
    ]
    if pulled.from_remote is None or not brought:
        return ""
    return (
        f"\n  DVC brought {brought[0].path}: its copy in remote {pulled.from_remote!r} or in the "
        "cache is damaged\n  remedy: see docs/dvc.md, A damaged copy"
    )


def _in_git(path: str) -> bool:
    """Whether a file comes from git, as all but data and artifacts do."""
    return not path.startswith("data/") and path.split("/")[2:3] != ["artifacts"]


def _data(job: Job) -> bool:
    return job.rule in ("download", "prepare")


def _snakemake(
    plan: Plan, root: Path, cores: int, *arguments: str, mirror: str | None = None
) -> str:
    """Run Snakemake on the plan's scale and return what it said."""
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores)]
    command += ["--config", f"scale={plan.scale.name}", *arguments]
    done = call(command, root, **({MIRROR_VARIABLE: mirror} if mirror else {}))
    said = done.stdout + done.stderr
    if done.returncode:
        raise RestoreError(f"snakemake failed (status {done.returncode}):\n{said[-3000:]}")
    return said
