"""Predictions computed again from stored weights and prepared data, without a training.

A forger then needs weights that really give these numbers. The method's own ``train`` is called
with an engine that predicts instead of training (`RunContext.engine`), so that networks and
predictions have no second implementation. A method without use for an engine, such as k-means,
simply runs again.

This module loads torch: the audit starts it as a process of its own
(``python -m iic.provenance.audit.inference SCALE RUN SEED ...``), which writes a line of JSON for
each run.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from iic.engine.context import Outcome
from iic.engine.threads import library_threads
from iic.params.errors import IICError
from iic.params.runs import Plan, load_plan
from iic.provenance.audit.contexts import train_with
from iic.provenance.audit.kinds import differences_of_kind
from iic.provenance.audit.stored import StoredWeights
from iic.provenance.environment import environment
from iic.records.assignments import read_assignments
from iic.records.counts import read_counts
from iic.records.files import read_record
from iic.records.maps import read_maps
from iic.records.outcome import TrainOutcome
from iic.records.paths import RunPaths
from iic.records.receipt import Receipt
from iic.records.snapshots import read_probabilities

SHARE = 0.01
"""Of images, or pixels, that another kind of machine may put into another cluster."""
APART = 0.05
"""Mean difference of probabilities between two kinds of machines."""
RELATIVE = 0.02
"""Difference of losses between two kinds of machines."""


@dataclass
class Inferred:
    """What came of one run."""

    run: str
    seed: int
    seconds: float = 0.0
    other_machine: list[str] = field(default_factory=list)
    """What differs between the machine of the results and this one."""
    different: dict[str, str] = field(default_factory=dict)
    """File -> what it does not have that its weights give."""
    error: str | None = None
    """Why nothing could be computed."""
    used: dict[str, torch.Tensor] = field(default_factory=dict)
    """Stored tensors that it came from."""


class Comparison:
    """Numbers of the results against those computed again.

    Args:
        exact: Whether they have to be equal to the last bit.
    """

    def __init__(self, exact: bool) -> None:
        self.exact = exact
        self.different: dict[str, str] = {}

    def clusters(self, path: Path, what: str, then: NDArray[Any], now: NDArray[Any]) -> None:
        """Clusters (n, h), or counts of pixels (n, h, k, classes)."""
        if then.shape != now.shape:
            self._say(path, f"{what} of shape {then.shape}, the weights give {now.shape}")
            return
        apart = np.abs(then.astype(np.int64) - now.astype(np.int64))
        share = float((apart > 0).mean()) if then.ndim == 2 else float(apart.sum() / 2 / then.sum())
        if share > (0 if self.exact else SHARE):
            self._say(path, f"{100 * share:.3g} % of {what} are not what the weights give")

    def probabilities(self, path: Path, then: NDArray[Any], now: NDArray[Any]) -> None:
        """Probabilities of one shape."""
        if then.shape != now.shape:
            self._say(path, f"of shape {then.shape}, the weights give {now.shape}")
            return
        apart = np.abs(then.astype(np.float32) - now.astype(np.float32))
        wrong = apart.max(initial=0) > 0 if self.exact else float(apart.mean()) > APART
        if wrong:
            self._say(path, f"probabilities are up to {apart.max():.3g} from what the weights give")

    def losses(
        self, path: Path, what: str, then: tuple[float, ...] | None, now: tuple[float, ...] | None
    ) -> None:
        """Selection losses of the sub-heads, or none."""
        limit = 1e-12 if self.exact else RELATIVE
        same = (then is None) == (now is None) and len(then or ()) == len(now or ())
        if not same or not np.allclose(then or (), now or (), rtol=limit, atol=limit):
            self._say(path, f"losses of {what} are {then}, the weights give {now}")

    def _say(self, path: Path, message: str) -> None:
        before = self.different.get(str(path))
        self.different[str(path)] = message if before is None else f"{before}; {message}"


def infer(
    plan: Plan, run: str, seed: int, root: Path = Path(), *, excerpt: bool = False
) -> Inferred:
    """Compute again what a run found out, and compare.

    Args:
        plan: The scale's plan.
        run: ``<dataset>/<method>[-<variant>]``.
        seed: Its seed.
        root: Root of the clone; code and settings are those of this process.
        excerpt: Whether from the excerpt of the weights, though the weights are here.
    """
    start, result = time.monotonic(), Inferred(run, seed)
    paths = RunPaths(plan.scale.name, run, seed)
    try:
        receipt = read_record(root / paths.receipt, Receipt)
        outcome = TrainOutcome.model_validate(receipt.outcome, strict=False)
        weights = StoredWeights(paths, outcome, root, excerpt)
        again = train_with(weights, plan, paths, root)
        settings = plan.run(run).settings
        with library_threads(settings.threads):
            now = environment(receipt.environment.threads, root)
        result.other_machine = differences_of_kind(receipt.environment, now)
        if settings.gpu:
            result.other_machine.append("the training ran on a GPU, and this on the CPU")
        comparison = Comparison(exact=not result.other_machine)
        _compare(comparison, paths, outcome, again, root)
        result.different = comparison.different
        result.used = weights.used
    except (IICError, SafetensorError, OSError, RuntimeError, ValueError, KeyError) as error:
        # weights, settings and files may be of anybody's making
        result.error = f"{type(error).__name__}: {' '.join(str(error).split())[:400]}"
    result.seconds = round(time.monotonic() - start, 2)
    return result


def _written(paths: RunPaths, root: Path, of_maps: bool) -> dict[str, NDArray[Any]]:
    """Clusters, or counts of pixels, of each checkpoint as they stand in the results."""
    if of_maps:
        counts = read_counts(root / paths.assignments)
        return {name: of_checkpoint.counts for name, of_checkpoint in counts.items()}
    assignments = read_assignments(root / paths.assignments)
    return {name: of_checkpoint.clusters for name, of_checkpoint in assignments.items()}


def _compare(
    comparison: Comparison, paths: RunPaths, outcome: TrainOutcome, again: Outcome, root: Path
) -> None:
    """What stands in the results, and what came of their weights or of the method itself."""
    of_maps = again.last.clusters.ndim > 2
    written = _written(paths, root, of_maps)
    for name, checkpoint in (("last", again.last), ("best_label", again.best_label)):
        if checkpoint is None:
            continue
        what = f"clusters at {name}"
        comparison.clusters(paths.assignments, what, written[name], checkpoint.clusters)
        losses = outcome.checkpoints[name].losses
        comparison.losses(paths.receipt, name, losses, checkpoint.losses)
    path = root / paths.probabilities
    # whether it should be there is the business of another check
    if again.probabilities is not None and path.exists():
        then = read_maps(path).probabilities if of_maps else read_probabilities(path)
        comparison.probabilities(paths.probabilities, then, again.probabilities.swapaxes(0, 1))


def lines(scale: str, names: list[str]) -> Iterator[str]:
    """A line of JSON for each of some runs.

    Args:
        scale: Name of the scale.
        names: Run and seed in turns.
    """
    plan = load_plan(scale)
    for run, seed in zip(names[::2], names[1::2], strict=True):
        yield json.dumps(asdict(replace(infer(plan, run, int(seed)), used={})))


def main() -> None:
    """What ``python -m`` does."""
    for line in lines(sys.argv[1], sys.argv[2:]):
        print(line, flush=True)
