"""Segmentation of one's own images: settings, and a training by `iic.methods.iic.maps`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from iic.data.in_memory import content_record
from iic.data.load_maps import PreparedMaps
from iic.engine.context import Outcome, RunContext
from iic.engine.map_context import MapContext
from iic.engine.run import run
from iic.evaluate.maps import MapProtocol
from iic.methods.iic.map_task import SegmentationTask
from iic.methods.iic.maps import Settings
from iic.methods.iic.pair_task import PairTask
from iic.own.choice import Wishes
from iic.params.base import Model
from iic.params.datasets import ImageShape, LabelMaps
from iic.params.learning_rates import LearningRateSettings
from iic.params.loading import read_yaml, validate
from iic.params.segmentation import (
    MapSettings,
    SegmentationAugmentation,
    SegmentationNetworkSettings,
    ShiftSettings,
)
from iic.params.training import (
    ComputeSettings,
    HeadSettings,
    OptimiserSettings,
    PairSettings,
    ScheduleSettings,
)
from iic.records.paths import RunPaths
from iic.records.prepared import ImagesRecord, Split
from iic.records.prepared_maps import LabelMapsRecord, MapManifest

LARGEST_SIDE, SMALLEST_SIDE = 96, 24
"""Working size of images in pixels."""
BATCH = 12
"""Distinct images in a batch."""
REPEATS = 2
SUB_HEADS = 2
LEARNING_RATE = 1e-3
WIDTH = 0.25
"""Factor on the paper's channels, 64 to 512."""
PAPER_CHANNELS = (64, 128, 256, 512)
PAPER_SHIFT, PAPER_INPUT = 10, 128
"""Pixels of the largest displacement, of an input of so many pixels."""
OVERCLUSTERING = 3
WARM_UP = 20


class MapChoice(Model):
    """Everything that a segmentation depends on besides the images."""

    method: Literal["iic.methods.iic.maps"] = "iic.methods.iic.maps"
    side: int = Field(ge=1)
    """Working size of the images in pixels."""
    seeds: tuple[int, ...] = Field((0, 1), min_length=1)
    settings: Settings


def load_map_choice(path: Path) -> MapChoice:
    """Read what a segmentation was made by.

    Raises:
        SettingsError: It is no such file; names file, key and value.
    """
    return validate(MapChoice, read_yaml(path), str(path))


class Unwatched(MapProtocol):
    """Maps without any label: nothing is scored while a training runs."""

    @property
    def labelled(self) -> bool:
        """Never."""
        return False


class OwnMaps(MapContext[Settings]):
    """A run on images whose pixels have no labels."""

    @cached_property
    def protocol(self) -> Unwatched:
        """All images are segmented."""
        every = np.arange(len(self.data.images))
        used = np.ones(len(every), dtype=np.bool_)
        return Unwatched(every, used, used, None, "one_to_one")


class OwnMapTask(SegmentationTask):
    """Also a single sub-head has a loss, since seeds are compared by it."""

    def selection_losses(self) -> tuple[float, ...] | None:
        """Loss of each sub-head of the reported head."""
        return PairTask.selection_losses(self)


def train_maps(context: RunContext[Settings]) -> Outcome:
    """As a row of a table is trained."""
    return run(context, OwnMapTask)


def map_side(median: int, wishes: Wishes) -> int:
    """Side in pixels at which images of a median side are segmented."""
    return wishes.side or max(SMALLEST_SIDE, min(median, LARGEST_SIDE))


def choose_maps(count: int, side: int, k: int, wishes: Wishes, threads: int) -> Settings:
    """Settings for `count` images; precision and epochs are still to be measured.

    Args:
        count: Images.
        side: Working size in pixels.
        k: Clusters of pixels.
        wishes: What the user asks for.
        threads: CPU threads.
    """
    seen = max(SMALLEST_SIDE, side * 2 // 3 // 2 * 2)
    images = min(count, wishes.batch or BATCH)
    repeats = wishes.repeats or REPEATS
    sobel = wishes.sobel is not False
    transforms = SegmentationAugmentation(input_size=seen, sobel=sobel)
    first, second, third, last = (
        max(1, round((wishes.width or WIDTH) * channels)) for channels in PAPER_CHANNELS
    )
    return Settings(
        network=SegmentationNetworkSettings(
            input_size=seen,
            in_channels=transforms.output_channels(3),
            channels=(first, second, third, last),
            head_padding=0,
        ),
        augmentation=transforms,
        maps=MapSettings(training_mask=False, examples=0),
        shifts=ShiftSettings(half_side=max(1, round(PAPER_SHIFT * seen / PAPER_INPUT))),
        sub_heads=wishes.sub_heads or SUB_HEADS,
        pairs=PairSettings(batch_pairs=images * repeats, repeats=repeats, order="shuffled"),
        head_a=HeadSettings(k=OVERCLUSTERING * k),
        head_b=HeadSettings(k=k),
        heads_per_epoch="both",
        optimiser=OptimiserSettings(learning_rate=wishes.learning_rate or LEARNING_RATE),
        schedule=ScheduleSettings(
            epochs=wishes.epochs or 1,
            evaluation_batch=images,
            learning_rate=LearningRateSettings(warm_up_steps=WARM_UP),
        ),
        compute=ComputeSettings(precision=wishes.precision or "float32", channels_last=True),
        threads=wishes.threads or threads,
    )


def prepared_maps(pixels: NDArray[np.uint8], names: Sequence[str]) -> PreparedMaps:
    """Images (n, 3, S, S) as a training of segmentation takes them: each pixel of one class."""
    count, channels, side, _ = pixels.shape
    labels = np.zeros((count, side, side), np.uint8)
    sizes = np.full((count, 2), side, np.int64)
    manifest = MapManifest(
        dataset="in_memory",
        stand_in=False,
        image=ImageShape(channels=channels, height=side, width=side),
        count=count,
        classes=("any",),
        splits=(Split(name="all", start=0, stop=count),),
        maps=LabelMaps(scale=1.0, least_side=side),
        images=ImagesRecord(path="images.npy", shape=pixels.shape, **content_record(pixels)),
        labels=LabelMapsRecord(path="labels.npy", shape=labels.shape, **content_record(labels)),
        names=tuple(names),
        sizes=((side, side),) * count,
        empty=(),
    )
    return PreparedMaps(pixels, labels, sizes, tuple(names), manifest)


def map_context(
    data: PreparedMaps, settings: Settings, seed: int, folder: Path, fingerprint: str, live: Any
) -> OwnMaps:
    """The run of one seed, its checkpoints below `folder`."""
    paths = RunPaths("own", "maps/iic", seed)
    return OwnMaps(data, 1, settings, seed, paths, fingerprint, folder, live)
