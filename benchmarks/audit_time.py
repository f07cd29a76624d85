"""Time of the audit: the whole command as a user calls it, and the share of each check.

The issue's bound is 10 s for all of `mini` without re-runs. Each round is a process of its own, so
imports count (torch's among them: a table lists the layers of the networks). On a shared machine
wall time says little: CPU seconds stand beside it.

Run: python benchmarks/audit_time.py [--scale mini] [--rounds 3]
Measured 2026-11-28, 2 cores of an AMD EPYC, 280 receipts, 700 files: 8.0 s; see docs/audit.md.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable

from iic.params.runs import load_plan
from iic.provenance.audit import drift, integrity, orphans, plausibility, schema_check
from iic.provenance.audit.chain import Chain
from iic.provenance.audit.contradictions import Contradictions
from iic.provenance.audit.metrics import Metrics
from iic.provenance.audit.past import Past
from iic.provenance.audit.rebuild import Rebuild
from iic.provenance.audit.report import Finding
from iic.provenance.audit.tree import Tree


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", default="mini")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rounds = [whole(arguments.scale) for _ in range(arguments.rounds)]
    wall, cpu = (statistics.median(one) for one in zip(*rounds, strict=True))
    print(f"iic audit --scale {arguments.scale}, median of {arguments.rounds}:")
    print(f"  {wall:6.2f} s wall, {cpu:6.2f} s CPU")
    print("within one process, CPU seconds of the first audit:")
    for name, seconds in parts(arguments.scale).items():
        print(f"  {seconds:6.2f} s {name}")


def whole(scale: str) -> tuple[float, float]:
    """Wall and CPU seconds of one command; it must not fail."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    command = [sys.executable, "-m", "iic", "audit", "--scale", scale, "--allow-drift"]
    subprocess.run(command, check=True, capture_output=True)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def parts(scale: str) -> dict[str, float]:
    """CPU seconds of each check, in the order in which the audit makes them."""
    tree = Tree(load_plan(scale))
    checks: dict[str, Callable[[], Iterable[Finding]]] = {
        "receipts and hashes of files": lambda: integrity.check(tree),
        "chain": Chain(tree).check,
        "evaluations from assignments": Metrics(tree).check,
        "tables rebuilt": Rebuild(tree).check,
        "orphans": lambda: orphans.check(tree),
        "schemas of records": lambda: schema_check.check(tree),
        "drift of code and settings": lambda: drift.stale(tree),
        "drift of software": lambda: drift.environment(tree),
        "contradictions": Contradictions(tree).check,
        "plausibility": lambda: plausibility.check(tree),
        "history": Past(tree).check,
    }
    seconds = {}
    for name, check in checks.items():
        start = time.process_time()
        list(check())
        seconds[name] = time.process_time() - start
    return seconds


if __name__ == "__main__":
    main()
