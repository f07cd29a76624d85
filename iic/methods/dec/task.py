"""DEC in the training loop: its stages as epochs, its targets and its stop."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from iic.engine.clustering.kmeans import kmeans
from iic.engine.device import autocast, moved
from iic.engine.seeding import derive
from iic.engine.task import Predictions
from iic.methods.autoencoders.task import CodeTask
from iic.methods.dec.loss import (
    divergence,
    layer_error,
    mean_error,
    soft_assignment,
    target_distribution,
)
from iic.methods.dec.network import MEMORY, DECNetwork

if TYPE_CHECKING:
    from iic.methods.dec.settings import DECSettings

log = logging.getLogger(__name__)


class DECTask(CodeTask[DECNetwork]):
    """An autoencoder whose codes are clustered by k-means at first, by its own centres later.

    The loss of the one "sub-head" is the inertia, and after that KL(P || Q) over the evaluated
    images, P being theirs.
    """

    settings: DECSettings

    def build(self) -> DECNetwork:
        """Encoder, decoder, centres, and the memory of the training."""
        settings = self.settings
        network = DECNetwork(
            settings.autoencoder, k=self.k, images=len(self.training), scale=self.scale
        )
        torch.manual_seed(derive(self.seed, "network", "dec"))
        network.initialise(settings.pretraining.initial_deviation)
        return network

    @cached_property
    def scale(self) -> float:
        """Factor on pixels: what gives the training images a mean square of 1; 1 for black ones."""
        if self.settings.scale:
            return self.settings.scale
        total = 0.0
        for batch in torch.split(self.training, self.evaluation_batch):
            total += float(super().inputs(batch).double().square().sum())
        numbers = len(self.training) * self.settings.autoencoder.inputs
        return float((numbers / total) ** 0.5) if total else 1.0

    @cached_property
    def rows(self) -> Tensor:
        """Row of each training image in the targets; -1 for any other image before the last."""
        rows = torch.full((int(self.training.max()) + 1,), -1)
        rows[self.training] = torch.arange(len(self.training))
        return rows

    @property
    def epochs(self) -> int:
        """Those of the pretraining too."""
        return self.settings.total_epochs

    def passes_of(self, epoch: int) -> list[str]:
        """One pass, called by its phase."""
        return [self.settings.phase(epoch).name]

    def begin_epoch(self, epoch: int, optimiser: torch.optim.Optimizer) -> None:
        """Set the learning rate; at a phase's start forget all momentum, and set the centres."""
        phase = self.settings.phase(epoch)
        if phase.epoch == 0:
            optimiser.state.clear()
            # a gradient of zeros would let the optimiser touch what this phase does not train
            optimiser.zero_grad(set_to_none=True)
            if phase.stage == "clustering":
                self.start_clustering()
        for group in optimiser.param_groups:
            group["lr"] = self.settings.learning_rate(phase)

    def end_epoch(self, epoch: int) -> bool:
        """After an epoch of clustering: new targets where they are due, and perhaps the end."""
        phase = self.settings.phase(epoch)
        if phase.stage == "clustering" and (phase.epoch + 1) % self.settings.refresh_epochs == 0:
            self.refresh_targets()
        return bool(self.network.stopped)

    def kept(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """All but the memory of single images."""
        return {name: tensor for name, tensor in tensors.items() if name not in MEMORY}

    def loss(self, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        """The error of a layer or of the whole autoencoder, or KL(P || Q), on one batch, (1,)."""
        images = self.inputs(indices)
        if head == "clustering":
            q = soft_assignment(self.encode(images), self.network.centres)
            p = self.network.targets[moved(self.rows[indices], self.device)]
            return divergence(p, q).reshape(1)
        if head == "finetuning":
            return mean_error(self.decode(self.encode(images)), images).reshape(1)
        return self._layer_loss(int(head.removeprefix("layer ")) - 1, images, draw).reshape(1)

    def _layer_loss(self, layer: int, images: Tensor, draw: torch.Generator) -> Tensor:
        own = self.settings.pretraining
        encode, decode = self.network.pair(layer)
        with autocast(self.device, self.compute):
            with torch.no_grad():
                inputs = self.network.below(images, layer)
            return layer_error(
                inputs.float(),
                encode,
                decode,
                draw,
                input_dropout=own.dropout if layer or own.corrupt_images else 0,
                dropout=own.dropout,
                first=layer == 0,
                last=layer == self.settings.layers - 1,
            )

    def start_clustering(self) -> None:
        """Set the centres by k-means on the codes of all training images, and the first targets."""
        settings = self.settings
        clustering = kmeans(
            self._training_codes().cpu().numpy(),
            self.k,
            seed=derive(self.seed, "centres"),
            threads=settings.threads,
            restarts=settings.clusters.restarts,
            max_iterations=settings.clusters.max_iterations,
        )
        with torch.no_grad():
            self.network.centres.copy_(torch.from_numpy(clustering.centres))
        self.network.started.fill_(True)
        self._set_targets()

    def refresh_targets(self) -> None:
        """Compute P over all training images anew, and stop if too few of them changed cluster."""
        before = self.network.labels.clone()
        self._set_targets()
        changed = float((self.network.labels != before).double().mean())
        log.info("%s: %.3f %% of the labels changed", self.context.name, 100 * changed)
        self.network.stopped.fill_(changed < self.settings.tolerance)

    def _set_targets(self) -> None:
        with torch.no_grad():
            q = self._soft(self._training_codes())
        self.network.targets.copy_(target_distribution(q))
        self.network.labels.copy_(q.argmax(dim=1))

    def predict(self, probabilities: bool = False) -> Predictions:
        """Cluster of highest q of the evaluated images, (n, 1), and q (n, 1, k) where asked for.

        Before there are centres: k-means on the codes, which has no probabilities.
        """
        if not self.network.started:
            return super().predict(probabilities)
        q = self._evaluated_q().cpu().numpy()
        clusters = q.argmax(axis=1).astype(np.min_scalar_type(self.k - 1))
        return Predictions(
            clusters[:, None], q[:, None].astype(np.float16) if probabilities else None
        )

    def selection_losses(self) -> tuple[float, ...] | None:
        """KL(P || Q) over the evaluated images; before there are centres, k-means' inertia."""
        if not self.network.started:
            return super().selection_losses()
        q = self._evaluated_q().double()
        return (float(divergence(target_distribution(q), q)),)

    def _evaluated_q(self) -> Tensor:
        """Soft assignments of the evaluated images, (n, k)."""
        with torch.no_grad():
            return self._soft(torch.from_numpy(self.points()).to(self.device))

    def _soft(self, codes: Tensor) -> Tensor:
        """Soft assignments (N, k), by batches: what is held on the way is d times as large."""
        parts = torch.split(codes, self.evaluation_batch)
        return torch.cat([soft_assignment(part, self.network.centres) for part in parts])

    def _training_codes(self) -> Tensor:
        """Codes of all training images in their order in the dataset's splits, (N, d)."""
        return torch.cat(list(self.evaluations(self.training)))

    def inputs(self, indices: Tensor) -> Tensor:
        """Images at the network's size and scale, (U, C, s, s) float32."""
        return super().inputs(indices) * self.scale
