"""Which jobs are due again: receipts decide, while the workflow is planned.

Snakemake goes by the times of files and by what it remembers of its jobs. Neither comes with a
clone, both go when ``.snakemake`` is deleted, and what it remembers may be of other results than
those that git has put in their place since. A receipt says of which code, settings, data and
parents a result is. So the workflow asks here about each job that it plans, and forces those that
are due.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from iic.params.errors import IICError
from iic.params.runs import Plan
from iic.provenance import graph, jobs
from iic.provenance.absent import lost_artifacts
from iic.provenance.audit.report import AuditReport
from iic.provenance.fingerprint import fingerprint
from iic.provenance.jobs import Job
from iic.provenance.why import Answer, why
from iic.records import paths
from iic.records.files import RecordError, read_record
from iic.records.links import Receipts

STAMP = ".snakemake_timestamp"
"""The file in a folder whose time Snakemake takes for the folder's."""


ALTERED = ("damaged", "outputs altered")


class NotAsWritten(IICError):
    """A result is not what its receipt says, so that nobody can tell whether it stands."""


class Judge:
    """What the receipts of a scale say of its jobs; each is read once.

    Args:
        plan: What the scale holds.
        root: Root of the clone.
    """

    def __init__(self, plan: Plan, root: Path = Path()) -> None:
        self._plan = plan
        self._root = root
        self._receipts = Receipts(root)
        self._answers: dict[Path, Answer] = {}
        self._settled: dict[Path, bool] = {}
        self._ordered: set[Path] = set()

    def check(self, targets: Iterable[Job]) -> None:
        """Check that what `targets` stand on is what the receipts say, large files by size alone.

        Raises:
            NotAsWritten: A receipt is damaged, or a file is another than its receipt says.
        """
        for job in graph.lineage(self._plan, targets):
            answer = self._answer(job)
            if answer.status in ALTERED:
                raise NotAsWritten(
                    f"{answer.reasons[0]}: nothing is planned with it\n"
                    "  remedy: take it from git or DVC again (git checkout, iic restore); or delete"
                    f" {job.receipt}, and the same command makes it anew"
                )

    def due(self, job: Job) -> str | None:
        """Why `job` is to be done again, in one line.

        Returns:
            None where its result stands, artifacts or not, and where it has none.
        """
        answer = self._answer(job)
        if _of_data(job) and self._lacks_receipt(job):
            return f"{answer.reasons[0]}, though {job.outputs[0]} is there"
        if _stands(answer) or answer.status == "never run":
            return None
        more = len(answer.reasons) - 1
        cost = "".join(f"; it needs {artifacts}" for artifacts in self._lost(job))
        return answer.reasons[0] + (f", and {more} more" if more else "") + cost

    def unmoved_by(self, job: Job) -> list[Path]:
        """Inputs of a figure that are no reason to draw it, though a job of today writes them anew.

        Where its artifacts are not here, it costs a training. So scores that are made again first
        have to come out as others.
        """
        if job.rule != "draw" or not self._lost(job) or not _stands(self._answer(job)):
            return []
        scored = [edge for edge in graph.edges(self._plan, job) if edge.parent.rule == "evaluate"]
        return [path for edge in scored for path in (edge.parent.receipt, *edge.files)]

    def unvouched(self, job: Job) -> list[Path]:
        """Manifests of data below `job` that lie here without their receipts.

        They are obtained again, which is no reason to do again what stands on them. A job that may
        run waits for them as for other inputs, so here it has none.
        """
        if not (self._answer(job).fresh if _of_data(job) else self.apart_from_data(job)):
            return []
        data = filter(_of_data, graph.lineage(self._plan, graph.parents(self._plan, job)))
        return [above.outputs[0] for above in data if self._lacks_receipt(above)]

    def _lacks_receipt(self, job: Job) -> bool:
        return self._answer(job).status == "never run" and (self._root / job.outputs[0]).exists()

    def _lost(self, job: Job) -> list[str]:
        return lost_artifacts(self._plan, job, self._receipts)

    def settled(self, job: Job) -> bool:
        """Whether the result of `job` stands, and all that it was made from.

        Data that are not here are no reason to make anew what was made from them.
        """
        if job.receipt not in self._settled:
            answer = self._answer(job)
            stands = _stands(answer) or (_of_data(job) and answer.status == "never run")
            self._settled[job.receipt] = stands and all(map(self.settled, self._above(job)))
        return self._settled[job.receipt]

    def apart_from_data(self, job: Job) -> bool:
        """Whether `job` stays as it is even where its data are obtained again for another job.

        Not so where its artifacts are not here and a job that is to run may need them.
        """
        if _of_data(job) or not self.settled(job):
            return False
        lacking = any(not (self._root / path).exists() for path in map(graph.as_made, job.outputs))
        return not lacking or all(map(self.settled, self._readers.get(job.receipt, [])))

    @cached_property
    def _readers(self) -> dict[Path, list[Job]]:
        """Receipt of a training -> the jobs that read its artifacts."""
        readers: dict[Path, list[Job]] = {}
        for job in jobs.all_jobs(self._plan):
            for edge in graph.edges(self._plan, job):
                if any(graph.as_made(path) != path for path in edge.files):
                    readers.setdefault(edge.parent.receipt, []).append(job)
        return readers

    def put_in_order(self, job: Job) -> None:
        """Give the files of a settled job times after those of what it was made from.

        A checkout writes files in any order, and Snakemake takes an input that is newer for a
        change. Whoever may not write here keeps the times that there are.
        """
        if job.receipt in self._ordered:
            return
        self._ordered.add(job.receipt)
        for above in self._above(job):
            self.put_in_order(above)
        read = filter(
            None, (_time(self._root / path) for path in graph.small_inputs(self._plan, job))
        )
        newest = max(read, default=0)
        for path in dict.fromkeys(map(graph.as_made, (job.receipt, *job.outputs))):
            made = _time(self._root / path)
            if made is not None and made < newest:
                _set_time(self._root / path, newest)

    def _answer(self, job: Job) -> Answer:
        if job.receipt not in self._answers:
            self._answers[job.receipt] = (
                self._audit(job)
                if job.rule == "audit"
                else why(job, self._root, receipts=self._receipts, large=False)
            )
        return self._answers[job.receipt]

    def _above(self, job: Job) -> list[Job]:
        if job.rule == "audit":
            return list(jobs.displays(self._plan))
        audit = [jobs.audit(self._plan.scale.name)] if job.rule == "report" else []
        unmoved = self.unmoved_by(job)
        above = graph.parents(self._plan, job)
        return [*(parent for parent in above if parent.receipt not in unmoved), *audit]

    def _audit(self, job: Job) -> Answer:
        """The state of the last audit, which has no receipt."""
        if not all((self._root / path).exists() for path in (job.receipt, *job.outputs)):
            return Answer(job, "never run")
        try:
            report = read_record(self._root / job.receipt, AuditReport)
        except RecordError as error:
            return Answer(job, "changed", (str(error),))
        if report.fingerprint not in (None, fingerprint(job).value):
            return Answer(job, "changed", ("its code or what it judges changed",))
        # data obtained again have later receipts for the same bytes
        late = []
        for judged in jobs.all_jobs(self._plan):
            receipt = None if _of_data(judged) else self._receipts.receipt(str(judged.receipt))
            if receipt is not None and receipt.timing.end > report.at:
                late.append(judged.name)
        if late:
            return Answer(job, "parents changed", (f"{job.receipt} is older than {late[0]}",))
        return Answer(job, "up to date")


def _stands(answer: Answer) -> bool:
    """Whether a result counts as it is.

    Artifacts and data may be missing: Snakemake has them made where a job that runs needs them.
    Code that is no valid Python is no reason to delete what it has made.
    """
    large = ("data/", f"{paths.RESULTS}/{answer.job.wildcards.get('scale')}/artifacts/")
    missing = answer.status == "outputs missing"
    return (
        answer.fresh
        or answer.status == "code unreadable"
        or (missing and all(reason.startswith(large) for reason in answer.reasons))
    )


def _of_data(job: Job) -> bool:
    return job.rule in ("download", "prepare")


def _time(path: Path) -> int | None:
    """When a file was written, or a folder as Snakemake has it, in ns; None where it is absent."""
    try:
        stamp = path / STAMP
        return (stamp if path.is_dir() and stamp.exists() else path).stat().st_mtime_ns
    except OSError:
        return None


def _set_time(path: Path, moment: int) -> None:
    for file in (path / STAMP, path):
        with contextlib.suppress(OSError):
            os.utime(file, ns=(moment, moment))
