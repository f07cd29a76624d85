"""Another sample of the images: trainings on either half, compared on all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iic.engine.context import RunContext
from iic.evaluate.metrics import ari
from iic.own.choice import Choice, Wishes
from iic.own.kinds import Kind
from iic.own.training import prepared, trained

HALVES = (slice(0, None, 2), slice(1, None, 2))
"""In the order of contents, which has nothing to do with what images show."""
Context = Callable[[Any, Any, int, Path], RunContext[Any]]


def halves_agree(choice: Choice, wishes: Wishes, kind: Kind, work: Path, context: Context) -> float:
    """Adjusted Rand index, on all points, of trainings on either half, -1 to 1.

    Args:
        choice: Of the fit on all points; precision and epochs are the same.
        wishes: What the user asks for.
        kind: All points.
        work: Folder of the fit under way; each half is kept there when it is done.
        context: Makes the run from data, settings, seed and folder.
    """
    k, seed = choice.settings.head_b.k, choice.seeds[0]
    clusters: list[NDArray[np.int64]] = []
    for number, rows in enumerate(HALVES):
        part = kind.part(rows)
        own = part.choose(k, wishes, choice.settings.threads)
        schedule = choice.settings.schedule
        if schedule.max_steps is not None:
            schedule = schedule.model_copy(update={"max_steps": -(-schedule.max_steps // 2)})
        same = {"schedule": schedule, "compute": choice.settings.compute}
        settings = own.model_copy(update=same)
        folder = work / f"half{number}"
        folder.mkdir(exist_ok=True)
        run = trained(context(prepared(part.points), settings, seed, folder), folder, part.train)
        network = part.network(settings, run.tensors)
        clusters.append(network.probabilities(kind.points)[:, run.sub_head].argmax(axis=1))
    return ari(clusters[0], clusters[1]) / 100
