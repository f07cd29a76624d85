"""Training steps of this project beside the plain formulation, in turns, in one run.

``make bench`` runs it. Ours stands there in float32 and in bfloat16. Each side of each case trains
in a process of its own, so that it has its own peak of memory; the parent lets them work in turns,
a few steps each, so that a busy machine slows all. Every part of a step is counted: transforms with
the images from memory, forward with the loss, backward, optimiser; the evaluation of some images
stands beside. Achieved operations a second are those of the network (`iic.params.operations`),
against a matrix product measured here.

The results go to benchmarks/results/bench.json; with ``--write`` to docs/performance.md, too.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from benchmarks.plain import loss_of_maps
from benchmarks.sides import PARTS, PLAIN, SIDES, work
from benchmarks.trials import iic_settings, operations_of
from iic.objective.segmentation import segmentation_loss
from iic.provenance.machine import described

RESULTS = Path("benchmarks/results/bench.json")
PAGE = Path("docs/performance.md")
CASES = {"MNIST": "mnist/iic", "CIFAR-10": "cifar10/iic"}
"""Name -> run of scale paper."""


def compare(run: str, threads: int, rounds: int, steps: int) -> dict[str, Any]:
    """All sides of a case in turns.

    Returns:
        For each side pairs a second and their ratio to the plain form's (median, smallest, largest
        over the turns), shares of a step, milliseconds of an evaluated image, GFLOP/s, and the peak
        of memory in MiB.
    """
    settings = iic_settings(run)
    pairs = settings.pairs
    start = multiprocessing.get_context("spawn")
    pipes, processes = {}, []
    for side in SIDES:
        pipes[side], theirs = start.Pipe()
        processes.append(start.Process(target=work, args=(side, run, threads, theirs)))
        processes[-1].start()
    rows: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    peaks: dict[str, float] = {}
    for turn in range(rounds + 1):
        for side, pipe in pipes.items():
            pipe.send(steps if turn else 1)
            seconds, peaks[side] = pipe.recv()
            if turn:  # the first turn warms up
                rows[side].append(seconds)
    for pipe in pipes.values():
        pipe.send(None)
    for process in processes:
        process.join()
    rates = {
        side: [steps * pairs.batch_pairs / sum(row[name] for name in PARTS) for row in own]
        for side, own in rows.items()
    }
    operations = operations_of(settings).training
    sides = {}
    for side, own in rows.items():
        total = sum(row[name] for row in own for name in PARTS)
        rate = statistics.median(rates[side])
        # images that go through the network for a pair: the plain form pushes every copy
        seen = 2.0 if side == PLAIN else 1 + 1 / pairs.repeats
        sides[side] = {
            "pairs_per_second": spread(rates[side]),
            "ratio": spread([a / b for a, b in zip(rates[side], rates[PLAIN], strict=True)]),
            "shares": {name: round(sum(row[name] for row in own) / total, 3) for name in PARTS},
            "evaluation_ms": round(
                1e3 * statistics.median(row["evaluation of an image"] for row in own), 3
            ),
            "gflops": round(rate * seen * operations / 1e9, 1),
            "peak_mib": round(peaks[side]),
        }
    return sides


def compare_maps(rounds: int) -> dict[str, Any]:
    """The objective of maps, both forms in turns: forward and backward of 4 maps, k 3, d 10."""
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 3, 128, 128, generator=draw)
    pair = [own.softmax(dim=1).requires_grad_() for own in logits]
    forms: dict[str, Callable[[], torch.Tensor]] = {
        "plain": lambda: loss_of_maps(pair[0], pair[1], 10),
        "ours": lambda: segmentation_loss(pair[0][:, None], pair[1][:, None], None, 10).mean(),
    }
    times: dict[str, list[float]] = {side: [] for side in forms}
    for turn in range(rounds + 1):
        for side, form in forms.items():
            start = time.perf_counter()
            torch.autograd.grad(form(), pair)
            if turn:
                times[side].append(time.perf_counter() - start)
    ratios = [plain / ours for plain, ours in zip(times["plain"], times["ours"], strict=True)]
    return {"seconds": {side: spread(own) for side, own in times.items()}, "ratio": spread(ratios)}


def product(dtype: torch.dtype) -> float:
    """GFLOP/s of a matrix product of 2,048 x 2,048, the best of five."""
    factors = torch.randn(2, 2048, 2048).to(dtype)
    best = float("inf")
    for _ in range(6):
        start = time.perf_counter()
        factors[0] @ factors[1]
        best = min(best, time.perf_counter() - start)
    return round(2 * 2048**3 / best / 1e9, 1)


def spread(values: list[float]) -> list[float]:
    """Median, smallest and largest."""
    return [
        float(f"{value:.4g}") for value in (statistics.median(values), min(values), max(values))
    ]


def processor() -> str:
    """Name, family and model of the processor."""
    said = described()
    keys = ("model name", "cpu family", "model")
    return ", ".join(f"{key} {said.get(key, 'unknown')}" for key in keys)


def table(results: dict[str, Any]) -> list[str]:
    """The results as a Markdown table, with a line on the machine."""
    lines = [
        f"{results['date']}; {results['threads']} threads of {results['processor']}, torch "
        f"{results['torch']}; matrix product {results['product']['bfloat16']} GFLOP/s in bfloat16, "
        f"{results['product']['float32']} in float32. Median of {results['rounds']} turns, the "
        "smallest and the largest in brackets.",
        "",
        "| case | form | pairs/s | ratio | transforms | forward | backward | optimiser | "
        "evaluation, ms an image | GFLOP/s | memory, MiB |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for case, own in results["cases"].items():
        for side, row in own.items():
            shares = " | ".join(f"{100 * row['shares'][name]:.0f} %" for name in PARTS)
            lines.append(
                f"| {case} | {side} | {_bracketed(row['pairs_per_second'])} | "
                f"{_bracketed(row['ratio'])} | {shares} | "
                f"{row['evaluation_ms']} | {row['gflops']} | {row['peak_mib']} |"
            )
    maps = results["maps"]
    plain, ours = (1e3 * maps["seconds"][side][0] for side in ("plain", "ours"))
    lines += [
        "",
        "Objective of maps (4 maps of 128 pixels, k 3, d 10, forward and backward): "
        f"{plain:.0f} ms plain, {ours:.0f} ms ours, ratio {_bracketed(maps['ratio'])}.",
    ]
    return lines


def _bracketed(values: list[float]) -> str:
    median, smallest, largest = (f"{value:.3g}" for value in values)
    return f"{median} ({smallest} to {largest})"


def main() -> None:
    """Measure all cases, and write what they gave."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3, help="of each side in a turn")
    parser.add_argument("--write", action="store_true", help=f"into {PAGE}, too")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    results: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": processor(),
        "system": platform.platform(),
        "torch": torch.__version__,
        "threads": given.threads,
        "rounds": given.rounds,
        "product": {
            "bfloat16": product(torch.bfloat16),
            "float32": product(torch.float32),
        },
        "cases": {
            case: compare(run, given.threads, given.rounds, given.steps)
            for case, run in CASES.items()
        },
        "maps": compare_maps(given.rounds),
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    lines = table(results)
    print("\n".join(lines))
    if given.write:
        before, _, rest = PAGE.read_text().partition("<!-- bench -->")
        _, _, after = rest.partition("<!-- end of bench -->")
        text = "\n".join(["<!-- bench -->", *lines, "<!-- end of bench -->"])
        PAGE.write_text(before + text + after)


if __name__ == "__main__":
    main()
