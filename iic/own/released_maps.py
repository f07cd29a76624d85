"""The released network that segments images, net10a, at the sizes of COCO-Stuff."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch

from iic.engine.device import configured, leased_device
from iic.methods.iic.maps import Settings
from iic.own.choice import save_choice
from iic.own.errors import OwnDataError
from iic.own.map_training import BATCH, MapChoice, OwnMapTask, map_context, prepared_maps
from iic.own.model import CHOICE, FitRequest, OwnModel
from iic.own.reading import Images
from iic.own.released import Released
from iic.own.segment import write_maps
from iic.own.training import SeedRecord, Trained
from iic.own.writing import Fitted
from iic.params.segmentation import MapSettings, SegmentationAugmentation, ShiftSettings
from iic.params.training import HeadSettings, PairSettings, ScheduleSettings
from iic.provenance.machine import usable_processors

SIDE = 158
"""Shorter side of most images of COCO, 480 pixels, times the release's 0.33."""
INPUT = 128
SHIFT = 10 / 128
"""Largest displacement of the objective that compares sub-heads, as a share of the input."""
SOBEL = {3: False, 5: True}
"""Channels of the input -> whether Sobel gradients are among them."""


class ReleasedMaps:
    """A released network of segmentation.

    Args:
        released: Its weights.
        side: Shorter side of images in pixels, if not that of COCO's in the release.
        input_size: Side of the crops on which sub-heads are compared, in pixels; even.
        crop: Not taken: predictions are of whole images.

    Raises:
        OwnDataError: Weights are missing or keep no statistics, or are for images with infrared.
    """

    channels: Literal[1, 3] = 3

    def __init__(
        self, released: Released, side: int | None, input_size: int | None, crop: int | None
    ) -> None:
        self.released = released
        self.side = side or SIDE
        seen = input_size or min(INPUT, self.side // 2 * 2)
        if crop is not None:
            raise OwnDataError("--crop: net10a sees whole images: leave it out")
        if seen > self.side:
            raise OwnDataError(
                f"--input-size {seen}: larger than images of {self.side} pixels\n"
                f"  allowed: at most {self.side}, or a larger --size"
            )
        if not released.tracked:
            raise OwnDataError(
                f"{released.source}: BatchNorm kept no statistics, so the clusters of an image "
                "would depend on others\n  allowed: weights of a training with --batchnorm_track"
            )
        with released.complete():
            self.network = released.map_network(seen)
        if self.network.in_channels not in SOBEL:
            raise OwnDataError(
                f"{released.source}: the weights see {self.network.in_channels} channels, such as "
                "infrared\n  allowed: 3 (colours), 5 (colours and Sobel, COCO-Stuff)"
            )

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
        choice = MapChoice(side=self.side, seeds=(0,), settings=settings)
        run = self._compared(settings, images, work)
        save_choice(out / CHOICE, choice)
        return write_maps(out, Fitted(request, choice, images, [run], seconds, {}))

    def _settings(self, count: int) -> Settings:
        images, clusters = min(count, BATCH), self.released.clusters
        seen = self.network.input_size
        transforms = SegmentationAugmentation(
            input_size=seen, sobel=SOBEL[self.network.in_channels], channel_order="bgr"
        )
        return Settings(
            network=self.network,
            augmentation=transforms,
            maps=MapSettings(training_mask=False, examples=0),
            shifts=ShiftSettings(half_side=max(1, round(SHIFT * seen))),
            sub_heads=self.released.sub_heads,
            pairs=PairSettings(batch_pairs=images, repeats=1, order="shuffled"),
            head_a=HeadSettings(k=clusters["A"]),
            head_b=HeadSettings(k=clusters["B"]),
            schedule=ScheduleSettings(epochs=0, evaluation_batch=images),
            threads=usable_processors(),
        )

    def _compared(self, settings: Settings, images: Images, work: Path) -> Trained:
        """What a training of no steps would leave: the losses of all sub-heads on the images."""
        data = prepared_maps(images.pixels, images.names)
        context = map_context(data, settings, 0, work, "", False)
        with (
            torch.random.fork_rng(devices=[]),
            leased_device(settings.gpu) as device,
            configured(device, settings.threads, settings.compute),
        ):
            task = OwnMapTask(context, device)
            self.released.load_into(task.network)
            losses = task.selection_losses()
            assert losses is not None
        record = SeedRecord(seed=0, losses=losses, steps=0, seconds=0.0, history=[], sessions=[])
        # of a segmentation no clusters of whole images are kept
        none = np.zeros((0, settings.sub_heads), np.int64)
        return Trained(record, self.released.tensors, none)
