"""Training of an autoencoder, and clusters of its codes (Table 1, rows of autoencoders)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from iic.engine.clustering.kmeans import Clustering
from iic.engine.context import RunContext
from iic.engine.device import autocast
from iic.engine.seeding import derive, generator
from iic.engine.store import ImageStore
from iic.engine.task import HeadPass, Predictions
from iic.methods.autoencoders.codes import Codes, cluster_codes
from iic.methods.autoencoders.loss import Objective
from iic.methods.autoencoders.network import Autoencoder
from iic.methods.autoencoders.settings import ReconstructionSettings

EVALUATION_BATCH = 700
"""Images in a forward pass before the first prediction has said how many."""


class ReconstructionTask:
    """What the training loop needs to know about an autoencoder.

    Labels are not touched here: images in, clusters of the evaluated images out. There is one
    "sub-head", k-means on the codes, and its loss is the inertia.

    Args:
        context: The run; its protocol says which images get clusters.
        objective: What is minimised.
        device: Where to run.
    """

    def __init__(
        self, context: RunContext[Any], *, objective: Objective, device: torch.device
    ) -> None:
        settings: ReconstructionSettings = context.settings
        self.context = context
        self.seed = context.seed
        self.device = device
        self.compute = settings.compute
        self.k = settings.k
        self._settings = settings
        self._objective = objective
        training = context.data.indices(settings.splits)
        self._training = torch.from_numpy(training)
        self._evaluated = torch.from_numpy(context.protocol.images)
        needed = np.union1d(training, context.protocol.images)
        self.store = ImageStore(context.data.images, device, needed=needed)
        torch.manual_seed(derive(self.seed, "network"))
        compute = self.compute
        self._layout = torch.channels_last if compute.channels_last else torch.contiguous_format
        autoencoder = Autoencoder(settings.autoencoder, settings.code_outputs)
        self._autoencoder = autoencoder.to(device).to(memory_format=self._layout)
        self._encoder, self._decoder = (
            torch.compile(part) if compute.compile else part
            for part in (self._autoencoder.encoder, self._autoencoder.decoder)
        )
        self._batch = EVALUATION_BATCH
        self._found: tuple[Codes, Clustering] | None = None

    @property
    def network(self) -> nn.Module:
        """Encoder and decoder."""
        return self._autoencoder

    def parameter_groups(self) -> list[dict[str, Any]]:
        """All parameters."""
        return [{"params": list(self._autoencoder.parameters())}]

    def passes_of(self, epoch: int) -> list[HeadPass]:
        """One pass, the same in every epoch."""
        return [HeadPass("reconstruction")]

    def steps(self, one: HeadPass) -> int:
        """Batches in a pass; the last one may be smaller."""
        return math.ceil(len(self._training) / self._settings.batch_images)

    def order(self, epoch: int, position: int) -> list[Tensor]:
        """Indices of every batch of a pass, shuffled anew for each, on the host."""
        draw = generator(torch.device("cpu"), self.seed, "order", epoch, position)
        shuffled = self._training[torch.randperm(len(self._training), generator=draw)]
        return list(torch.split(shuffled, self._settings.batch_images))

    def examples(self, indices: Tensor) -> int:
        """Images of a batch."""
        return len(indices)

    def loss(self, one: HeadPass, indices: Tensor, draw: torch.Generator) -> Tensor:
        """The objective on one batch, (1,)."""
        loss = self._objective.loss(self._encode, self._decode, self._images(indices), draw)
        return loss.reshape(1)

    def predict(self, batch: int, probabilities: bool = False) -> Predictions:
        """Clusters of the evaluated images, (n, 1); k-means has no probabilities.

        They are asked for once, at the end: that k-means has all its restarts, those that watch the
        training have few.
        """
        self._batch = batch
        restarts = self._settings.clusters.restarts
        if not probabilities:
            restarts = self._settings.clusters.watch_restarts
        codes = self._codes()
        found = self._cluster(codes, restarts)
        self._found = (codes, found)
        return Predictions(found.clusters[:, None], None)

    def refresh_statistics(self, batch: int) -> None:
        """Move BatchNorm's running statistics towards the evaluated images."""
        self._autoencoder.train()
        with torch.no_grad():
            for indices in torch.split(self._evaluated, batch):
                self._decode(self._objective.code(self._encode(self._images(indices))))

    def selection_losses(self) -> tuple[float, ...]:
        """Inertia of the clusters of the evaluated images' codes under the present weights."""
        codes = self._codes()
        if self._found is not None and np.array_equal(self._found[0], codes):
            return (self._found[1].inertia,)
        # earlier weights: the same clusters once more as when the training was watched
        return (self._cluster(codes, self._settings.clusters.watch_restarts).inertia,)

    def _cluster(self, codes: Codes, restarts: int) -> Clustering:
        return cluster_codes(
            codes,
            self.k,
            self._settings.clusters,
            restarts=restarts,
            seed=derive(self.seed, "kmeans"),
            threads=self._settings.threads,
        )

    def _codes(self) -> Codes:
        """Codes of the evaluated images, (n, d), in evaluation mode."""
        kept = []
        self._autoencoder.eval()
        with torch.no_grad():
            for indices in torch.split(self._evaluated, self._batch):
                code = self._objective.code(self._encode(self._images(indices)))
                kept.append(code.cpu().numpy())
        self._autoencoder.train()
        return np.concatenate(kept)

    def _images(self, indices: Tensor) -> Tensor:
        """Images in [0, 1] at the network's size, (U, C, s, s) float32."""
        images = self.store.batch(indices).float() / 255
        factor = images.shape[-1] // self._settings.autoencoder.input_size
        if factor > 1:
            images = nn.functional.avg_pool2d(images, factor)
        return images.contiguous(memory_format=self._layout)

    def _encode(self, images: Tensor) -> Tensor:
        with autocast(self.device, self.compute):
            outputs: Tensor = self._encoder(images)
        return outputs.float()

    def _decode(self, code: Tensor) -> Tensor:
        with autocast(self.device, self.compute):
            images: Tensor = self._decoder(code)
        return images.float()
