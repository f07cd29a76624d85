"""What is chosen from the data, at the values of the fast recipe, and the file that keeps it.

The recipe is `iic-fast` of params/experiments/table_1.yaml (docs/performance.md).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal, TypeVar

import yaml
from pydantic import Field

from iic.methods.iic.maps import Settings as MapSettings
from iic.methods.iic.method import Settings
from iic.own.errors import OwnDataError
from iic.own.vectors import VectorSettings
from iic.params.augmentation import (
    Affine,
    AugmentationSettings,
    ColourAugmentation,
    GreyAugmentation,
)
from iic.params.base import Model
from iic.params.datasets import Dataset, ImageShape, SourceFile
from iic.params.learning_rates import LearningRateSettings
from iic.params.loading import read_yaml, validate
from iic.params.networks import NetworkSettings
from iic.params.training import (
    ComputeSettings,
    HeadSettings,
    OptimiserSettings,
    PairSettings,
    ScheduleSettings,
)
from iic.provenance.machine import usable_processors
from iic.records.files import write_text

LARGEST_SIDE = {1: 40, 3: 48}
"""Working size in pixels of larger images, by channels."""
SMALLEST_SIDE = 8
BATCH, VECTOR_BATCH = 350, 1000
"""Distinct images, or vectors, in a batch."""
SUB_HEADS, VECTOR_SUB_HEADS = 20, 10
INITIAL_DEVIATION = 0.1
"""Of the heads' weights."""
LEARNING_RATE = 4e-3
COSINE_FROM = 0.4
"""Share of the steps after which the learning rate falls to zero."""
WARP = Affine(probability=1, rotation_degrees=0, scale=(0.8, 1.2), translate=0, shear_degrees=20)
"""Of grey images, before the crop."""
FEWEST_PAIRS = 300
MOST_REPEATS = 10
OVERCLUSTERING = 5
"""Clusters of the auxiliary head for each cluster of the main one."""
MOST_EPOCHS = 1000
WARM_UP = 20
FINISHING_EPOCHS = 1.0
"""Time after the last step in epochs: predictions, losses of sub-heads, BatchNorm's statistics."""
S = TypeVar("S", Settings, VectorSettings, MapSettings)


class Choice(Model):
    """Everything that a fit depends on besides the images: the file that `--settings` takes.

    `method` and `settings` are those of a row in ``params/experiments``.
    """

    method: Literal["iic.methods.iic.method", "iic.own.vectors"] = "iic.methods.iic.method"
    """The second one clusters features."""
    side: int = Field(ge=1)
    """Working size of the images in pixels."""
    channels: Literal[1, 3]
    """1 for grey images, 3 for colour."""
    seeds: tuple[int, ...] = Field((0, 1), min_length=1)
    """Trainings; the one of lowest loss is reported, the others say how stable it is."""
    settings: Settings | VectorSettings


class Wishes(Model):
    """What the user asks for in place of what the data suggest; None leaves it to them."""

    side: int | None = Field(None, ge=4, le=512)
    channels: Literal[1, 3] | None = None
    sobel: bool | None = None
    batch: int | None = Field(None, ge=2)
    repeats: int | None = Field(None, ge=1)
    learning_rate: float | None = Field(None, gt=0)
    epochs: int | None = Field(None, ge=1)
    width: float | None = Field(None, gt=0, le=4)
    sub_heads: int | None = Field(None, ge=1)
    precision: Literal["float32", "bfloat16"] | None = None
    seeds: int | None = Field(None, ge=1)
    threads: int | None = Field(None, ge=1)


DATA_WISHES = ("side", "channels", "sobel", "batch", "repeats")
"""What a settings file has decided together with the images."""


def working_side(median: int, channels: int, wishes: Wishes) -> int:
    """Side in pixels at which images of a median side are clustered."""
    return wishes.side or max(SMALLEST_SIDE, min(median, LARGEST_SIDE[channels]))


def choose(count: int, side: int, channels: int, k: int, wishes: Wishes, threads: int) -> Settings:
    """Settings for `count` images; precision and epochs are still to be measured.

    Args:
        count: Images.
        side: Working size in pixels.
        channels: 1 or 3.
        k: Clusters.
        wishes: What the user asks for.
        threads: CPU threads.
    """
    transforms = _transforms(side, channels, wishes)
    images = _batch(count, wishes.batch or BATCH)
    return Settings(
        sub_heads=wishes.sub_heads or SUB_HEADS,
        initial_deviation=INITIAL_DEVIATION,
        heads_trained="together",
        network=NetworkSettings(
            family="B",
            input_size=transforms.input_size,
            in_channels=transforms.output_channels,
            width=wishes.width or 0.25,
            batchnorm_running_statistics=False,
        ),
        augmentation=transforms,
        pairs=_pairs(images, wishes),
        head_a=_auxiliary(k, count),
        head_b=HeadSettings(k=k),
        optimiser=OptimiserSettings(learning_rate=wishes.learning_rate or LEARNING_RATE),
        schedule=ScheduleSettings(
            epochs=wishes.epochs or 1,
            evaluation_batch=_batch(count, 2 * BATCH),
            learning_rate=LearningRateSettings(warm_up_steps=WARM_UP, cosine_from=COSINE_FROM),
        ),
        compute=ComputeSettings(precision=wishes.precision or "float32", channels_last=True),
        threads=wishes.threads or threads,
    )


def choose_vectors(
    count: int, dimensions: int, k: int, wishes: Wishes, threads: int
) -> VectorSettings:
    """Settings for `count` vectors; epochs are still to be measured.

    Args:
        count: Vectors.
        dimensions: Numbers in a vector.
        k: Clusters.
        wishes: What the user asks for.
        threads: CPU threads.
    """
    return VectorSettings(
        dimensions=dimensions,
        sub_heads=wishes.sub_heads or VECTOR_SUB_HEADS,
        head_a=_auxiliary(k, count),
        head_b=HeadSettings(k=k),
        pairs=_pairs(_batch(count, wishes.batch or VECTOR_BATCH), wishes),
        optimiser=OptimiserSettings(learning_rate=wishes.learning_rate or LEARNING_RATE),
        schedule=ScheduleSettings(
            epochs=wishes.epochs or 1, learning_rate=LearningRateSettings(cosine_from=COSINE_FROM)
        ),
        threads=wishes.threads or threads,
    )


def _pairs(distinct: int, wishes: Wishes) -> PairSettings:
    """Batches of so many distinct samples, repeated where they would make few pairs."""
    repeats = wishes.repeats or min(MOST_REPEATS, max(2, math.ceil(FEWEST_PAIRS / distinct)))
    return PairSettings(batch_pairs=distinct * repeats, repeats=repeats, order="shuffled")


def _auxiliary(k: int, count: int) -> HeadSettings:
    return HeadSettings(k=max(k, min(OVERCLUSTERING * k, count // 2)))


def _batch(count: int, most: int) -> int:
    """Images in each of the fewest batches of at most `most`, so that the last is no rest."""
    return math.ceil(count / math.ceil(count / most))


def _transforms(side: int, channels: int, wishes: Wishes) -> AugmentationSettings:
    if channels == 1:
        # shares of the side as for MNIST's 28 pixels, on an input that halves three times
        crops = tuple(sorted({max(1, round(side * share / 28)) for share in (20, 24, 28)}))
        seen = min(32, max(24, 8 * round(side * 24 / 28 / 8)))
        crop = max(1, round(side * 24 / 28))
        return GreyAugmentation(crop=crop, crops=crops, input_size=seen, affine=WARP)
    sobel = wishes.sobel is not False
    return ColourAugmentation(
        crop=max(1, round(side * 2 / 3)),
        input_size=32 if side >= 28 else 24,
        channels="grey" if sobel else "rgb+grey",
        sobel=sobel,
    )


def overridden(choice: Choice, wishes: Wishes, name: str) -> Choice:
    """A choice from a file, with what the user asks for besides.

    Raises:
        OwnDataError: The user asks for what only a new choice can give.
    """
    for key in DATA_WISHES:
        if getattr(wishes, key) is not None:
            raise OwnDataError(
                f"{name}: has its own {key}\n  remedy: change it, or leave --settings out"
            )
    own = choice.settings
    changes: dict[str, Model | int] = {}
    if wishes.learning_rate is not None:
        rate = {"learning_rate": wishes.learning_rate}
        changes["optimiser"] = own.optimiser.model_copy(update=rate)
    if wishes.epochs is not None:
        epochs = {"epochs": wishes.epochs, "max_steps": None}
        changes["schedule"] = own.schedule.model_copy(update=epochs)
    if wishes.width is not None and isinstance(own, Settings):
        changes["network"] = own.network.model_copy(update={"width": wishes.width})
    if wishes.precision is not None:
        changes["compute"] = own.compute.model_copy(update={"precision": wishes.precision})
    if wishes.sub_heads is not None:
        changes["sub_heads"] = wishes.sub_heads
    # the file may come from a larger machine
    changes["threads"] = min(wishes.threads or own.threads, usable_processors())
    seeds = choice.seeds if wishes.seeds is None else tuple(range(wishes.seeds))
    return choice.model_copy(update={"settings": own.model_copy(update=changes), "seeds": seeds})


def with_time(settings: S, count: int, step: float, seconds: float) -> S:
    """Settings with as many epochs as fit into the time.

    Args:
        settings: The settings.
        count: Images.
        step: Seconds of one step.
        seconds: For one training, from the first step to the model.
    """
    steps_an_epoch = math.ceil(count / settings.pairs.batch_images) * len(settings.turns(0))
    finishing = min(FINISHING_EPOCHS * steps_an_epoch * step, 0.4 * seconds)
    steps = max(1, int((seconds - finishing) / step))
    epochs = steps / steps_an_epoch
    schedule = settings.schedule.model_copy(
        update={
            "epochs": min(MOST_EPOCHS, math.ceil(epochs)),
            # of few long epochs the last need not be a whole one
            "max_steps": steps if epochs < 10 else None,
            "learning_rate": settings.schedule.learning_rate.model_copy(
                update={"warm_up_steps": min(WARM_UP, steps // 5)}
            ),
        }
    )
    return settings.model_copy(update={"schedule": schedule})


def check(choice: Choice, count: int, name: str) -> None:
    """Check that the settings fit together, and fit `count` images.

    Raises:
        OwnDataError: They do not; names the key, what is wrong and what is allowed.
    """
    if isinstance(choice.settings, VectorSettings):
        return
    entry = Dataset(
        title=f"{count} images",
        description="Images of one's own.",
        module="iic.own.reading",
        classes=(),
        image=ImageShape(channels=choice.channels, height=choice.side, width=choice.side),
        splits={"all": count},
        licence="the owner's",
        mirrors=("./images/",),
        files=(
            SourceFile(
                name="images.npy", unverified="they never leave this machine", at_most=1 << 40
            ),
        ),
    )
    for problem in choice.settings.problems(entry):
        allowed = f"\n  allowed: {problem.allowed}" if problem.allowed else ""
        raise OwnDataError(f"{name}: settings.{problem.key}: {problem.message}{allowed}")


def save_choice(path: Path, choice: Model) -> None:
    """Write a settings file."""
    text = yaml.safe_dump(choice.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    write_text(path, "# for `iic fit --settings`; `method` and `settings` as in params/\n" + text)


def load_choice(path: Path) -> Choice:
    """Read a settings file.

    Raises:
        SettingsError: It is none; names file, key and value.
    """
    return validate(Choice, read_yaml(path), str(path))
