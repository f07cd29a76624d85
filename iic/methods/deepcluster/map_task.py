"""Training by DeepCluster on the pixels of label maps' images (`iic.methods.deepcluster.maps`)."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.nn import functional

from iic.engine.clustering.pixels import (
    Embed,
    Points,
    budget,
    random_crops,
    sampled,
    spread_first,
)
from iic.engine.clustering.streamed import streamed_kmeans
from iic.engine.clustering.whitening import Whitening, fit_whitening
from iic.engine.device import autocast
from iic.engine.map_task import PixelFeatureTask
from iic.engine.seeding import derive, generator
from iic.engine.task import CPU
from iic.methods.deepcluster.map_network import PseudoLabelledMaps, whiten

if TYPE_CHECKING:
    from iic.methods.deepcluster.map_settings import DeepClusterMapSettings

log = logging.getLogger(__name__)

LEFT_OUT = -100
"""Label of a position that nothing is learnt from."""


class DeepClusterMapTask(PixelFeatureTask[PseudoLabelledMaps]):
    """DeepCluster on pixels."""

    PASS = "pseudo-labels"
    settings: DeepClusterMapSettings

    def build(self) -> PseudoLabelledMaps:
        """Trunk, top layer and teacher."""
        settings = self.settings
        return PseudoLabelledMaps(
            settings.network,
            components=min(settings.components, settings.network.channels[-1]),
            clusters=settings.clusters,
        )

    @property
    def chance(self) -> float:
        """Loss of all pseudo-classes alike."""
        return math.log(self.settings.clusters)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Trunk, and the top layer without momentum, as in the official code.

        So nothing of the optimiser belongs to a layer that is forgotten before each epoch.
        """
        trunk, top = (list(part.parameters()) for part in (self.network.trunk, self.network.top))
        return [{"params": trunk}, {"params": top, "momentum": 0.0}]

    def loss(self, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Cross-entropy of the pseudo-labels, (1,); 0 where the mask leaves no position.

        The teacher labels the crop as it is; what is trained sees its random transform, and a
        mirrored image has mirrored labels.

        Args:
            head: The pass.
            indices: Images of the batch, (U,).
            draw: Source of the transforms' parameters.
        """
        windows = self.images.crops(indices, draw)
        transforms = self.images.transforms
        transformed, flipped = transforms.transformed(windows.pixels, 1, draw)
        original = transforms.original(windows.pixels).contiguous(memory_format=self.layout)
        with autocast(self.device, self.compute):
            labels = self.network.labels(original)
            logits = self.network.top(self.forward(self.network.trunk, transformed))
        mask = functional.interpolate(
            windows.mask[:, None].float(), size=labels.shape[1:], mode="nearest-exact"
        )[:, 0]
        labels = labels.where(mask > 0, LEFT_OUT)
        labels = labels.flip(-1).where(flipped[:, None, None], labels)
        return pseudo_label_loss(logits.float(), labels, self.settings.balanced).reshape(1)

    def begin_epoch(self, epoch: int, optimiser: torch.optim.Optimizer) -> None:
        """New pseudo-labels, those of the trunk as it is now, and a new top layer.

        They follow from the weights, and are in the network afterwards.
        """
        settings, samples = self.settings, self.settings.samples
        purpose = ("pseudo-labels", epoch)
        self.network.eval()
        directions = self._directions(samples, *purpose)
        features = self._sampled(samples, samples, *purpose)
        first = spread_first(
            self.images, self.evaluate, samples, self.evaluation_batch, self.seed, *purpose
        )
        whitened = (directions(points) for points in chain(first, features))
        with threadpool_limits(settings.threads):
            clustering = streamed_kmeans(
                whitened,
                settings.clusters,
                name=self.context.name,
                seed=derive(self.seed, *purpose) % 2**32,
                threads=settings.threads,
                restarts=settings.pseudo_restarts,
                max_iterations=settings.pseudo_iterations,
            )
        self.network.new_teacher()
        self.network.set_clusters(directions.mean, directions.projection, clustering.centres)
        self.network.reset_top(generator(CPU, self.seed, "top", epoch))
        self.network.train()
        log.info(
            "%s: epoch %d: clusters of %d pixels", self.context.name, epoch + 1, clustering.points
        )

    def evaluate(self, pixels: Tensor) -> Tensor:
        """The trunk's features (b, d, h', w') of uint8 windows (b, C, h, w)."""
        images = self.images.transforms.original(pixels)
        features: Tensor = self.forward(self.network.trunk, images)
        return features.float()

    def embedding(self) -> Embed:
        """Features as they are, or whitened ones of length 1."""
        settings = self.settings
        if settings.evaluate_on == "features":
            return self.evaluate
        samples = settings.evaluation_clusters.samples
        directions = self._directions(samples, "evaluation", "directions")
        mean, projection = (
            torch.from_numpy(part).to(self.device)
            for part in (directions.mean, directions.projection)
        )
        return lambda pixels: whiten(self.evaluate(pixels), mean, projection)

    def _sampled(self, samples: int, images: int, *purpose: str | int) -> Iterator[Points]:
        """Features of pixels of random crops, the same pixels for the same purpose.

        Args:
            samples: Most pixels where all images are taken.
            images: Most images.
            *purpose: What the pixels are for, to seed crops and pixels by.
        """
        each = budget(samples, len(self.training))
        crops = random_crops(self.images, images, self.evaluation_batch, self.seed, *purpose)
        return sampled(crops, self.evaluate, each, "uniform", self.seed, *purpose, "pixels")

    def _directions(self, samples: int, *purpose: str | int) -> Whitening:
        images = self.settings.directions_images(samples, len(self.training))
        features = self._sampled(samples, images, *purpose)
        with threadpool_limits(self.settings.threads):
            return fit_whitening(features, self.settings.components, self.context.name)


def pseudo_label_loss(logits: Tensor, labels: Tensor, balanced: bool) -> Tensor:
    """Mean cross-entropy, a scalar; 0 where every position is left out.

    Args:
        logits: (n, k, h, w).
        labels: (n, h, w) int64; `LEFT_OUT` where nothing is learnt.
        balanced: Whether each cluster in the batch counts the same, and not each position.
    """
    weights = torch.ones(logits.shape[1], device=logits.device)
    if balanced:
        # neither `bincount` nor a selection by mask, for which a GPU would have to be waited for
        places = (labels + 1).clamp(min=0).flatten()
        sizes = torch.zeros(len(weights) + 1, dtype=torch.int64, device=logits.device)
        sizes.scatter_add_(0, places, torch.ones_like(places))
        weights = 1 / sizes[1:].clamp(min=1).float()
    total = functional.cross_entropy(
        logits, labels, weight=weights, ignore_index=LEFT_OUT, reduction="sum"
    )
    weight = weights[labels.clamp(min=0)].where(labels >= 0, 0).sum()
    return total / weight.clamp(min=torch.finfo(weight.dtype).tiny)
