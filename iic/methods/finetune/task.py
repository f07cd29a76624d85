"""Supervised training of a classifier, from scratch or from a clustering run's trunk (Table 3)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from iic.augment.colour import ColourPipeline
from iic.engine.context import RunContext
from iic.engine.device import autocast
from iic.engine.seeding import generator
from iic.engine.store import ImageStore
from iic.engine.task import HeadPass, Predictions
from iic.methods.finetune.network import Classifier
from iic.params.augmentation import ColourAugmentation
from iic.params.errors import IICError
from iic.params.training import ComputeSettings

CROPS = 10
"""Crops that a test image's logits are averaged over."""


class ClassificationTask:
    """What the training loop needs to know about a classifier.

    Args:
        context: The run; its protocol says which images are scored, its labels train here.
        network: Trunk and classifier, freshly initialised or with a trunk from elsewhere.
        augmentation: Transforms of the training images; the crop of the test images.
        training: Indices of the training images, (n,).
        batch_images: Images a batch.
        trunk_learning_rate: Adam's, for the trunk.
        head_learning_rate: Adam's, for the classifier.
        ten_crop: Whether test logits are averaged over ten crops; else the centre alone counts.
        compute: Precision and memory format.
        device: Where to run.

    Raises:
        IICError: A training image has no label.
    """

    def __init__(
        self,
        context: RunContext[Any],
        *,
        network: Classifier,
        augmentation: ColourAugmentation,
        training: npt.NDArray[np.int64],
        batch_images: int,
        trunk_learning_rate: float,
        head_learning_rate: float,
        ten_crop: bool,
        compute: ComputeSettings,
        device: torch.device,
    ) -> None:
        data = context.data
        if data.labels is None or (data.labels[training] < 0).any():
            raise IICError(
                f"{context.name}: trains on labels, and some of its {len(training):,} training "
                f"images have none: name labelled splits under `splits`"
            )
        self.context = context
        self.seed = context.seed
        self.device = device
        self.compute = compute
        self.k = context.classes
        self.batch_images = batch_images
        self._rates = (trunk_learning_rate, head_learning_rate)
        self._ten_crop = ten_crop
        self._augmentation = ColourPipeline(augmentation)
        self._training = torch.from_numpy(training)
        self._labels = torch.from_numpy(np.asarray(data.labels)).to(device)
        self._evaluated = torch.from_numpy(context.protocol.images)
        needed = np.union1d(training, context.protocol.images)
        self.store = ImageStore(data.images, device, needed=needed)
        layout = torch.channels_last if compute.channels_last else torch.contiguous_format
        self._layout = layout
        self._classifier = network.to(device).to(memory_format=layout)
        self._forward = torch.compile(self._classifier) if compute.compile else self._classifier

    @property
    def network(self) -> nn.Module:
        """Trunk and classifier."""
        return self._classifier

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Trunk and classifier, each with its learning rate."""
        parts = (self._classifier.trunk, self._classifier.head)
        return [
            {"params": list(part.parameters()), "lr": rate}
            for part, rate in zip(parts, self._rates, strict=True)
        ]

    def passes_of(self, epoch: int) -> list[HeadPass]:
        """One pass, the same in every epoch."""
        return [HeadPass("classes")]

    def steps(self, one: HeadPass) -> int:
        """Batches in a pass; the last one may be smaller."""
        return math.ceil(len(self._training) / self.batch_images)

    def order(self, epoch: int, position: int) -> list[Tensor]:
        """Indices of every batch of a pass, shuffled anew for each, on the host."""
        draw = generator(torch.device("cpu"), self.seed, "order", epoch, position)
        shuffled = self._training[torch.randperm(len(self._training), generator=draw)]
        return list(torch.split(shuffled, self.batch_images))

    def examples(self, indices: Tensor) -> int:
        """Images of a batch."""
        return len(indices)

    def loss(self, one: HeadPass, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Cross-entropy of one batch, (1,)."""
        images = self._augmentation.transformed(self.store.batch(indices), 1, draw)
        labels = self._labels[indices.to(self.device)]
        return nn.functional.cross_entropy(self._logits(images), labels).reshape(1)

    def predict(self, batch: int, probabilities: bool = False) -> Predictions:
        """Classes of the evaluated images, (n, 1), and their probabilities (n, 1, classes)."""
        classes, kept = [], []
        self._classifier.eval()
        with torch.no_grad():
            for indices in self._batches(batch):
                logits = self._evaluate(indices)
                classes.append(logits.argmax(dim=1, keepdim=True).cpu().numpy().astype(np.uint8))
                if probabilities:
                    kept.append(logits.softmax(dim=1)[:, None].half().cpu().numpy())
        self._classifier.train()
        return Predictions(np.concatenate(classes), np.concatenate(kept) if probabilities else None)

    def refresh_statistics(self, batch: int) -> None:
        """Move BatchNorm's running statistics towards the evaluated images."""
        self._classifier.train()
        with torch.no_grad():
            for indices in self._batches(batch):
                self._evaluate(indices)

    def selection_losses(self) -> None:
        """There is one classifier, and nothing to choose it from."""

    def _batches(self, images: int) -> tuple[Tensor, ...]:
        """Indices of the evaluated images, so many to a forward pass; each crop is one."""
        size = max(1, images // CROPS) if self._ten_crop else images
        return torch.split(self._evaluated, size)

    def _evaluate(self, indices: Tensor) -> Tensor:
        images = self.store.batch(indices)
        if not self._ten_crop:
            return self._logits(self._augmentation.evaluation(images))
        crops = self._augmentation.ten_crops(images)
        logits = self._logits(crops.flatten(0, 1))
        return logits.view(CROPS, len(indices), -1).mean(dim=0)

    def _logits(self, images: Tensor) -> Tensor:
        with autocast(self.device, self.compute):
            logits: Tensor = self._forward(images.contiguous(memory_format=self._layout))
        return logits.float()
