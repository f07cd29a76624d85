"""Training on pairs of patches, evaluated by k-means on the features of pixels (Table 4).

What the network is asked about a pair is the method's: see `iic.methods.patch_pairs.doersch` and
`iic.methods.patch_pairs.isola`. Both are evaluated alike, by clusters of the trunk's stretched
features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from iic.engine.context import RunContext
from iic.engine.device import moved
from iic.engine.map_task import PixelFeatureTask
from iic.engine.seeding import generator
from iic.engine.task import CPU
from iic.methods.patch_pairs.colour_dropping import (
    ColourStatistics,
    colour_statistics,
    drop_colours,
)
from iic.methods.patch_pairs.masked_mean import masked_mean
from iic.methods.patch_pairs.network import PatchPairNetwork, build_patch_pairs
from iic.methods.patch_pairs.patch_places import PatchPairs

if TYPE_CHECKING:
    from iic.methods.patch_pairs.settings import PatchPairSettings


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
        chance: Loss of the same answer to every question, the best there is.
        drop_colours: Whether images lose two of their three colours.
    """

    outputs: int
    draw: DrawPairs
    losses: Callable[[Tensor, Tensor], Tensor]
    chance: float
    drop_colours: bool = False


class PatchPairTask(PixelFeatureTask[PatchPairNetwork]):
    """Features from pairs of patches.

    Labels say which images count in the loss, where the settings want a mask, and nothing more.

    Args:
        context: The run.
        device: Where to run.
        pretext: What the network learns.
    """

    PASS = "patches"
    settings: PatchPairSettings

    def __init__(self, context: RunContext[Any], device: torch.device, *, pretext: Pretext) -> None:
        super().__init__(context, device)
        self.pretext = pretext

    def build(self) -> PatchPairNetwork:
        """Trunk, branch and joint layers."""
        own = self.settings
        return build_patch_pairs(
            own.network, own.patches.side, own.patch_head, self.pretext.outputs
        )

    @property
    def chance(self) -> float:
        """Loss of the same answer to every question."""
        return self.pretext.chance

    @cached_property
    def colours(self) -> ColourStatistics | None:
        """Of the training images, in the order in which the network sees them, if it drops any."""
        if not self.pretext.drop_colours:
            return None
        data = self.context.data
        statistics = colour_statistics(data.images, data.sizes, self.training.numpy())
        if self.settings.augmentation.channel_order == "bgr":
            statistics = ColourStatistics(*(part.flip(0) for part in statistics))
        return ColourStatistics(*(part.to(self.device) for part in statistics))

    def loss(self, head: str, indices: Tensor, draw: torch.Generator) -> Tensor:
        """Mean loss of the pairs of which at least one patch's centre counts, (1,).

        0, and no gradient, where there is none in the batch.
        """
        outputs, target, kept = self.answers(indices, draw)
        return masked_mean(self.pretext.losses(outputs, target), kept).reshape(1)

    def answers(self, indices: Tensor, draw: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """What the network says of one random pair of each image, and what is true.

        Args:
            indices: Images of the batch, (n,).
            draw: Source of the transforms' and of the places' random numbers.

        Returns:
            Outputs (n, outputs), targets (n,), and booleans (n,): which pairs count.
        """
        windows = self.images.crops(indices, draw)
        images, flipped = self.images.transforms.transformed(windows.pixels, 1, draw)
        mask = windows.mask.flip(2).where(flipped[:, None, None], windows.mask)
        if self.colours is not None:
            images = drop_colours(images, self.colours, draw)
        number = 1 if self.settings.patches.shared_place else len(indices)
        # on the CPU and by seed alone: a generator on a GPU would have to be waited for
        places = generator(CPU, draw.initial_seed(), "patches")
        pairs = PatchPairs(
            *(moved(part, self.device) for part in self.pretext.draw(number, generator=places))
        )
        outputs: Tensor = self.forward(self.network, images, pairs.centre, pairs.other)
        rows = torch.arange(len(indices), device=self.device)
        centre, other = (mask[rows, patch[:, 0], patch[:, 1]] for patch in pairs[:2])
        return outputs, pairs.target.expand(len(indices)), centre | other

    def evaluate(self, pixels: Tensor) -> Tensor:
        """The trunk's map (b, d, h', w') float32 of windows (b, C, h, w) uint8, colours and all."""
        images = self.images.transforms.original(pixels)
        features: Tensor = self.forward(self.network.trunk, images)
        return features.float()

    def kept(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The trunk's weights alone.

        At the paper's size the head on patches is 98 % of all weights, and nothing reads it any
        more.
        """
        return {name: tensor for name, tensor in tensors.items() if name.startswith("trunk.")}
