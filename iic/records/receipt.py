"""Receipts: what a job read, did and wrote, on which machine, from which code and settings.

A receipt is the last file that a job writes. Receipts form a chain: each names the digests of its
parents, back to the raw data (docs/audit.md#what-is-checked).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, Field

from iic.params.base import Model
from iic.records.files import Readable, sha256_json
from iic.records.machine import Machine

SHA256 = r"^[0-9a-f]{64}$"
COMMIT = r"^[0-9a-f]{40,64}$"


def _inside(path: str) -> str:
    """Receipts may come from anybody, and what they name is read, hashed and copied."""
    if path.startswith("/") or ".." in path.split("/") or "\0" in path:
        raise ValueError(f"{path!r} leads out of the clone")
    return path


InClone = Annotated[str, AfterValidator(_inside)]
"""Path relative to the root of the clone, and inside it."""


class FileRecord(Model):
    """One file as it was when the job used it."""

    path: InClone
    """Path relative to the root of the clone."""
    sha256: str = Field(pattern=SHA256)
    size: int = Field(ge=0)
    """Bytes."""


class ParentRecord(Model):
    """The receipt of a job whose outputs this job read."""

    path: InClone
    digest: str = Field(pattern=SHA256)
    """`Receipt.digest` of the parent when it was read."""


class Fingerprint(Model):
    """What the result depends on, by part; `value` is the hash of all parts."""

    value: str = Field(pattern=SHA256)
    code: dict[str, str]
    """Qualified name of each definition that the job reaches -> hash of that definition alone, to
    say what has changed; in receipts without `identity`, module -> hash of its code."""
    identity: Annotated[str, Field(pattern=SHA256)] | None = None
    """Hash over all of the job's code, whatever its files are called; null in receipts from before
    code was known by definition, and where no code counts."""
    settings: dict[str, Any]
    """Resolved settings."""
    data: dict[InClone, str]
    """Raw file -> sha256 from the catalogue, and other files read by name."""
    environment: str | None = None
    """Hash of the lock file, only under ``strict_env``."""


class Environment(Model):
    """Software and hardware of the machine that ran the job."""

    lock: str
    """SHA-256 of requirements.lock, or ``absent``."""
    python: str
    packages: dict[str, str]
    """Versions of the packages that can change a number."""
    platform: str
    cpu: str
    """Marketing name: processors of several kinds may share it."""
    cpu_count: int
    threads: int
    memory_bytes: int
    gpu: str | None = None
    cuda: str | None = None
    driver: str | None = None
    machine: Machine | None = None
    """What decides the last bits; null in receipts from before it was recorded."""


class Code(Model):
    """State of the clone's code."""

    commit: Annotated[str, Field(pattern=COMMIT)] | None
    dirty: bool | None
    """True when code, settings or the lock file differed from the commit; None outside a clone."""


class Timing(Model):
    """When the job ran and what it took."""

    start: AwareDatetime
    end: AwareDatetime
    seconds: float
    peak_memory_bytes: int


class Session(Model):
    """One of the processes that a run was trained in; more than one after interruptions."""

    start: AwareDatetime
    end: AwareDatetime
    first_step: int
    last_step: int
    host: str
    device: str
    """Name of the GPU, or ``cpu``."""
    torch: str
    """Version."""
    deterministic: bool


class Acceptance(Model):
    """A person's word that a change of code did not alter this run's numbers."""

    fingerprint: str = Field(pattern=SHA256)
    """Fingerprint of the accepted code, settings and data."""
    because: str = Field(min_length=1)
    changed: list[str]
    """What had changed, as ``iic why`` names it."""
    commit: Annotated[str, Field(pattern=COMMIT)] | None
    at: AwareDatetime
    lock: str | None = None
    """SHA-256 of the lock file that was accepted with it; null in receipts from before."""
    identity: Annotated[str, Field(pattern=SHA256)] | None = None
    """`Fingerprint.identity` of what was accepted."""
    code: dict[str, str] = Field(default_factory=dict)
    """`Fingerprint.code` of what was accepted, in the newest acceptance alone: by it a later change
    is named."""


class Receipt(Model):
    """The receipt of one job."""

    schema_version: Literal[1] = 1
    rule: str
    wildcards: dict[str, str]
    command: list[Readable]
    fingerprint: Fingerprint
    settings_sha256: str = Field(pattern=SHA256)
    inputs: list[FileRecord]
    outputs: list[FileRecord]
    parents: list[ParentRecord]
    code: Code
    environment: Environment
    seed: int | None = None
    precision: str | None = None
    deterministic: bool | None = None
    stand_in: bool = False
    """True when the numbers come from stand-in data and not from what the paper used."""
    timing: Timing
    sessions: list[Session] = Field(default_factory=list)
    trajectory: list[float] = Field(default_factory=list)
    """Mean loss of the sub-heads at each of a training's first 20 optimiser steps, to the last
    bit; empty without steps, and in receipts from before it was kept."""
    outcome: dict[str, Any] = Field(default_factory=dict)
    """What the job found out beyond its files, e.g. the sub-heads' losses at each checkpoint."""
    acceptances: list[Acceptance] = Field(default_factory=list)
    seal: str = ""
    """`digest` at the time of writing: shows an edit of the receipt itself."""

    @property
    def digest(self) -> str:
        """SHA-256 of the receipt without its seal and its acceptances, which may be added later.

        Values that are the default do not count, so that a field which a later version adds leaves
        the digests of older receipts, and with them the chain, as they are.
        """
        content = self.model_dump(
            mode="json", exclude={"acceptances", "seal"}, exclude_defaults=True
        )
        return sha256_json({**content, "schema_version": self.schema_version})

    def sealed(self) -> Receipt:
        """The receipt with its seal set."""
        return self.model_copy(update={"seal": self.digest})
