"""What each training took, and on which hardware."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from iic.params.runs import Plan
from iic.publish.pages.render import duration
from iic.publish.report.chains import Chains, chain_id
from iic.publish.report.receipts import devices
from iic.records.history import read_history
from iic.records.receipt import Receipt
from iic.records.sizes import size


@dataclass(frozen=True)
class TimingView:
    """One training."""

    run: str
    seed: int
    stand_in: bool
    seconds: float
    epochs: str
    rate: str
    """Pairs, or whatever the method trains on, in a second; median over epochs."""
    memory: str
    hardware: str
    precision: str
    day: str
    chain: tuple[str, ...]


@dataclass(frozen=True)
class Timings:
    """All trainings of a scale."""

    rows: tuple[TimingView, ...]

    @property
    def total(self) -> str:
        """Time of all trainings, one after the other."""
        return duration(sum(row.seconds for row in self.rows))

    @property
    def hardware(self) -> list[str]:
        """Each kind of machine once."""
        return list(dict.fromkeys(row.hardware for row in self.rows))


def timings(plan: Plan, chains: Chains) -> Timings:
    """Read off receipts and histories.

    Raises:
        RecordError: A history is damaged.
    """
    rows = []
    for paths, receipt in chains.trainings():
        history = chains.root / paths.history
        entries = read_history(history) if history.exists() else []
        rates = [epoch["pairs_per_second"] for epoch in entries if epoch.get("pairs_per_second")]
        last = max((int(epoch["epoch"]) for epoch in entries), default=0)
        rows.append(
            TimingView(
                paths.run,
                paths.seed,
                plan.datasets[paths.run.split("/")[0]].stand_in,
                _seconds(receipt),
                f"{last:,}" if last else "",
                f"{median(rates):,.0f}" if rates else "",
                size(receipt.timing.peak_memory_bytes),
                _hardware(receipt),
                receipt.precision or "",
                f"{receipt.timing.end:%Y-%m-%d}",
                (chain_id(paths.run, paths.seed),),
            )
        )
    return Timings(tuple(rows))


def _seconds(receipt: Receipt) -> float:
    """Time of all processes that the run was trained in, not only of the last."""
    earlier: Sequence[float] = [
        (session.end - session.start).total_seconds() for session in receipt.sessions[:-1]
    ]
    return receipt.timing.seconds + sum(earlier)


def _hardware(receipt: Receipt) -> str:
    there = receipt.environment
    graphics = [device for device in devices(receipt) if device != "cpu"]
    if graphics:
        return ", ".join(graphics)
    threads = "1 thread" if there.threads == 1 else f"{there.threads} threads"
    return f"{there.cpu}, {threads}"
