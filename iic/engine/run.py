"""The one entry to the engine: train what a method describes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iic.engine.context import Outcome, RunContext
from iic.engine.device import configured, leased_device
from iic.engine.loop import Loop

if TYPE_CHECKING:
    from iic.engine.context import Build


def run(context: RunContext[Any], build: Build) -> Outcome:
    """Train to the end, or go on from the run's checkpoint.

    Args:
        context: The run: data, seed, paths, fingerprint and the method's settings. Where it has
            an engine of its own, that one decides what is done.
        build: Makes the task of the run on a device: a class of tasks, or what calls one.

    Raises:
        CheckpointError: The run's checkpoint was made by other settings, data or code.
        IICError: The settings ask for a GPU and there is none; or what the task itself refuses.
        NonFiniteLoss: The loss was NaN or infinite; the last checkpoint is left.
        Interrupted: SIGTERM or SIGINT came; a checkpoint of this very step is left.
    """
    if context.engine is not None:
        return context.engine(context, build)
    settings = context.settings
    with (
        leased_device(settings.gpu) as device,
        configured(device, settings.threads, settings.compute) as deterministic,
    ):
        return Loop(build(context, device), deterministic).run()
