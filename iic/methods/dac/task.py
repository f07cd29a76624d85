"""Training of DAC: the network labels the pairs that it is trained on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import normalize

from iic.engine.device import moved
from iic.engine.image_task import AugmentedTask
from iic.methods.dac.loss import (
    own_entropy,
    pair_entropy,
    pair_labels,
    pair_square,
    similarities,
)
from iic.methods.dac.network import MEMORY, DACNetwork

if TYPE_CHECKING:
    from iic.methods.dac.settings import AllSamplesSettings, DACSettings


class DACTask(AugmentedTask[DACNetwork]):
    """Two thresholds that move from epoch to epoch, on transformed images."""

    PASS = "pairs"
    settings: DACSettings

    def build(self) -> DACNetwork:
        """The network, without a memory of images."""
        return DACNetwork(self.settings.classifier, self.k)

    def optimiser(self) -> torch.optim.Optimizer:
        """RMSprop."""
        settings = self.settings.optimiser
        return torch.optim.RMSprop(
            self.parameter_groups(),
            lr=settings.learning_rate,
            alpha=settings.decay,
            eps=settings.epsilon,
        )

    def begin_epoch(self, epoch: int, optimiser: torch.optim.Optimizer) -> None:
        """Move the thresholds."""
        self.network.thresholds.copy_(torch.tensor(self.settings.thresholds.at(epoch)))

    def kept(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """All but the memory of the training."""
        return {name: tensor for name, tensor in tensors.items() if name not in MEMORY}

    def loss(self, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Cross-entropy of the pairs whose similarity says what they are, (1,)."""
        values = similarities(self._transformed(indices, draw))
        labels = pair_labels(values.detach(), *self.network.thresholds)
        return pair_entropy(values, labels).reshape(1)

    def evaluate(self, indices: Tensor) -> Tensor:
        """Cluster probabilities of the one "sub-head", (n, 1, k)."""
        return super().evaluate(indices)[:, None]

    def _transformed(self, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Probabilities of transformed images, (U, k)."""
        images = self.augmentation.transformed(self.store.batch(indices), 1, draw)
        outputs: Tensor = self.forward(self.network, images)
        return outputs.float()


class AllSamplesTask(DACTask):
    """DAC*: one threshold; the pairs of a chunk of images keep the labels that they had before it.

    An epoch of the loop is a chunk.
    """

    def build(self) -> DACNetwork:
        """The network, with a memory of the training images' outputs."""
        return DACNetwork(self.settings.classifier, self.k, len(self.training))

    @property
    def own(self) -> AllSamplesSettings:
        """Settings of the variant."""
        assert self.settings.all_samples is not None
        return self.settings.all_samples

    @property
    def chunks(self) -> int:
        """Chunks of a visit of all images."""
        return self.settings.chunks(len(self.training))

    @property
    def epochs(self) -> int:
        """Chunks in all."""
        return self.schedule.epochs * self.chunks

    def steps(self, head: str) -> int:
        """Batches of a chunk, all of its epochs together."""
        return self.own.chunk_epochs * math.ceil(self.own.chunk_images / self.batch_images)

    def chunk(self, epoch: int) -> Tensor:
        """Positions in `training` of a chunk's images, anew for each visit, (chunk_images,)."""
        visit, number = divmod(epoch, self.chunks)
        positions = self.shuffled(torch.arange(len(self.training)), "chunks", visit)
        return torch.split(positions, self.own.chunk_images)[number]

    def order(self, epoch: int, position: int) -> list[Tensor]:
        """Batches of a chunk as positions in `training`, shuffled anew for each of its epochs."""
        chunk = self.chunk(epoch)
        return [
            batch
            for inner in range(self.own.chunk_epochs)
            for batch in torch.split(self.shuffled(chunk, "order", epoch, inner), self.batch_images)
        ]

    def begin_epoch(self, epoch: int, optimiser: torch.optim.Optimizer) -> None:
        """Move the threshold, and remember the outputs of the chunk's images, untransformed."""
        threshold = self.own.at(epoch // self.chunks, self.schedule.epochs)
        self.network.thresholds.fill_(threshold)
        chunk = self.chunk(epoch)
        outputs = torch.cat(list(self.evaluations(self.training[chunk])))[:, 0]
        self.network.targets[moved(chunk, self.device)] = normalize(outputs, dim=1)

    def loss(self, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        """The error of the pairs' remembered labels, and of the outputs themselves, (1,)."""
        outputs = normalize(self._transformed(self.training[indices], draw), dim=1)
        targets = self.network.targets[moved(indices, self.device)]
        values = similarities(outputs)
        labels = pair_labels(similarities(targets), *self.network.thresholds)
        error = pair_square if self.own.error == "square" else pair_entropy
        loss = error(values, labels)
        if self.own.own_weight:
            loss = loss + self.own.own_weight * own_entropy(outputs, targets)
        return loss.reshape(1)
