"""Released networks that group images, net5g and net6c: their sizes, and the best sub-head."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from iic.engine.device import configured, leased_device
from iic.methods.iic.method import Settings
from iic.methods.iic.task import ClusteringTask
from iic.own.choice import BATCH, Choice, check, save_choice
from iic.own.errors import OwnDataError
from iic.own.frozen import Frozen
from iic.own.kinds import ImageKind, Tensors
from iic.own.model import CHOICE, FitRequest, OwnModel
from iic.own.reading import Images
from iic.own.released import Released
from iic.own.training import SeedRecord, Trained, context_of, prepared
from iic.own.writing import Fitted, write_groups
from iic.params.augmentation import AugmentationSettings, ColourAugmentation, GreyAugmentation
from iic.params.training import HeadSettings, PairSettings, ScheduleSettings
from iic.provenance.machine import usable_processors

WORKING = {24: (28, 20), 32: (32, 20), 64: (96, 64), 96: (96, 96)}
"""Side of the network's input -> side of images and of crops in the release's commands: those of
MNIST, CIFAR and STL10."""
COLOURS: dict[int, dict[str, Any]] = {
    2: {"channels": "grey", "sobel": True},
    5: {"channels": "rgb+grey", "sobel": True},
    4: {"channels": "rgb+grey", "sobel": False},
}
"""Channels of the input -> what they are."""


@dataclass(frozen=True)
class ReleasedKind(ImageKind):
    """Images for a network that may have statistics of its own."""

    tracked: bool = False

    def network(self, settings: Settings, weights: Tensors) -> Frozen:
        """With its own statistics, or with those of all images where it kept none."""
        return Frozen(settings, weights) if self.tracked else super().network(settings, weights)


class ReleasedGroups:
    """A released network at the sizes of the release's commands.

    Args:
        released: Its weights.
        side: Working size of images in pixels, if another one.
        input_size: Side of its input, as for `Released.network`.
        crop: Side of the central crop in pixels, if another one.

    Raises:
        OwnDataError: Weights are missing, or are for another input.
    """

    def __init__(
        self, released: Released, side: int | None, input_size: int | None, crop: int | None
    ) -> None:
        self.released = released
        with released.complete():
            self.network = released.network(input_size)
        seen = self.network.input_size
        usual_side, usual_crop = WORKING.get(seen, (seen, seen))
        self.side = side or usual_side
        self.transforms = self._transforms(crop or usual_crop)
        self.channels: Literal[1, 3] = 1 if self.transforms.image_channels == 1 else 3

    def write(
        self,
        out: Path,
        request: FitRequest,
        images: Images,
        work: Path,
        seconds: dict[str, float],
    ) -> OwnModel:
        """Compare the sub-heads on images, and write the model."""
        settings = self._settings(len(images.names))
        choice = Choice(side=self.side, channels=self.channels, seeds=(0,), settings=settings)
        check(choice, len(images.names), self.released.source)
        run = self._compared(settings, images, work)
        save_choice(out / CHOICE, choice)
        grey_taken = self.channels == 1
        fitted = Fitted(request, choice, images, [run], seconds, {}, grey_taken=grey_taken)
        return write_groups(out, fitted, ReleasedKind(images.pixels, tracked=self.released.tracked))

    def _transforms(self, crop: int) -> AugmentationSettings:
        sizes: dict[str, Any] = {"crop": crop, "input_size": self.network.input_size}
        channels = self.network.in_channels
        if channels == 1:
            crops = tuple(min(self.side, round(crop * share)) for share in (0.8, 1, 1.2))
            return GreyAugmentation(**sizes, crops=crops)
        if channels not in COLOURS:
            raise OwnDataError(
                f"{self.released.source}: the weights see {channels} channels\n"
                "  allowed: 1 (grey), 2 (Sobel), 4 (RGB and grey), 5 (RGB and Sobel)"
            )
        return ColourAugmentation(**sizes, **COLOURS[channels])

    def _settings(self, count: int) -> Settings:
        images = min(count, BATCH)
        clusters = self.released.clusters
        return Settings(
            network=self.network,
            augmentation=self.transforms,
            sub_heads=self.released.sub_heads,
            pairs=PairSettings(batch_pairs=2 * images, repeats=2),
            head_a=HeadSettings(k=clusters["A"]),
            head_b=HeadSettings(k=clusters["B"]),
            schedule=ScheduleSettings(epochs=0, evaluation_batch=images),
            threads=usable_processors(),
        )

    def _compared(self, settings: Settings, images: Images, work: Path) -> Trained:
        """What a training of no steps would leave: the losses of all sub-heads on the images."""
        context = context_of(prepared(images.pixels), settings, 0, work, "", False)
        with (
            torch.random.fork_rng(devices=[]),
            leased_device(settings.gpu) as device,
            configured(device, settings.threads, settings.compute),
        ):
            task = ClusteringTask(context, device)
            self.released.load_into(task.network)
            losses = task.selection_losses()
            assert losses is not None
            clusters: NDArray[np.int64] = task.predict().clusters.astype(np.int64)
        record = SeedRecord(seed=0, losses=losses, steps=0, seconds=0.0, history=[], sessions=[])
        return Trained(record, self.released.tensors, clusters)
