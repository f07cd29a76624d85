"""Training on pairs of patches, evaluated by k-means on the features of pixels (Table 4).

What the network is asked about a pair is the method's: see `iic.methods.patch_pairs.doersch` and
`iic.methods.patch_pairs.isola`. Both are evaluated alike, by clusters of the trunk's stretched
features.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from iic.engine.clustering.pixels import cluster_pixels, count_clusters
from iic.engine.device import autocast
from iic.engine.map_context import MapContext
from iic.engine.map_images import MapImages
from iic.engine.seeding import derive, generator
from iic.engine.task import HeadPass, Predictions
from iic.methods.patch_pairs.colour_dropping import (
    ColourStatistics,
    colour_statistics,
    drop_colours,
)
from iic.methods.patch_pairs.masked_mean import masked_mean
from iic.methods.patch_pairs.network import PatchPairNetwork, build_patch_pairs
from iic.methods.patch_pairs.patch_places import PatchPairs
from iic.methods.patch_pairs.settings import PatchPairSettings

CPU = torch.device("cpu")


class DrawPairs(Protocol):
    """Draws where so many pairs of patches lie, and the answers."""

    def __call__(self, count: int, *, generator: torch.Generator) -> PatchPairs:
        """Pairs, `count` rows, from a generator on the CPU."""


@dataclass(frozen=True)
class Pretext:
    """What the network is asked about two patches.

    Args:
        outputs: Numbers that the head gives for a pair.
        draw: Draws pairs.
        losses: Loss of each pair, (n,), from outputs (n, outputs) and targets (n,).
        drop_colours: Whether images lose two of their three colours.
    """

    outputs: int
    draw: DrawPairs
    losses: Callable[[Tensor, Tensor], Tensor]
    drop_colours: bool = False


class PatchContextTask:
    """What the training loop needs to know about features from pairs of patches.

    Labels say which images count in the loss, where the settings want a mask, and nothing more.

    Args:
        context: The run; its protocol says which images are scored.
        pretext: What the network learns.
        device: Where to run.
    """

    def __init__(self, context: MapContext[Any], *, pretext: Pretext, device: torch.device) -> None:
        settings: PatchPairSettings = context.settings
        self.context = context
        self.seed = context.seed
        self.device = device
        self.compute = settings.compute
        self.k = settings.k
        self._settings = settings
        self._pretext = pretext
        self._images = MapImages(
            context,
            maps=settings.maps,
            augmentation=settings.augmentation,
            splits=settings.splits,
            device=device,
        )
        self._colours = self._statistics() if pretext.drop_colours else None
        torch.manual_seed(derive(self.seed, "network"))
        network = build_patch_pairs(
            settings.network, settings.patches.side, settings.patch_head, pretext.outputs
        )
        self._layout = (
            torch.channels_last if self.compute.channels_last else torch.contiguous_format
        )
        self._network: PatchPairNetwork = network.to(device).to(memory_format=self._layout)
        self._forward, self._trunk = (
            torch.compile(part) if self.compute.compile else part
            for part in (self._network, self._network.trunk)
        )

    @property
    def network(self) -> nn.Module:
        """Trunk, branch and joint layers."""
        return self._network

    def parameter_groups(self) -> list[dict[str, Any]]:
        """All parameters."""
        return [{"params": list(self._network.parameters())}]

    def passes_of(self, epoch: int) -> list[HeadPass]:
        """One pass, the same in every epoch."""
        return [HeadPass("patches")]

    def steps(self, one: HeadPass) -> int:
        """Batches in a pass; the last one may be smaller."""
        return math.ceil(len(self._images.training) / self._settings.batch_images)

    def order(self, epoch: int, position: int) -> list[Tensor]:
        """Indices of every batch of a pass, shuffled anew for each, on the host."""
        training = self._images.training
        draw = generator(CPU, self.seed, "order", epoch, position)
        shuffled = training[torch.randperm(len(training), generator=draw)]
        return list(torch.split(shuffled, self._settings.batch_images))

    def examples(self, indices: Tensor) -> int:
        """Pairs of patches of a batch, one an image."""
        return len(indices)

    def loss(self, one: HeadPass, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Mean loss of the pairs of which at least one patch's centre counts, (1,).

        0, and no gradient, where there is none in the batch.
        """
        outputs, target, kept = self.answers(indices, draw)
        return masked_mean(self._pretext.losses(outputs, target), kept).reshape(1)

    def answers(self, indices: Tensor, draw: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """What the network says of one random pair of each image, and what is true.

        Args:
            indices: Images of the batch, (n,).
            draw: Source of the transforms' and of the places' random numbers.

        Returns:
            Outputs (n, outputs), targets (n,), and booleans (n,): which pairs count.
        """
        windows = self._images.crops(indices, draw)
        images, flipped = self._images.transforms.transformed(windows.pixels, 1, draw)
        mask = windows.mask.flip(2).where(flipped[:, None, None], windows.mask)
        if self._colours is not None:
            images = drop_colours(images, self._colours, draw)
        number = 1 if self._settings.patches.shared_place else len(indices)
        # on the CPU and by seed alone: a generator on a GPU would have to be waited for
        places = generator(CPU, draw.initial_seed(), "patches")
        pairs = PatchPairs(
            *(part.to(self.device) for part in self._pretext.draw(number, generator=places))
        )
        with autocast(self.device, self.compute):
            outputs: Tensor = self._forward(
                images.contiguous(memory_format=self._layout), pairs.centre, pairs.other
            )
        rows = torch.arange(len(indices), device=self.device)
        centre, other = (mask[rows, place[:, 0], place[:, 1]] for place in pairs[:2])
        return outputs, pairs.target.expand(len(indices)), centre | other

    def predict(self, batch: int, probabilities: bool = False) -> Predictions:
        """Pixels of each cluster and class in the evaluated images, (n, 1, k, classes) int32.

        The centres are found anew for the present weights; k-means has no probabilities.
        """
        self._network.eval()
        centres = cluster_pixels(
            self._images,
            self._embed,
            self.k,
            self._settings.evaluation_clusters,
            name=self.context.name,
            seed=self.seed,
            threads=self._settings.threads,
            batch=batch,
        )
        counts = count_clusters(
            self._images, self._embed, centres.centres, self.context.classes, batch
        )
        self._network.train()
        return Predictions(counts, None)

    def refresh_statistics(self, batch: int) -> None:
        """Move the trunk's running statistics towards the evaluated images."""
        self._network.train()
        with torch.no_grad():
            for _, windows in self._images.areas(batch):
                self._embed(windows.pixels)

    def selection_losses(self) -> None:
        """There is one sub-head, and nothing to compare."""

    def _embed(self, pixels: Tensor) -> Tensor:
        """The trunk's map (b, d, h', w') float32 of windows (b, C, h, w) uint8, colours and all."""
        images = self._images.transforms.original(pixels)
        with autocast(self.device, self.compute):
            features: Tensor = self._trunk(images.contiguous(memory_format=self._layout))
        return features.float()

    def _statistics(self) -> ColourStatistics:
        """Of the training images' colours, in the order in which the network sees them."""
        data = self.context.data
        found = colour_statistics(data.images, data.sizes, self._images.training.numpy())
        if self._settings.augmentation.channel_order == "bgr":
            found = ColourStatistics(*(one.flip(0) for one in found))
        return ColourStatistics(*(one.to(self.device) for one in found))
