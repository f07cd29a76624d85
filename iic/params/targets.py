"""What is said to somebody who asks a scale for something that it does not have."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from pathlib import Path

from iic.params.errors import IICError
from iic.params.runs import PARAMS, Plan, load_plan, scale_names

NEAREST = 3
"""So many names are suggested."""


class NoTarget(IICError):
    """A target of the workflow that is no rule, and that no rule makes."""


def check_targets(
    targets: Iterable[str], plan: Plan, rules: Iterable[str], made: Callable[[str], bool]
) -> None:
    """Check what the workflow is asked for, before it is planned.

    Args:
        targets: Names of rules, and paths.
        plan: The scale's plan.
        rules: Names of all rules.
        made: Whether some rule makes a path.

    Raises:
        NoTarget: There is no such rule, no rule makes it, and it is no file that lies there; names
            what comes nearest, or the scales that have it.
    """
    names = set(rules)
    for target in targets:
        if target in names or made(target) or Path(target).exists():
            continue
        raise NoTarget(
            f"{target!r} is no target of scale {plan.scale.name!r}"
            + hint(target, names | {name for name in _parts(plan) if "/" in name}, plan)
            + "\n  targets: all, data, runs, tables, figures, audit, report, a run with or without "
            "its seed, the name of a table or figure, or the path of a file that the workflow makes"
        )


def hint(name: str, names: Iterable[str], plan: Plan) -> str:
    """Lines on where `name` exists or, if nowhere, which of `names` are most like it."""
    run, _, seed = name.rpartition("/seed")
    if run in plan.runs and seed.isdecimal():
        seeds = ", ".join(map(str, plan.runs[run].seeds))
        return (
            f"\n  seeds that it lists for {run}: {seeds}"
            "\n  more seeds are a scale of your own: docs/extending.md, More seeds"
        )
    if elsewhere := scales_with(name, plan):
        return f"\n  scales that have it: {', '.join(elsewhere)}"
    nearest = difflib.get_close_matches(name, sorted(names), n=NEAREST, cutoff=0.6)
    return f"\n  did you mean: {', '.join(nearest)}?" if nearest else ""


def scales_with(name: str, plan: Plan, params: Path = PARAMS) -> list[str]:
    """Other scales that have a run, a seed of a run, a table, a figure or a dataset called so."""
    others = (scale for scale in scale_names(params) if scale != plan.scale.name)
    return [scale for scale in others if name in _parts(load_plan(scale, params))]


def _parts(plan: Plan) -> set[str]:
    seeds = {f"{run.id}/seed{seed}" for run in plan.runs.values() for seed in run.seeds}
    displays = {*plan.tables, *plan.listings, *plan.figures}
    return {*plan.runs, *plan.datasets, *displays, *seeds}
