"""Entry to the engine: learn features from pairs of patches and cluster those of pixels.

Apart from the other entries, so that an edit here makes no other run stale.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from iic.engine.context import Outcome, RunContext
from iic.engine.device import configure, leased_device
from iic.engine.loop import Loop
from iic.engine.map_context import MapContext
from iic.methods.patch_pairs.settings import PatchPairSettings
from iic.methods.patch_pairs.task import PatchContextTask, Pretext

__all__ = ["Pretext", "train_patch_context"]

P = TypeVar("P", bound=PatchPairSettings)


def train_patch_context(context: RunContext[P], pretext: Pretext) -> Outcome:
    """Train to the end, or go on from the run's checkpoint.

    Args:
        context: The run, on a dataset of label maps.
        pretext: What the network is asked about two patches.

    Raises:
        CheckpointError: The run's checkpoint was made by other settings, data or code.
        IICError: The settings ask for a GPU and there is none, or the mask leaves fewer pixels than
            clusters.
        NonFiniteLoss: The loss was NaN or infinite; the last checkpoint is left.
        Interrupted: SIGTERM or SIGINT came; a checkpoint of this very step is left.
    """
    assert isinstance(context, MapContext)
    settings = context.settings
    with leased_device(settings.gpu) as device:
        deterministic = configure(device, settings.threads)
        task = PatchContextTask(context, pretext=pretext, device=device)
        outcome = Loop(task, settings.optimiser, settings.schedule, deterministic).run()
    return without_head(outcome)


def without_head(outcome: Outcome) -> Outcome:
    """The outcome with the trunk's weights alone.

    At the paper's size the head on patches is 98 % of all weights, and nothing reads it any more.
    """
    kept = {name: one for name, one in (outcome.tensors or {}).items() if ".trunk." in name}
    return replace(outcome, tensors=kept)
