"""The clone as the audit reads it: every receipt once, every file hashed once."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from iic.params.runs import Plan
from iic.provenance import fingerprint
from iic.provenance.absent import lost_artifacts
from iic.provenance.changes import Change, acceptance_of, changes, changes_since
from iic.provenance.code import roots
from iic.provenance.jobs import Job, all_jobs
from iic.records.files import sha256_file
from iic.records.links import Receipts
from iic.records.receipt import Acceptance, Fingerprint, Receipt


class Tree:
    """A clone with the results of one scale.

    Args:
        plan: What the scale holds.
        root: Root of the clone.
        source: Folder with the code that the results are said to be of, if that is not the code
            which runs.
    """

    def __init__(self, plan: Plan, root: Path = Path(), source: Path | None = None) -> None:
        self.plan = plan
        self.root = root
        self.source = source
        self.jobs = list(all_jobs(plan))
        self.receipts = Receipts(root)
        self._hashes: dict[str, str | None] = {}
        self._current: dict[str, Fingerprint] = {}

    @property
    def scale(self) -> str:
        """Name of the scale."""
        return self.plan.scale.name

    @cached_property
    def present(self) -> list[tuple[Job, Receipt]]:
        """Jobs of the plan with a readable receipt."""
        receipts = ((job, self.receipt(str(job.receipt))) for job in self.jobs)
        return [(job, receipt) for job, receipt in receipts if receipt is not None]

    @cached_property
    def wrote(self) -> dict[str, str]:
        """Content, by hash, that a receipt of this scale vouches for -> its path."""
        return {
            output.sha256: output.path for _, receipt in self.present for output in receipt.outputs
        }

    @property
    def damaged(self) -> dict[str, str]:
        """Receipt -> what is wrong with it."""
        return self.receipts.damaged

    def receipt(self, path: str) -> Receipt | None:
        """The receipt at `path`; None where it is absent or, see `damaged`, unreadable."""
        return self.receipts.receipt(path)

    def digest(self, path: str) -> str:
        """Digest of the receipt at `path`, which has to be there."""
        return self.receipts.digest(path)

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        return (self.root / path).exists()

    def sha256(self, path: str) -> str | None:
        """Hash of a file's content; None where it is absent or cannot be read."""
        if path not in self._hashes:
            try:
                self._hashes[path] = sha256_file(self.root / path)
            except OSError:
                self._hashes[path] = None
        return self._hashes[path]

    @property
    def hashed(self) -> int:
        """Number of files whose content was read."""
        return sum(digest is not None for digest in self._hashes.values())

    def restorable(self, path: str) -> bool:
        """Whether the file is kept outside git, so that its absence says nothing.

        Data can be downloaded or prepared again, artifacts are versioned by DVC; their hashes stay
        known from the receipts that stand in git.
        """
        return path.startswith(("data/", f"results/{self.scale}/artifacts/"))

    def cost(self, job: Job) -> str:
        """What doing `job` again costs beyond itself: trainings whose artifacts are not here."""
        return " and ".join(lost_artifacts(self.plan, job, self.receipts))

    def current(self, job: Job) -> Fingerprint:
        """The fingerprint of `job` with the code and settings as they are now."""
        if job.name not in self._current:
            with roots.code_in(self.source):
                self._current[job.name] = fingerprint.fingerprint(job)
        return self._current[job.name]

    def differs(self, job: Job, receipt: Receipt) -> bool:
        """Whether code or settings are others than those of the job; so may be what they give."""
        if self.drift(job, receipt)[0]:
            return True
        return self.source is not None and bool(
            changes(self.current(job), fingerprint.fingerprint(job))
        )

    def drift(self, job: Job, receipt: Receipt) -> tuple[list[Change], Acceptance | None]:
        """What changed since the job ran, and the receipt's acceptance of it, proper or not."""
        # a receipt of a strict environment is compared without that part: versions are looked
        # at on their own
        before = receipt.fingerprint.model_copy(update={"environment": None})
        try:
            now = self.current(job)
        except fingerprint.CodeError as error:
            return [Change("code", str(error), None, None)], None
        different = changes(before, now)
        acceptance = acceptance_of(receipt, now) if different else None
        if acceptance is None and different:
            # for the reader: since it was last accepted, and no less than nothing
            plain = receipt.model_copy(update={"fingerprint": before})
            different = changes_since(plain, now) or different
        return different, acceptance
