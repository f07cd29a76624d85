"""A finished run as its method gets it, with an engine of the audit's own.

This module loads torch, so only processes that the audit starts import it.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iic.data.load import load
from iic.data.load_maps import load_maps
from iic.engine.context import Outcome, RunContext
from iic.engine.map_context import MapContext
from iic.engine.threads import library_threads
from iic.params.runs import Plan
from iic.records.paths import RunPaths

if TYPE_CHECKING:
    from iic.engine.context import Engine


def train_with(engine: Engine, plan: Plan, paths: RunPaths, root: Path) -> Outcome:
    """Call the method of a run, which hands its task to `engine`.

    Args:
        engine: What is done with the task.
        plan: The scale's plan.
        paths: Of the run.
        root: Folder with the run's data, where its unfinished files go.

    Raises:
        IICError: The prepared data are damaged or not there.
    """
    chosen = plan.run(paths.run)
    settings = chosen.settings
    entry = plan.datasets[chosen.dataset]
    given: dict[str, Any] = dict(
        classes=len(entry.classes),
        settings=settings,
        seed=paths.seed,
        paths=paths,
        fingerprint="",
        root=root,
        live=False,
        engine=engine,
    )
    context: RunContext[Any]
    if entry.maps is None:
        context = RunContext(data=load(chosen.dataset, root), **given)
    else:
        context = MapContext(data=load_maps(chosen.dataset, root), **given)
    with library_threads(settings.threads):
        outcome: Outcome = importlib.import_module(chosen.method).train(context)
    return outcome
