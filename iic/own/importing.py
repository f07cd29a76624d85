"""``iic import-released``: weights of the authors' release as a model that `iic predict` takes."""

from __future__ import annotations

import logging
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iic.engine.device import configured, leased_device
from iic.methods.iic.method import Settings
from iic.methods.iic.task import ClusteringTask
from iic.own.bars import bar
from iic.own.choice import BATCH, Choice, Wishes, check, save_choice
from iic.own.errors import OwnDataError
from iic.own.fit import check_out
from iic.own.frozen import Frozen
from iic.own.kinds import ImageKind, Tensors
from iic.own.model import CHOICE, WORK, FitRequest, OwnModel, ReleasedWeights
from iic.own.reading import Images, collect, scan
from iic.own.released import Architecture, Released, read_released
from iic.own.sources import listing
from iic.own.training import SeedRecord, Trained, context_of, prepared
from iic.own.writing import write_model
from iic.params.augmentation import AugmentationSettings, ColourAugmentation, GreyAugmentation
from iic.params.training import HeadSettings, PairSettings, ScheduleSettings
from iic.provenance.machine import usable_processors
from iic.records.files import sha256_file

log = logging.getLogger(__name__)

WORKING = {24: (28, 20), 32: (32, 20), 64: (96, 64), 96: (96, 96)}
"""Side of the network's input -> side of images and of crops in the release's commands: those of
MNIST, CIFAR and STL10."""


@dataclass(frozen=True)
class ReleasedKind(ImageKind):
    """Images for a network that may have statistics of its own."""

    tracked: bool = False

    def network(self, settings: Settings, weights: Tensors) -> Frozen:
        """With its own statistics, or with those of all images where it kept none."""
        return Frozen(settings, weights) if self.tracked else super().network(settings, weights)


def import_released(
    source: Path,
    weights: Path,
    architecture: Architecture,
    out: Path,
    *,
    side: int | None = None,
    input_size: int | None = None,
    crop: int | None = None,
    live: bool | None = None,
) -> OwnModel:
    """Write a model from released weights.

    Args:
        source: Images, by which sub-heads are compared, and of which BatchNorm gets its statistics
            if the release kept none.
        weights: A state dict of the release.
        architecture: Name in the released code.
        out: Folder of the model, which must not be there.
        side: Working size of images in pixels.
        input_size: Side of the network's input in pixels, where the weights do not tell.
        crop: Side of the central crop in pixels, if not that of the release's commands.
        live: Whether to draw bars.

    Raises:
        OwnDataError: The weights or images cannot be read, or do not fit together.
        ModelError: `out` holds something.
    """
    begin = time.monotonic()
    released = read_released(weights, architecture)
    request = FitRequest(
        source=str(source.resolve()),
        k=released.clusters["B"],
        minutes=0,
        wishes=Wishes(side=side),
        released=ReleasedWeights(
            path=str(weights.resolve()),
            architecture=architecture,
            sha256=sha256_file(weights),
            input_size=input_size,
            crop=crop,
        ),
    )
    finished = check_out(request, out)
    if finished is not None:
        return finished
    transforms, side = _transforms(released, input_size, crop, side)
    work = out / WORK
    work.mkdir(parents=True, exist_ok=True)
    try:
        with bar("images looked at", live) as progress:
            scanned = scan(listing(source), progress)
        channels = transforms.image_channels
        with bar("images read", live) as progress:
            images = collect(scanned, side, channels, work / "images.npy", progress=progress)
        settings = _settings(released, transforms, len(images.names))
        choice = Choice(
            side=side, channels=1 if channels == 1 else 3, seeds=(0,), settings=settings
        )
        check(choice, len(images.names), str(weights))
        run = _compared(released, settings, images, work)
        save_choice(out / CHOICE, choice)
        model = write_model(
            out,
            request,
            choice,
            images,
            ReleasedKind(images.pixels, tracked=released.tracked),
            [run],
            seconds={"reading": round(time.monotonic() - begin, 2)},
            steps={},
            grey_taken=channels == 1,
        )
    finally:
        shutil.rmtree(work)
        if not any(out.iterdir()):
            out.rmdir()
    log.info("sub-head %d of %d has the lowest loss", run.sub_head, released.sub_heads)
    return model


def _transforms(
    released: Released, input_size: int | None, crop: int | None, side: int | None
) -> tuple[AugmentationSettings, int]:
    """Transforms at the release's values, and the working side of images."""
    network = released.network(input_size)
    usual_side, usual_crop = WORKING.get(network.input_size, (network.input_size,) * 2)
    side, own_crop = side or usual_side, crop or usual_crop
    sizes: dict[str, Any] = {"crop": own_crop, "input_size": network.input_size}
    if network.in_channels == 1:
        crops = tuple(min(side, round(own_crop * share)) for share in (0.8, 1, 1.2))
        return GreyAugmentation(**sizes, crops=crops), side
    kinds: dict[int, dict[str, Any]] = {
        2: {"channels": "grey", "sobel": True},
        5: {"channels": "rgb+grey", "sobel": True},
        4: {"channels": "rgb+grey", "sobel": False},
    }
    if network.in_channels not in kinds:
        raise OwnDataError(
            f"the weights see {network.in_channels} channels\n  allowed: 1 (grey), 2 (Sobel), "
            "4 (RGB and grey), 5 (RGB and Sobel)"
        )
    return ColourAugmentation(**sizes, **kinds[network.in_channels]), side


def _settings(released: Released, transforms: AugmentationSettings, count: int) -> Settings:
    images = min(count, BATCH)
    return Settings(
        network=released.network(transforms.input_size),
        augmentation=transforms,
        sub_heads=released.sub_heads,
        pairs=PairSettings(batch_pairs=2 * images, repeats=2),
        head_a=HeadSettings(k=released.clusters["A"]),
        head_b=HeadSettings(k=released.clusters["B"]),
        schedule=ScheduleSettings(epochs=0, evaluation_batch=images),
        threads=usable_processors(),
    )


def _compared(released: Released, settings: Settings, images: Images, work: Path) -> Trained:
    """What a training of no steps would leave: the losses of all sub-heads on the images."""
    import torch

    context = context_of(prepared(images.pixels), settings, 0, work, "", False)
    with (
        torch.random.fork_rng(devices=[]),
        leased_device(settings.gpu) as device,
        configured(device, settings.threads, settings.compute),
    ):
        task = ClusteringTask(context, device)
        state = {name: torch.from_numpy(np.array(own)) for name, own in released.tensors.items()}
        task.network.load_state_dict(state)
        losses = task.selection_losses()
        assert losses is not None
        clusters: NDArray[np.int64] = task.predict().clusters.astype(np.int64)
    record = SeedRecord(seed=0, losses=losses, steps=0, seconds=0.0, history=[], sessions=[])
    return Trained(record, released.tensors, clusters)
