"""``iic restore``: make a fresh clone know that its results are done.

git and DVC bring files back with the time of the checkout, in any order, and what Snakemake
remembers of its jobs is in neither. Left alone, it would run everything again. So: pull, verify
every receipt, and only then tell Snakemake that what verified is up to date.
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
from iic.provenance import graph
from iic.provenance.absent import Absence, absent
from iic.provenance.audit.report import AuditReport, Finding
from iic.provenance.audit.run import verify
from iic.provenance.jobs import Job, all_jobs
from iic.provenance.jobs import report as last_page
from iic.provenance.remote import Pulled, RestoreError, call, pull
from iic.provenance.snakemake_lock import refuse_while_busy
from iic.provenance.why import Answer, why
from iic.records import paths
from iic.records.files import RecordError, read_record
from iic.records.receipt import Receipt

log = logging.getLogger(__name__)

DONE = "Nothing to be done"
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
    """Bring back what DVC has, verify it, and mark it as done.

    Data that DVC does not have are obtained again by the workflow, as they would be for any job.
    Where they cannot be had, what is here is verified and marked all the same.

    Args:
        plan: What the scale holds.
        root: Root of the clone.
        cores: Given to Snakemake.
        remote: Name of the DVC remote; the default one when None.
        from_dvc: Whether to pull at all; else only what is here is verified.
        mirror: Folder or URL that is asked first for data.

    Raises:
        Busy: A Snakemake holds the clone.
        RestoreError: There are no results; DVC or Snakemake failed; a file is not what its
            receipt says; or Snakemake would still run a job that verified.
    """
    refuse_while_busy(root, "restore marks nothing as done")
    pulled = pull(plan, root, remote) if from_dvc else Pulled(None, "--no-pull was given")
    present = [job for job in all_jobs(plan) if (root / job.receipt).exists()]
    # data alone are worth restoring where they were pulled: those that lie here anyway are not
    found = present if pulled.from_remote else [job for job in present if not _data(job)]
    if not found:
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
        listed = "\n".join(f"  {one.path}: {one.message}" for one in failures[:10])
        more = f"\n  and {len(failures) - 10} more" if len(failures) > 10 else ""
        raise RestoreError(
            f"nothing is marked as done, since {len(failures)} checks failed:\n{listed}{more}\n"
            f"  see: iic audit --scale {plan.scale.name}{_damaged(pulled, failures)}"
        )
    answers = [why(job, root) for job in all_jobs(plan)]
    left = [answer for answer in answers if not answer.fresh]
    marked = sound(plan, answers)
    targets = [str(job.receipt) for job in marked if (root / job.receipt).exists()]
    names = {job.name for job in marked}
    if above := [one.job.name for one in answers if one.fresh and one.job.name not in names]:
        listed = ", ".join(above[:4]) + (", ..." if len(above) > 4 else "")
        log.warning(
            "%d done jobs depend on jobs that are left, and run after them: %s", len(above), listed
        )
    if not left and audited(plan, root):
        targets.append(str(paths.audit_report(plan.scale.name)))
        page = last_page(plan.scale.name)
        if why(page, root).fresh:
            targets.append(str(page.receipt))
    if targets:
        # every job, also those whose files happen to have times in the right order: Snakemake
        # sees a later change of a fingerprint only where it remembers the earlier one
        _snakemake(plan, root, cores, "--touch", "--forceall", "--", *targets)
        said = _snakemake(plan, root, cores, "--dry-run", "--", *targets)
        if DONE not in said:
            raise RestoreError(f"Snakemake would run jobs that verified:\n{said[-3000:]}")
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
    lacking = [one for one in datasets if not (root / paths.prepared_manifest(one)).exists()]
    if not lacking:
        return {}
    log.info("obtaining the data of %s, which are not here", ", ".join(lacking))
    start = time.time()
    try:
        manifests = [str(paths.prepared_manifest(dataset)) for dataset in lacking]
        _snakemake(plan, root, cores, "--keep-going", "--", *manifests, mirror=mirror)
        return {}
    except RestoreError:
        said = {one: reason for one in lacking if (reason := _last_error(one, root, start))}
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


def audited(plan: Plan, root: Path) -> bool:
    """Whether the audit that lies here can be read and is of these results, not of earlier ones.

    Data count by their content, which their receipts vouch for: where they were obtained again, the
    receipts are later than any audit that git brought.
    """
    report, page = (of(plan.scale.name) for of in (paths.audit_report, paths.audit_page))
    if not all((root / path).exists() for path in (report, page)):
        return False
    try:
        at = read_record(root / report, AuditReport).at.timestamp()
        made = {
            job.name: read_record(root / job.receipt, Receipt).timing.end.timestamp()
            for job in all_jobs(plan)
            if not _data(job)
        }
    except RecordError as error:
        log.warning("%s; the audit will run again", error)
        return False
    if late := [name for name, end in made.items() if end > at]:
        log.warning("%s is older than %s, and will run again", report, late[0])
    return not late


def _damaged(pulled: Pulled, failures: Sequence[Finding]) -> str:
    """A hint at the copies that DVC keeps, where what it brought is not what was written."""
    brought = [one for one in failures if one.kind == "altered" and not _in_git(one.path)]
    if pulled.from_remote is None or not brought:
        return ""
    return (
        f"\n  DVC brought {brought[0].path}: its copy in remote {pulled.from_remote!r} or in the "
        "cache is damaged\n  remedy: see docs/dvc.md, A damaged copy"
    )


def _in_git(path: str) -> bool:
    """Whether a file comes from git, as all but data and artifacts do."""
    return not path.startswith("data/") and path.split("/")[2:3] != ["artifacts"]


def sound(plan: Plan, answers: Sequence[Answer]) -> list[Job]:
    """The jobs that can be marked as done: themselves fresh, and all that they stand on.

    Artifacts may be missing, since tables need none; a figure needs those that it is drawn from,
    and a training those of the run that it starts from: Snakemake would make them again for it.
    Data may be missing where they cannot be had: results stand without them.
    """
    by_name = {answer.job.name: answer for answer in answers}
    good: dict[str, bool] = {}
    for answer in answers:  # in the order in which they run: parents come first
        job = answer.job
        above = [by_name[name] for name in _needed(plan, job)]
        enough = answer.fresh or (job.rule == "train" and _lacks_artifacts(plan, answer))
        # data that are not here are no reason to make anew what was made from them
        enough = enough or (_data(job) and answer.status == "never run")
        if job.rule == "train" or _drawn_from_artifacts(plan, job):
            enough = enough and all(one.fresh for one in above if one.job.rule == "train")
        good[job.name] = enough and all(good[one.job.name] for one in above)
    return [answer.job for answer in answers if good[answer.job.name]]


def _drawn_from_artifacts(plan: Plan, job: Job) -> bool:
    return job.rule == "draw" and plan.figures[job.wildcards["name"]].reads_artifacts


def _data(job: Job) -> bool:
    return job.rule in ("download", "prepare")


def _lacks_artifacts(plan: Plan, answer: Answer) -> bool:
    folder = f"{paths.RESULTS / plan.scale.name / 'artifacts'}/"
    return answer.status == "outputs missing" and all(
        reason.startswith(folder) for reason in answer.reasons
    )


def _needed(plan: Plan, job: Job) -> list[str]:
    """Names of the jobs whose results Snakemake gives to `job`."""
    together = graph.batch(plan, job)
    return list(dict.fromkeys(one.name for each in together for one in graph.parents(plan, each)))


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
