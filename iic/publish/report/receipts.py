"""A receipt in words: when, where, from what code and with which software a job ran."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from iic.publish.pages.render import duration, moment
from iic.records.files import dump_json
from iic.records.receipt import Environment, Receipt
from iic.records.sizes import size


@dataclass(frozen=True)
class Fact:
    """One line of a description."""

    label: str
    value: str
    mono: bool = False
    """Whether the value is to be read sign by sign, as a hash is."""


def facts(path: Path, receipt: Receipt) -> Iterator[Fact]:
    """What a receipt says, without its files, parents and settings."""
    yield Fact("receipt", str(path))
    yield Fact("digest", receipt.digest, mono=True)
    timing = receipt.timing
    yield Fact(
        "ran",
        f"{moment(timing.start)}, {duration(timing.seconds)}, at most "
        f"{size(timing.peak_memory_bytes)} of memory",
    )
    if receipt.seed is not None:
        yield Fact("seed", str(receipt.seed))
    if receipt.precision is not None:
        drawn = "deterministic" if receipt.deterministic else "not deterministic"
        yield Fact("arithmetic", f"{receipt.precision}, {drawn}")
    yield Fact("commit", commit(receipt), mono=True)
    code = f"{len(receipt.fingerprint.code)} definitions of code, settings, raw data"
    yield Fact("fingerprint", f"{receipt.fingerprint.value} ({code})", mono=True)
    yield Fact("settings hash", receipt.settings_sha256, mono=True)
    yield Fact("machine", machine(receipt))
    yield Fact("software", software(receipt.environment))
    yield Fact("lock file", receipt.environment.lock, mono=True)
    yield Fact("command", " ".join(receipt.command), mono=True)
    if len(receipt.sessions) > 1:
        for session in receipt.sessions:
            yield Fact(
                "session",
                f"steps {session.first_step} to {session.last_step} on {session.host}, "
                f"{moment(session.start)} to {moment(session.end)}",
            )
    for accepted in receipt.acceptances:
        yield Fact(
            "accepted",
            f"across a change of code on {accepted.at:%Y-%m-%d}, because: {accepted.because}",
        )


def settings_text(receipt: Receipt) -> str:
    """The resolved settings as JSON."""
    return dump_json(receipt.fingerprint.settings).rstrip() if receipt.fingerprint.settings else ""


def commit(receipt: Receipt) -> str:
    """The commit that the job ran from."""
    name = receipt.code.commit or "unknown: git did not say it"
    return f"{name}, with uncommitted changes" if receipt.code.dirty else name


def machine(receipt: Receipt) -> str:
    """Hardware that computed, with the driver where there is one."""
    there = receipt.environment
    memory = size(there.memory_bytes)
    processor = f"{there.cpu}, {there.cpu_count} cores, {there.threads} used, {memory}"
    graphics = ", ".join(device for device in devices(receipt) if device != "cpu")
    if not graphics:
        return processor
    versions = [f"CUDA {there.cuda}" if there.cuda else "", there.driver or ""]
    return "; ".join(filter(None, [graphics, *versions, processor]))


def devices(receipt: Receipt) -> list[str]:
    """Devices of a training's sessions, each once; ``cpu`` or the name of a GPU."""
    return list(dict.fromkeys(session.device for session in receipt.sessions)) or ["cpu"]


def software(there: Environment) -> str:
    """Versions of Python and of the packages that can change a number."""
    versions = ", ".join(f"{name} {version}" for name, version in there.packages.items())
    return f"Python {there.python}; {versions}; {there.platform}"
