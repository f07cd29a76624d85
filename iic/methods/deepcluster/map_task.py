"""Training by DeepCluster on the pixels of label maps' images (`iic.methods`)."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn import functional

from iic.engine.clustering.pixels import (
    Embed,
    Points,
    budget,
    cluster_pixels,
    count_clusters,
    random_crops,
    sampled,
    spread_first,
)
from iic.engine.clustering.streamed import streamed_kmeans
from iic.engine.clustering.whitening import Whitening, fit_whitening
from iic.engine.context import Outcome
from iic.engine.device import autocast, configure, leased_device
from iic.engine.loop import Loop
from iic.engine.map_context import MapContext
from iic.engine.map_images import MapImages
from iic.engine.seeding import derive, generator
from iic.engine.task import HeadPass, Predictions
from iic.methods.deepcluster.map_network import PseudoLabelledMaps, whiten

if TYPE_CHECKING:
    from iic.methods.deepcluster.map_settings import DeepClusterMapSettings

log = logging.getLogger(__name__)

CPU = torch.device("cpu")
LEFT_OUT = -100
"""Label of a position that nothing is learnt from."""


class DeepClusterMapTask:
    """What the training loop needs to know.

    Args:
        context: The run.
        device: Where to run.
    """

    def __init__(self, context: MapContext[Any], device: torch.device) -> None:
        settings: DeepClusterMapSettings = context.settings
        self.context = context
        self.settings = settings
        self.seed = context.seed
        self.device = device
        self.compute = settings.compute
        self.k = settings.k
        self.images = MapImages(
            context, maps=settings.maps, augmentation=settings.augmentation,
            splits=settings.splits, device=device,
        )  # fmt: skip
        torch.manual_seed(derive(self.seed, "network"))
        self.module = PseudoLabelledMaps(
            settings.network,
            components=min(settings.components, settings.network.channels[-1]),
            clusters=settings.clusters,
        )
        compute = self.compute
        self._layout = torch.channels_last if compute.channels_last else torch.contiguous_format
        self.module.to(device).to(memory_format=self._layout)
        self._trunk = torch.compile(self.module.trunk) if compute.compile else self.module.trunk

    @property
    def network(self) -> nn.Module:
        """Trunk, top layer and teacher."""
        return self.module

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Trunk, and the top layer without momentum, as in the official code.

        So nothing of the optimiser belongs to a layer that is forgotten before each epoch.
        """
        trunk, top = (list(part.parameters()) for part in (self.module.trunk, self.module.top))
        return [{"params": trunk}, {"params": top, "momentum": 0.0}]

    def passes_of(self, epoch: int) -> list[HeadPass]:
        """One pass, the same in every epoch."""
        return [HeadPass("pseudo-labels")]

    def steps(self, one: HeadPass) -> int:
        """Batches in a pass; the last one may be smaller."""
        return math.ceil(len(self.images.training) / self.settings.batch_images)

    def order(self, epoch: int, position: int) -> list[Tensor]:
        """Indices of every batch of a pass, shuffled anew for each, on the host."""
        training = self.images.training
        draw = generator(CPU, self.seed, "order", epoch, position)
        shuffled = training[torch.randperm(len(training), generator=draw)]
        return list(torch.split(shuffled, self.settings.batch_images))

    def examples(self, indices: Tensor) -> int:
        """Images of a batch."""
        return len(indices)

    def loss(self, one: HeadPass, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Cross-entropy of the pseudo-labels, (1,); 0 where the mask leaves no position.

        The teacher labels the crop as it is; what is trained sees its random transform, and a
        mirrored image has mirrored labels.

        Args:
            one: The pass.
            indices: Images of the batch, (U,).
            draw: Source of the transforms' parameters.
        """
        windows = self.images.crops(indices, draw)
        transforms = self.images.transforms
        transformed, flipped = transforms.transformed(windows.pixels, 1, draw)
        with autocast(self.device, self.compute):
            labels = self.module.labels(self._laid(transforms.original(windows.pixels)))
            logits = self.module.top(self._trunk(self._laid(transformed)))
        mask = functional.interpolate(
            windows.mask[:, None].float(), size=labels.shape[1:], mode="nearest-exact"
        )[:, 0]
        labels = labels.where(mask > 0, LEFT_OUT)
        labels = labels.flip(-1).where(flipped[:, None, None], labels)
        return pseudo_label_loss(logits.float(), labels, self.settings.balanced).reshape(1)

    def predict(self, batch: int, probabilities: bool = False) -> Predictions:
        """Pixels of each cluster and class in the evaluated images, (n, 1, k, classes) int32."""
        settings = self.settings
        self.module.eval()
        embed: Embed = self._features
        if settings.evaluate_on == "whitened":
            crops = "evaluation", "directions"
            directions = self._directions(settings.evaluation_clusters.samples, batch, *crops)
            embed = self._whitened(directions)
        found = cluster_pixels(
            self.images, embed, self.k, settings.evaluation_clusters, name=self.context.name,
            seed=self.seed, threads=settings.threads, batch=batch,
        )  # fmt: skip
        counts = count_clusters(self.images, embed, found.centres, self.context.classes, batch)
        self.module.train()
        return Predictions(counts, None)

    def refresh_statistics(self, batch: int) -> None:
        """Move BatchNorm's running statistics towards the evaluated images."""
        self.module.train()
        with torch.no_grad():
            for _, windows in self.images.areas(batch):
                self._features(windows.pixels)

    def selection_losses(self) -> None:
        """None: there is a single k-means, and nothing to choose from."""

    def recluster(self, epoch: int) -> None:
        """New pseudo-labels, those of the trunk as it is now, and a new top layer."""
        settings, batch = self.settings, self.settings.schedule.evaluation_batch
        place = ("pseudo-labels", epoch)
        self.module.eval()
        directions = self._directions(settings.samples, batch, *place)
        features = self._sampled(settings.samples, settings.samples, batch, *place)
        first = spread_first(
            self.images, self._features, settings.samples, batch, self.seed, *place
        )
        whitened = (directions(one) for one in chain(first, features))
        with threadpool_limits(settings.threads):
            found = streamed_kmeans(
                whitened, settings.clusters, name=self.context.name,
                seed=derive(self.seed, *place) % 2**32, threads=settings.threads,
                restarts=settings.pseudo_restarts, max_iterations=settings.pseudo_iterations,
            )  # fmt: skip
        self.module.new_teacher()
        self.module.set_clusters(directions.mean, directions.projection, found.centres)
        self.module.reset_top(generator(CPU, self.seed, "top", epoch))
        self.module.train()
        log.info("%s: epoch %d: clusters of %d pixels", self.context.name, epoch + 1, found.points)

    def _sampled(
        self, samples: int, images: int, batch: int, *place: str | int
    ) -> Iterator[Points]:
        """Features of pixels of random crops, the same pixels for the same place.

        Args:
            samples: Most pixels where all images are taken.
            images: Most images.
            batch: Images at a time.
            *place: What the pixels are for, to seed crops and pixels by.
        """
        each = budget(samples, len(self.images.training))
        crops = random_crops(self.images, images, batch, self.seed, *place)
        return sampled(crops, self._features, each, "uniform", self.seed, *place, "pixels")

    def _directions(self, samples: int, batch: int, *place: str | int) -> Whitening:
        images = self.settings.directions_images(samples, len(self.images.training))
        features = self._sampled(samples, images, batch, *place)
        with threadpool_limits(self.settings.threads):
            return fit_whitening(features, self.settings.components, self.context.name)

    def _whitened(self, directions: Whitening) -> Embed:
        mean, projection = (
            torch.from_numpy(one).to(self.device)
            for one in (directions.mean, directions.projection)
        )
        return lambda pixels: whiten(self._features(pixels), mean, projection)

    def _features(self, pixels: Tensor) -> Tensor:
        """The trunk's features (b, d, h', w') of uint8 windows (b, C, h, w)."""
        with autocast(self.device, self.compute):
            features: Tensor = self._trunk(self._laid(self.images.transforms.original(pixels)))
        return features.float()

    def _laid(self, images: Tensor) -> Tensor:
        return images.contiguous(memory_format=self._layout)


def pseudo_label_loss(logits: Tensor, labels: Tensor, balanced: bool) -> Tensor:
    """Mean cross-entropy, a scalar; 0 where every position is left out.

    Args:
        logits: (n, k, h, w).
        labels: (n, h, w) int64; `LEFT_OUT` where nothing is learnt.
        balanced: Whether each cluster in the batch counts the same, and not each position.
    """
    weights = torch.ones(logits.shape[1], device=logits.device)
    if balanced:
        sizes = torch.bincount(labels[labels >= 0], minlength=len(weights))
        weights = 1 / sizes.clamp(min=1).float()
    total = functional.cross_entropy(
        logits, labels, weight=weights, ignore_index=LEFT_OUT, reduction="sum"
    )
    there = weights[labels.clamp(min=0)].where(labels >= 0, 0).sum()
    return total / there.clamp(min=torch.finfo(there.dtype).tiny)


class DeepClusterMapLoop(Loop):
    """The training loop, with new pseudo-labels before each epoch."""

    task: DeepClusterMapTask

    def begin_epoch(self, epoch: int) -> None:
        """New pseudo-labels, which follow from the weights and are then in the network."""
        self.task.recluster(epoch)


def train_deepcluster_segmentation(context: MapContext[Any]) -> Outcome:
    """Train to the end, or go on from the run's checkpoint.

    Args:
        context: The run, with `DeepClusterMapSettings`.

    Raises:
        CheckpointError: The run's checkpoint was made by other settings, data or code.
        IICError: The settings ask for a GPU and there is none; fewer pixels are left by the mask
            than there are clusters.
        NonFiniteLoss: The loss was NaN or infinite; the last checkpoint is left.
        Interrupted: SIGTERM or SIGINT came; a checkpoint of this very step is left.
    """
    settings: DeepClusterMapSettings = context.settings
    with leased_device(settings.gpu) as device:
        deterministic = configure(device, settings.threads)
        task = DeepClusterMapTask(context, device)
        return DeepClusterMapLoop(task, settings.optimiser, settings.schedule, deterministic).run()
