"""What decides the last bits of a number: processor, libraries and the kernels that they chose.

Two machines of one kind give the same bytes. Floating point depends on the order of additions and
on fused operations, and each library picks both by the processor's instructions, by the number of
threads and by variables of the environment.
"""

from __future__ import annotations

from iic.params.base import Model
from iic.records.files import Readable


class Processor(Model):
    """The processor, as the system describes its first core; null where it does not say."""

    vendor: Readable | None = None
    family: Readable | None = None
    """On ARM the architecture."""
    model: Readable | None = None
    """A number, not the marketing name; on ARM the part."""
    stepping: Readable | None = None
    """On ARM variant and revision."""
    features: tuple[Readable, ...] = ()
    """Instruction sets that libraries choose kernels by, sorted."""


class Library(Model):
    """A library that computes, as it was loaded in the job's process."""

    name: Readable
    """With the package that carries it, since numpy and scipy each bring a BLAS."""
    version: Readable | None = None
    kernel: Readable | None = None
    """Instruction set or family of processors that it chose code for; null where it does not say,
    as MKL does not."""
    threading: Readable | None = None
    """Kind of its threads."""
    threads: int | None = None
    """Its threads by default when the job ended. Methods set their own, which are settings."""


class Machine(Model):
    """One machine as one job saw it."""

    processor: Processor
    usable_processors: int
    """Processors that the job was allowed to run on (affinity)."""
    processor_quota: float | None = None
    """Processors' time that the control group allows; null without a limit."""
    libc: Readable
    """Name and version; its mathematical functions choose kernels by processor, too."""
    libraries: tuple[Library, ...] = ()
    variables: dict[str, Readable] = {}
    """Variables of the environment that change arithmetic, those that were set."""
