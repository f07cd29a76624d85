"""Entry to the engine: train an autoencoder without labels and cluster its codes.

Apart from the other entries, so that an edit here makes no other run stale.
"""

from __future__ import annotations

from typing import TypeVar

from iic.engine.context import Outcome, RunContext
from iic.engine.device import configure, leased_device
from iic.engine.loop import Loop
from iic.methods.autoencoders.loss import Objective
from iic.methods.autoencoders.settings import ReconstructionSettings
from iic.methods.autoencoders.task import ReconstructionTask

R = TypeVar("R", bound=ReconstructionSettings)


def train_autoencoder(context: RunContext[R], objective: Objective) -> Outcome:
    """Train to the end, or go on from the run's checkpoint.

    Args:
        context: The run: data, seed, paths, fingerprint and the settings that all four share.
        objective: What is minimised.

    Raises:
        CheckpointError: The run's checkpoint was made by other settings, data or code.
        IICError: The settings ask for a GPU and there is none.
        NonFiniteLoss: The loss was NaN or infinite; the last checkpoint is left.
        Interrupted: SIGTERM or SIGINT came; a checkpoint of this very step is left.
    """
    settings = context.settings
    with leased_device(settings.gpu) as device:
        deterministic = configure(device, settings.threads)
        task = ReconstructionTask(context, objective=objective, device=device)
        return Loop(task, settings.optimiser, settings.schedule, deterministic).run()
