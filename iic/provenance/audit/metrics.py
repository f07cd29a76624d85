"""Does each ``evaluation.json`` follow from the assignments beside it?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from iic.evaluate.matching import EvaluationError
from iic.evaluate.run import evaluate_run
from iic.provenance.audit.report import Finding
from iic.provenance.audit.tree import Tree
from iic.records.evaluation import Evaluation
from iic.records.files import RecordError, read_record
from iic.records.paths import RunPaths

TOLERANCE = 1e-9
"""Relative: another processor may differ in the last bits of a mean, never in a count."""


class Metrics:
    """Recomputes every evaluation of a tree."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.recomputed = 0

    def check(self) -> Iterator[Finding]:
        """Evaluations that are not what their assignments give."""
        for job, receipt in self.tree.present:
            if job.rule != "evaluate":
                continue
            names = job.wildcards
            run = RunPaths(names["scale"], names["run"], int(names["seed"]))
            path = str(run.evaluation)
            if not all(self.tree.exists(str(file)) for file in (run.evaluation, run.assignments)):
                continue  # said by the check of integrity
            try:
                written = read_record(self.tree.root / path, Evaluation)
            except RecordError as error:
                yield Finding(level="failure", kind="schema", path=path, message=str(error))
                continue
            changed = self.tree.differs(job, receipt)
            try:
                chosen = self.tree.plan.run(names["run"])
                dataset = self.tree.plan.datasets[chosen.dataset]
                again = evaluate_run(run, chosen.settings.evaluation, dataset, self.tree.root)
            except (RecordError, EvaluationError) as error:
                yield Finding(
                    level="failure",
                    kind="metrics",
                    path=path,
                    message=f"cannot be recomputed from the assignments: {error}",
                )
                continue
            self.recomputed += 1
            different = list(
                differences(written.model_dump(mode="json"), again.model_dump(mode="json"))
            )
            if different:
                more = f", and {len(different) - 3} more" if len(different) > 3 else ""
                stale = " (its code has changed since: see stale)" if changed else ""
                yield Finding(
                    level="drift" if changed else "failure",
                    kind="metrics",
                    path=path,
                    message=f"is not what the assignments give: {'; '.join(different[:3])}{more}"
                    + stale,
                    remedy=f"delete it and run: iic run --scale {self.tree.scale} {path}",
                )


def differences(written: Any, again: Any, location: str = "") -> Iterator[str]:
    """Where two JSON values differ by more than the last bits of a float.

    Yields:
        ``<dotted place>: <written> written, <again> recomputed``.
    """
    if isinstance(written, Mapping) and isinstance(again, Mapping):
        for key in dict.fromkeys((*written, *again)):
            inner = f"{location}.{key}" if location else str(key)
            yield from differences(written.get(key), again.get(key), inner)
    elif isinstance(written, list) and isinstance(again, list) and len(written) == len(again):
        for index, (old, other) in enumerate(zip(written, again, strict=True)):
            yield from differences(old, other, f"{location}.{index}")
    elif _number(written) and _number(again):
        if not math.isclose(written, again, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            yield f"{location}: {written} written, {again} recomputed"
    elif written != again:
        yield f"{location}: {written} written, {again} recomputed"


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
