"""Numbers of the fast recipe that docs quote, from the results of scale laptop."""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np

from iic.params.runs import PARAMS, Run, load_plan
from iic.publish.confusions import Errors, hardest
from iic.records.assignments import read_assignments
from iic.records.evaluation import Evaluation
from iic.records.files import read_record
from iic.records.paths import RunPaths
from iic.records.receipt import Receipt

REFERENCE = "laptop"
UPPER = 95
"""Percent that tells the sub-heads of the upper heap from all others."""
EXCEPTIONAL = 98
"""Percent that no sub-head reaches that takes the barred sevens for another digit."""


def fast(root: Path) -> str:
    """Sub-heads of the fast recipe at scale laptop, seed by seed."""
    run = load_plan(REFERENCE, root / PARAMS).run("mnist/iic-fast")
    lines, shares, picked = [], [], []
    for seed in measured_seeds(run, root):
        paths = RunPaths(REFERENCE, run.id, seed)
        evaluation = read_record(root / paths.evaluation, Evaluation)
        accuracies = [scores.acc or 0.0 for scores in evaluation.checkpoints["last"].sub_heads]
        selection = evaluation.selections["label_free"]
        assert selection is not None
        assert selection.acc is not None
        above = sum(accuracy > UPPER for accuracy in accuracies)
        shares.append(100 * above / len(accuracies))
        picked.append(selection.acc)
        minutes = read_record(root / paths.receipt, Receipt).timing.seconds / 60
        lines.append(
            f"| {seed} | **{selection.acc:.2f}** | {max(accuracies):.2f} | "
            f"{statistics.fmean(accuracies):.2f} | {above} of {len(accuracies)} | {minutes:.0f} |"
        )
    return "\n".join(
        [
            "| seed | sub-head of lowest loss | best by labels | mean over sub-heads | "
            f"sub-heads above {UPPER} % | minutes |",
            "|---:|---:|---:|---:|---:|---:|",
            *lines,
            "",
            f"Accuracy in percent, n = {len(lines)} seeds. By lowest loss, without labels: "
            f"{_mean(picked)}; above {UPPER} % in {sum(each > UPPER for each in picked)} of "
            f"{len(picked)}. Share of sub-heads above {UPPER} %: {_mean(shares)} (mean ± standard "
            "deviation over seeds). Minutes are of one thread, beside other work.",
        ]
    )


def errors(root: Path) -> str:
    """What the sub-head of lowest loss takes for something else, training by training."""
    plan = load_plan(REFERENCE, root / PARAMS)
    trainings = [
        (run, seed, _errors(RunPaths(REFERENCE, run.id, seed), root))
        for run in (plan.run("mnist/iic"), plan.run("mnist/iic-fast"))
        for seed in measured_seeds(run, root)
    ]
    hard = hardest([own for _, _, own in trainings])
    names = plan.datasets["mnist"].classes
    lines, parts, without = [], [], []
    for run, seed, own in trainings:
        (label, given), count = own.confusions()[0]
        of_hard = own.labels == hard
        parts.append(100 * float((own.wrong & of_hard).sum() / own.wrong.sum()))
        without.append(100 * (1 - float((own.wrong & ~of_hard).sum() / len(own.wrong))))
        lines.append(
            f"| `{run.id.split('/')[1]}` | {seed} | {own.accuracy:.2f} | {own.wrong.sum():,} | "
            f"{names[label]} for {names[given]}: {count:,} | {parts[-1]:.0f} % | "
            f"{without[-1]:.2f} |"
        )
    assert hard is not None
    digit = names[hard]
    return "\n".join(
        [
            f"| recipe | seed | accuracy | errors | largest confusion | errors on a {digit} | "
            f"accuracy if no {digit} were wrong |",
            "|---|---:|---:|---:|---|---:|---:|",
            *lines,
            "",
            f"MNIST, 70,000 images, sub-head of lowest loss, n = {len(lines)} trainings. Errors on "
            f"a {digit}: {_mean(parts)} of all; without them the accuracy would be "
            f"{_mean(without)} (mean ± standard deviation over trainings).",
            "",
            _exceptions([RunPaths(REFERENCE, run.id, seed) for run, seed, _ in trainings], root),
        ]
    )


def _exceptions(trainings: list[RunPaths], root: Path) -> str:
    """Sub-heads that do better than the objective asks for, and what their losses are."""
    upper, said = 0, []
    for paths in trainings:
        heads = read_record(root / paths.evaluation, Evaluation).checkpoints["last"].sub_heads
        lowest = min(scores.loss or 0.0 for scores in heads)
        accuracies = [scores.acc or 0.0 for scores in heads]
        upper += sum(accuracy > UPPER for accuracy in accuracies)
        said += [
            f"`{paths.run.split('/')[1]}`, seed {paths.seed}: {scores.acc:.2f} % at a loss of "
            f"{scores.loss:.4f}, where the lowest loss of its training is {lowest:.4f}"
            for scores in heads
            if (scores.acc or 0.0) > EXCEPTIONAL
        ]
    return (
        f"Of their {upper} sub-heads above {UPPER} %, {len(said)} above {EXCEPTIONAL} %"
        + "".join(f"; {line}" for line in said)
        + "."
    )


def _errors(paths: RunPaths, root: Path) -> Errors:
    evaluation = read_record(root / paths.evaluation, Evaluation)
    selection = evaluation.selections["label_free"]
    assert selection is not None
    assert selection.sub_head is not None
    mapping = np.array(evaluation.checkpoints["last"].sub_heads[selection.sub_head].mapping)
    last = read_assignments(root / paths.assignments)["last"]
    assert last.labels is not None
    return Errors(last.labels, mapping[last.clusters[:, selection.sub_head]])


def _mean(values: list[float]) -> str:
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.2f}{spread} %"


def measured_seeds(run: Run, root: Path) -> list[int]:
    """Seeds that have a receipt; others may be declared."""
    receipts = {seed: RunPaths(run.scale, run.id, seed).receipt for seed in run.seeds}
    return [seed for seed, receipt in receipts.items() if (root / receipt).exists()]
