"""Entry to the engine: train a classifier on labels under given settings.

Apart from `iic.methods.iic.run`, so that an edit here makes no clustering run stale.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from iic.engine.context import Outcome, RunContext, S
from iic.engine.device import configure, leased_device
from iic.engine.loop import Loop
from iic.engine.seeding import derive
from iic.methods.finetune.network import Classifier
from iic.methods.finetune.pretrained import load_trunk
from iic.methods.finetune.task import ClassificationTask
from iic.params.augmentation import ColourAugmentation
from iic.params.errors import IICError
from iic.params.networks import NetworkSettings
from iic.params.training import ComputeSettings, OptimiserSettings, ScheduleSettings


def train_classifier(
    context: RunContext[S],
    *,
    network: NetworkSettings,
    features: Literal["penultimate", "pooled"],
    head: Literal["two_layer", "linear"],
    hidden: int,
    augmentation: ColourAugmentation,
    training: npt.NDArray[np.int64],
    pretrained: tuple[Path, str] | None,
    batch_images: int,
    trunk_learning_rate: float,
    head_learning_rate: float,
    ten_crop: bool,
    schedule: ScheduleSettings,
    compute: ComputeSettings,
) -> Outcome:
    """Train a trunk and a classifier on labels, or go on from the run's checkpoint.

    Args:
        context: The run: data, seed, paths, fingerprint.
        network: Trunk.
        features: Which of its features are classified.
        head: One linear layer, or two.
        hidden: Width between the two.
        augmentation: Transforms of the training images.
        training: Indices of the training images, (n,).
        pretrained: Weights and checkpoint that the trunk starts from; None for a random start.
        batch_images: Images a batch.
        trunk_learning_rate: Adam's, for the trunk.
        head_learning_rate: Adam's, for the classifier.
        ten_crop: Whether test images are scored on ten crops.
        schedule: Epochs, evaluation and checkpoints.
        compute: Precision and memory format.

    Raises:
        RecordError: The weights are absent or damaged.
        IICError: They are of another network, labels are missing, a batch would have one image, or
            there is no GPU.
        CheckpointError: The run's checkpoint was made by other settings, data or code.
        NonFiniteLoss: The loss was NaN or infinite; the last checkpoint is left.
        Interrupted: SIGTERM or SIGINT came; a checkpoint of this very step is left.
    """
    if len(training) % batch_images == 1:
        raise IICError(
            f"{context.name}: batch_images: {batch_images} leaves a batch of one of "
            f"{len(training):,} images, which BatchNorm cannot normalise: take another size"
        )
    with leased_device(context.settings.gpu) as device:
        deterministic = configure(device, context.settings.threads)
        torch.manual_seed(derive(context.seed, "network"))
        classifier = Classifier(network, context.classes, features, head, hidden)
        if pretrained is not None:
            load_trunk(classifier.trunk, *pretrained)
        task = ClassificationTask(
            context,
            network=classifier,
            augmentation=augmentation,
            training=training,
            batch_images=batch_images,
            trunk_learning_rate=trunk_learning_rate,
            head_learning_rate=head_learning_rate,
            ten_crop=ten_crop,
            compute=compute,
            device=device,
        )
        optimiser = OptimiserSettings(learning_rate=head_learning_rate)
        return Loop(task, optimiser, schedule, deterministic).run()
