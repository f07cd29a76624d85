"""Entry to the engine: train a segmentation network under given settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from iic.engine.context import Outcome, RunContext, S
from iic.engine.device import configure, leased_device
from iic.engine.loop import Loop
from iic.engine.map_context import MapContext
from iic.engine.task import HeadPass
from iic.methods.iic.map_task import SegmentationTask
from iic.params.segmentation import (
    MapSettings,
    SegmentationAugmentation,
    SegmentationNetworkSettings,
    ShiftSettings,
)
from iic.params.training import (
    ComputeSettings,
    OptimiserSettings,
    PairSettings,
    ScheduleSettings,
)

__all__ = ["HeadPass", "train_segmentation"]


def train_segmentation(
    context: RunContext[S],
    *,
    network: SegmentationNetworkSettings,
    heads: Mapping[str, int],
    splits: Mapping[str, tuple[str, ...]],
    sub_heads: int,
    augmentation: SegmentationAugmentation,
    shifts: ShiftSettings,
    maps: MapSettings,
    pairs: PairSettings,
    passes: Callable[[int], Sequence[HeadPass]],
    report_head: str,
    optimiser: OptimiserSettings,
    schedule: ScheduleSettings,
    compute: ComputeSettings,
) -> Outcome:
    """Train to the end, or go on from the run's checkpoint.

    Args:
        context: The run, on a dataset of label maps.
        network: Trunk and the heads' padding.
        heads: Clusters of each head by name.
        splits: Splits that each head is trained on; empty for the whole dataset.
        sub_heads: h, for every head.
        augmentation: The random transforms g.
        shifts: Displacements of the objective.
        maps: Which pixels count, in training and in evaluation.
        pairs: How a batch is drawn.
        passes: Heads trained in an epoch, counted from 0, in order.
        report_head: Head that predictions come from.
        optimiser: Adam's settings.
        schedule: Epochs, evaluation and checkpoints.
        compute: Precision and memory format.

    Raises:
        CheckpointError: The run's checkpoint was made by other settings, data or code.
        IICError: The settings ask for a GPU and there is none.
        NonFiniteLoss: The loss was NaN or infinite; the last checkpoint is left.
        Interrupted: SIGTERM or SIGINT came; a checkpoint of this very step is left.
    """
    assert isinstance(context, MapContext)
    with leased_device(context.settings.gpu) as device:
        deterministic = configure(device, context.settings.threads)
        task = SegmentationTask(
            context,
            network=network,
            heads=heads,
            splits=splits,
            sub_heads=sub_heads,
            augmentation=augmentation,
            shifts=shifts,
            maps=maps,
            pairs=pairs,
            passes=passes,
            report_head=report_head,
            compute=compute,
            device=device,
        )
        return Loop(task, optimiser, schedule, deterministic).run()
