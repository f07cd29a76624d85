"""Writes the part of a run's weights that its predictions come from (``iic export excerpt``).

This module loads torch.
"""

from __future__ import annotations

from pathlib import Path

from iic.params.errors import IICError
from iic.params.runs import Plan
from iic.provenance.audit.inference import Inferred, infer
from iic.records.excerpt import Excerpt, write_excerpt
from iic.records.files import sha256_file
from iic.records.paths import RunPaths


class ExcerptError(IICError):
    """No part of the weights gives what stands in the results."""


def take_excerpt(plan: Plan, run: str, seed: int, root: Path = Path()) -> Path:
    """Write the excerpt of a finished run, and see that it gives the run's numbers.

    Args:
        plan: The scale's plan.
        run: ``<dataset>/<method>[-<variant>]``.
        seed: Its seed.
        root: Root of the clone, which has the run's weights and prepared data.

    Returns:
        The excerpt, relative to `root`.

    Raises:
        ExcerptError: The weights are not here, or do not give what stands in the results.
        RecordError: The file cannot be written.
    """
    paths = RunPaths(plan.scale.name, run, seed)
    weights = root / paths.weights
    if not weights.is_file():
        raise ExcerptError(
            f"{paths.weights}: not here, so nothing can be taken out of it\n"
            f"  remedy: iic restore --scale {plan.scale.name}"
        )
    whole = _equal(infer(plan, run, seed, root), paths.weights)
    tensors = {name: tensor.numpy() for name, tensor in whole.used.items()}
    write_excerpt(root / paths.excerpt, Excerpt(sha256_file(weights), tensors))
    try:
        _equal(infer(plan, run, seed, root, excerpt=True), paths.excerpt)
    except ExcerptError:
        (root / paths.excerpt).unlink()
        raise
    return paths.excerpt


def _equal(result: Inferred, path: Path) -> Inferred:
    wrong = result.error or "; ".join(result.different.values())
    if not wrong and not result.used:
        wrong = "the run has taken no step, so its seed gives all of it"
    if wrong:
        raise ExcerptError(
            f"{path}: no excerpt of these weights: {wrong}\n"
            "  remedy: leave this run without one; iic audit --infer looks at its results"
        )
    return result
