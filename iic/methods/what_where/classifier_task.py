"""Training of a what-where autoencoder with the labels of some images (Table 3)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from iic.engine.context import RunContext
from iic.engine.device import autocast, moved
from iic.engine.image_task import ImageTask
from iic.engine.labelled import class_labels, labelled_images
from iic.engine.plain_images import plain_images
from iic.engine.store import ImageStore
from iic.methods.what_where.loss import intermediate_error, reconstruction_error
from iic.methods.what_where.network import WhatWhereClassifier

if TYPE_CHECKING:
    from iic.methods.what_where.semi_supervised import Settings


class WhatWhereClassifierTask(ImageTask[WhatWhereClassifier]):
    """Half of each batch is of all images, half of those whose labels are trained on.

    Args:
        context: The run.
        device: Where to run.

    Raises:
        IICError: The dataset has no such fold, or an image to be trained on has no label.
    """

    PASS = "classes"
    settings: Settings

    def __init__(self, context: RunContext[Any], device: torch.device) -> None:
        super().__init__(context, device)
        own = self.settings
        self.labelled = labelled_images(context, own.labelled_splits, own.fold)
        self._labels = class_labels(context, device)
        images = (self.training.numpy(), self.labelled.numpy(), self.evaluated.numpy())
        needed = np.unique(np.concatenate(images))
        self.images = ImageStore(context.data.images, device, needed=needed)

    def build(self) -> WhatWhereClassifier:
        """Encoder, decoder and classifier."""
        return WhatWhereClassifier(self.settings.autoencoder, self.k)

    @property
    def k(self) -> int:
        """Classes."""
        return self.context.classes

    def order(self, epoch: int, position: int) -> list[Tensor]:
        """An image and a labelled one, in as many rows as there are images, (U, 2) each.

        The labelled ones are shuffled anew for each time that they are gone through.
        """
        images = self.shuffled(self.training, "order", epoch, position)
        rounds = math.ceil(len(images) / len(self.labelled))
        labelled = torch.cat(
            [self.shuffled(self.labelled, "labelled", epoch, once) for once in range(rounds)]
        )
        rows = torch.stack([images, labelled[: len(images)]], dim=1)
        return list(torch.split(rows, self.batch_images))

    def loss(self, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Cross-entropy of the labelled half and errors of both, (1,).

        Args:
            head: The pass.
            indices: Images and labelled images, (U, 2).
            draw: Not used.
        """
        own, network = self.settings, self.network
        images = self.inputs(torch.cat(indices.unbind(dim=1)))
        encoding, output, decoded = self.forward(network, images)
        with autocast(self.device, self.compute):
            logits = network.classify(encoding.what[-1][len(indices) :]).float()
        labels = self._labels[moved(indices[:, 1].contiguous(), self.device)]
        error = reconstruction_error(output.float(), images)
        inside = intermediate_error(
            [maps.float() for maps in decoded], [maps.float() for maps in encoding.what[:-1]]
        )
        errors = own.reconstruction_weight * error + own.intermediate_weight * inside
        return (cross_entropy(logits, labels) + errors).reshape(1)

    def inputs(self, indices: Tensor) -> Tensor:
        """Images in [0, 1] at the network's size, (U, C, s, s) float32."""
        return plain_images(self.images, indices, self.settings.autoencoder.input_size)

    def evaluate(self, indices: Tensor) -> Tensor:
        """Logits of images, (n, 1, classes)."""
        with autocast(self.device, self.compute):
            return self.network.logits(self.inputs(indices)).float()[:, None]

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Probabilities of the classes, (n, 1, classes)."""
        return outputs.softmax(dim=2)
