"""DEC in the training loop: its stages as epochs, its targets and its stop."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from iic.engine.clustering.kmeans import kmeans
from iic.engine.context import RunContext
from iic.engine.device import autocast
from iic.engine.seeding import derive
from iic.engine.task import HeadPass, Predictions
from iic.methods.autoencoders.loss import Plain
from iic.methods.autoencoders.task import ReconstructionTask
from iic.methods.dec.loss import (
    divergence,
    layer_error,
    mean_error,
    soft_assignment,
    target_distribution,
)
from iic.methods.dec.network import DECNetwork
from iic.methods.dec.settings import DECSettings

log = logging.getLogger(__name__)


class DECTask(ReconstructionTask):
    """An autoencoder whose codes are clustered by k-means at first, by its own centres later.

    The loss of the one "sub-head" is the inertia, and after that KL(P || Q) over the evaluated
    images, P being theirs.

    Args:
        context: The run; its protocol says which images get clusters.
        device: Where to run.
    """

    def __init__(self, context: RunContext[Any], *, device: torch.device) -> None:
        super().__init__(context, objective=Plain(), device=device)
        self._dec_settings: DECSettings = context.settings
        settings = self._dec_settings
        # from the start, since a resumed run comes to the clustering without a prediction before it
        self._batch = settings.schedule.evaluation_batch
        self._scale = 1.0
        self._scale = settings.scale or self._unit_scale()
        self._rows = torch.full((int(self._training.max()) + 1,), -1)
        self._rows[self._training] = torch.arange(len(self._training))
        torch.manual_seed(derive(self.seed, "network", "dec"))
        self._dec = DECNetwork(
            self._autoencoder.cpu(),
            k=self.k,
            code=settings.autoencoder.code,
            images=len(self._training),
            deviation=settings.pretraining.initial_deviation,
            scale=self._scale,
        ).to(device)

    @property
    def network(self) -> nn.Module:
        """Encoder, decoder, centres, and the memory of the training."""
        return self._dec

    @property
    def stopped(self) -> bool:
        """Whether the clustering is over before its last epoch."""
        return bool(self._dec.stopped)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """All parameters; those that a phase does not train have no gradient in it."""
        return [{"params": list(self._dec.parameters())}]

    def passes_of(self, epoch: int) -> list[HeadPass]:
        """One pass, called by its phase."""
        return [HeadPass(self._dec_settings.phase(epoch).name)]

    def loss(self, one: HeadPass, indices: Tensor, draw: torch.Generator) -> Tensor:
        """The error of a layer or of the whole autoencoder, or KL(P || Q), on one batch, (1,)."""
        images = self._images(indices)
        if one.head == "clustering":
            q = soft_assignment(self._encode(images), self._dec.centres)
            p = self._dec.targets[self._rows[indices].to(self.device)]
            return divergence(p, q).reshape(1)
        if one.head == "finetuning":
            return mean_error(self._decode(self._encode(images)), images).reshape(1)
        return self._layer_loss(int(one.head.removeprefix("layer ")) - 1, images, draw).reshape(1)

    def _layer_loss(self, layer: int, images: Tensor, draw: torch.Generator) -> Tensor:
        own = self._dec_settings.pretraining
        encode, decode = self._dec.pair(layer)
        with autocast(self.device, self.compute):
            with torch.no_grad():
                inputs = self._dec.below(images, layer)
            return layer_error(
                inputs.float(), encode, decode, draw,
                input_dropout=own.dropout if layer or own.corrupt_images else 0,
                dropout=own.dropout,
                first=layer == 0,
                last=layer == self._dec_settings.layers - 1,
            )  # fmt: skip

    def start_clustering(self) -> None:
        """Set the centres by k-means on the codes of all training images, and the first targets."""
        settings = self._dec_settings
        found = kmeans(
            self._training_codes().cpu().numpy(),
            self.k,
            seed=derive(self.seed, "centres"),
            threads=settings.threads,
            restarts=settings.clusters.restarts,
            max_iterations=settings.clusters.max_iterations,
        )
        with torch.no_grad():
            self._dec.centres.copy_(torch.from_numpy(found.centres))
        self._dec.started.fill_(True)
        self._refresh()

    def refresh_targets(self) -> None:
        """Compute P over all training images anew, and stop if too few of them changed cluster."""
        before = self._dec.labels.clone()
        self._refresh()
        changed = float((self._dec.labels != before).double().mean())
        log.info("%s: %.3f %% of the labels changed", self.context.name, 100 * changed)
        self._dec.stopped.fill_(changed < self._dec_settings.tolerance)

    def _refresh(self) -> None:
        with torch.no_grad():
            q = self._soft(self._training_codes())
        self._dec.targets.copy_(target_distribution(q))
        self._dec.labels.copy_(q.argmax(dim=1))

    def predict(self, batch: int, probabilities: bool = False) -> Predictions:
        """Cluster of highest q of the evaluated images, (n, 1), and q (n, 1, k) where asked for.

        Before there are centres: k-means on the codes, which has no probabilities.
        """
        if not self._dec.started:
            return super().predict(batch, probabilities)
        self._batch = batch
        with torch.no_grad():
            q = self._soft(torch.from_numpy(self._codes()).to(self.device)).cpu().numpy()
        clusters = q.argmax(axis=1).astype(np.min_scalar_type(self.k - 1))
        return Predictions(
            clusters[:, None], q[:, None].astype(np.float16) if probabilities else None
        )

    def selection_losses(self) -> tuple[float, ...]:
        """KL(P || Q) over the evaluated images; before there are centres, k-means' inertia."""
        if not self._dec.started:
            return super().selection_losses()
        with torch.no_grad():
            q = self._soft(torch.from_numpy(self._codes()).to(self.device)).double()
            return (float(divergence(target_distribution(q), q)),)

    def _soft(self, codes: Tensor) -> Tensor:
        """Soft assignments (N, k), by batches: what is held on the way is d times as large."""
        parts = torch.split(codes, self._batch)
        return torch.cat([soft_assignment(part, self._dec.centres) for part in parts])

    def _training_codes(self) -> Tensor:
        """Codes of all training images in their order in the dataset's splits, (N, d)."""
        with torch.no_grad():
            parts = torch.split(self._training, self._batch)
            return torch.cat([self._encode(self._images(part)) for part in parts])

    def _unit_scale(self) -> float:
        """What gives the training images a mean square of 1; 1 for black ones."""
        total = 0.0
        for part in torch.split(self._training, self._batch):
            total += float(self._images(part).double().square().sum())
        numbers = len(self._training) * self._dec_settings.autoencoder.inputs
        return float((numbers / total) ** 0.5) if total else 1.0

    def _images(self, indices: Tensor) -> Tensor:
        """Images at the network's size and scale, (U, C, s, s) float32."""
        return super()._images(indices) * self._scale
