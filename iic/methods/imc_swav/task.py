"""Training of IMC-SwAV: what differs from `iic.engine.task.Task`."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from iic.augment.multi_crop import MultiCrop
from iic.engine.device import moved
from iic.engine.image_task import ImageTask
from iic.engine.pretrained import load_parts
from iic.methods.imc_swav.loss import information_loss, logit_penalty, swap_loss
from iic.methods.imc_swav.network import IMCSwAVNetwork
from iic.records.paths import RunPaths

if TYPE_CHECKING:
    from iic.methods.imc_swav.settings import IMCSwAVSettings

FROZEN = ("encoder", "assigner")
"""Parts of the network that a run which starts from another one never changes."""
MEMORY = ("bank.", "steps.")
"""Of the network's tensors those that only the training needs."""


class IMCSwAVTask(ImageTask[IMCSwAVNetwork]):
    """Two losses at once: crops predict each other's codes, and a classifier reads the features."""

    PASS = "crops"
    settings: IMCSwAVSettings

    def build(self) -> IMCSwAVNetwork:
        """Encoder, prototypes and classifier, all or the last of them new.

        Raises:
            IICError: The weights to start from are of another network.
            RecordError: They are absent or damaged.
        """
        own, context = self.settings, self.context
        bank = (len(own.crops.kinds), 2 * own.batch_images) if own.banked else None
        network = IMCSwAVNetwork(own.encoder, **own.shape, bank=bank)
        if own.start_from is not None:
            dataset = context.paths.run.split("/")[0]
            base = RunPaths(context.paths.scale, f"{dataset}/{own.start_from}", self.seed)
            parts = (*FROZEN, "classifier") if own.classifier == "kept" else FROZEN
            load_parts(network, parts, context.root / base.weights, own.checkpoint)
            for part in FROZEN:
                getattr(network, part).requires_grad_(False)
            # that run's last step has moved them
            network.assigner.normalise()
        return network

    @cached_property
    def crops(self) -> MultiCrop:
        """The random crops."""
        return MultiCrop(self.settings.crops)

    @cached_property
    def training(self) -> Tensor:
        """Images that are trained on, int64 on the host, ascending, (n,)."""
        images = torch.from_numpy(self.context.data.indices(self.settings.trained_splits))
        if self.settings.subset is None:
            return images
        return self.shuffled(images, "subset")[: self.settings.subset].sort().values

    @property
    def epochs(self) -> int:
        """Epochs in all."""
        return self.settings.epochs

    @cached_property
    def of_classifier(self) -> Tensor:
        """Images that the classifier is trained on, int64 on the host."""
        return torch.from_numpy(self.context.data.indices(self.settings.classifier_splits))

    def parameter_groups(self) -> list[dict[str, Any]]:
        """All that is trained, with its decay."""
        trained = self.network.parameters()
        if self.settings.start_from is not None:
            trained = self.network.classifier.parameters()
        return [{"params": list(trained), "weight_decay": self.settings.weight_decay}]

    def steps(self, head: str) -> int:
        """Whole batches of a pass."""
        return len(self.training) // self.batch_images

    def order(self, epoch: int, position: int) -> list[Tensor]:
        """Indices of every whole batch, shuffled anew."""
        return super().order(epoch, position)[: self.steps(self.PASS)]

    def begin_epoch(self, epoch: int, optimiser: torch.optim.Optimizer) -> None:
        """Empty the bank."""
        if self.network.bank is not None:
            self.network.bank.images.set(0)

    def loss(self, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Loss of one batch of images, (1,); `draw` is the source of all chance."""
        own, network = self.settings, self.network
        crops = self.crops.crops(self.store.batch(indices), draw)
        if own.start_from is not None:
            network.encoder.eval()
            with torch.no_grad():
                features, scores = self._views(crops)
            return self.clustering(features, scores).reshape(1)
        self._thaw()
        features, scores = self._views(crops)
        loss = swap_loss(
            scores.unbind(),
            own.crops.large.count,
            temperature=own.temperature,
            epsilon=own.epsilon,
            iterations=own.sinkhorn_iterations,
        )
        kept, of_them = self._banked(indices, features if own.joint else features.detach(), scores)
        if kept.shape[1]:
            loss = loss + self.clustering(kept, of_them)
        return loss.reshape(1)

    def clustering(self, features: Tensor, scores: Tensor) -> Tensor:
        """The classifier's loss: information and penalty, a scalar.

        Args:
            features: Of every crop of some images, (T, n, d).
            scores: Their cosines with the prototypes, (T, n, K); a target, without gradient.
        """
        own = self.settings
        logits = torch.stack([self.network.classifier(view) for view in features])
        information = information_loss(
            logits.softmax(dim=2),
            (scores.detach() / own.temperature).softmax(dim=2),
            own.entropy_weight,
        )
        return information + own.penalty_weight * logit_penalty(logits, own.penalty_bound)

    def evaluate(self, indices: Tensor) -> Tensor:
        """Logits of the whole images, (n, 1, k)."""
        logits: Tensor = self.network.classifier(self._features(self.store.batch(indices)))
        return logits[:, None]

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Probabilities of the clusters, (n, 1, k)."""
        return outputs.softmax(dim=2)

    def kept(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The weights, without what only the training needs."""
        return {name: tensor for name, tensor in tensors.items() if not name.startswith(MEMORY)}

    def _features(self, images_uint8: Tensor) -> Tensor:
        images = self.crops.evaluation(images_uint8)
        features: Tensor = self.forward(self.network.encoder, images)
        return features.float()

    def _views(self, crops: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Features (T, n, d) and scores (T, n, K), each crop a batch of its own for BatchNorm."""
        encoder, assigner = self.network.encoder, self.network.assigner
        features = torch.stack([self.forward(encoder, crop).float() for crop in crops])
        return features, assigner(features.flatten(0, 1)).unflatten(0, features.shape[:2])

    def _thaw(self) -> None:
        """Count the step, and train the prototypes once the first steps are over."""
        network = self.network
        trained = network.steps.value >= self.settings.frozen_prototypes
        network.assigner.prototypes.requires_grad_(trained)
        if trained:
            network.assigner.normalise()
        network.steps.set(network.steps.value + 1)

    def _banked(self, indices: Tensor, features: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """What the classifier is trained on in this step: the batch, the bank, or nothing."""
        bank = self.network.bank
        if bank is None:
            return features, scores
        rows = torch.isin(indices, self.of_classifier).nonzero().flatten()
        chosen = moved(rows, self.device)
        bank.add(features[:, chosen], scores[:, chosen])
        if bank.images.value < self.batch_images:
            return features[:, :0], scores[:, :0]
        content = bank.content()
        bank.images.set(0)
        return content
