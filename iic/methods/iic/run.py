"""Entry to the engine: train a clustering network under given settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from iic.engine.context import Outcome, RunContext, S
from iic.engine.device import configure, leased_device
from iic.engine.loop import Loop
from iic.engine.task import HeadPass
from iic.methods.iic.task import ClusteringTask
from iic.params.augmentation import AugmentationSettings
from iic.params.networks import NetworkSettings
from iic.params.training import (
    ComputeSettings,
    OptimiserSettings,
    PairSettings,
    ScheduleSettings,
)

__all__ = ["HeadPass", "train_clustering"]


def train_clustering(
    context: RunContext[S],
    *,
    network: NetworkSettings,
    heads: Mapping[str, int],
    splits: Mapping[str, tuple[str, ...]],
    sub_heads: int,
    augmentation: AugmentationSettings,
    pairs: PairSettings,
    passes: Sequence[HeadPass],
    report_head: str,
    optimiser: OptimiserSettings,
    schedule: ScheduleSettings,
    compute: ComputeSettings,
) -> Outcome:
    """Train to the end, or go on from the run's checkpoint.

    Args:
        context: The run: data, seed, paths, fingerprint.
        network: Trunk.
        heads: Clusters of each head by name.
        splits: Splits that each head is trained on; empty for the whole dataset.
        sub_heads: h, for every head.
        augmentation: The random transforms g.
        pairs: How a batch is drawn.
        passes: Heads trained in one epoch, in order.
        report_head: Head that assignments come from.
        optimiser: Adam's settings.
        schedule: Epochs, evaluation and checkpoints.
        compute: Precision and memory format.

    Raises:
        CheckpointError: The run's checkpoint was made by other settings, data or code.
        IICError: The settings ask for a GPU and there is none.
        NonFiniteLoss: The loss was NaN or infinite; the last checkpoint is left.
        Interrupted: SIGTERM or SIGINT came; a checkpoint of this very step is left.
    """
    with leased_device(context.settings.gpu) as device:
        deterministic = configure(device, context.settings.threads)
        task = ClusteringTask(
            context,
            network=network,
            heads=heads,
            splits=splits,
            sub_heads=sub_heads,
            augmentation=augmentation,
            pairs=pairs,
            passes=passes,
            report_head=report_head,
            compute=compute,
            device=device,
        )
        return Loop(task, optimiser, schedule, deterministic).run()
