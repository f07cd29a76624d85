"""Whether network, transforms and dataset fit together, or network and images without them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from iic.params.augmentation import AugmentationSettings
from iic.params.base import Problem
from iic.params.datasets import Dataset
from iic.params.operations import NetworkSettings

Sides = Literal["divided", "resized", "kept"]


def fit_problems(
    network: NetworkSettings,
    augmentation: AugmentationSettings,
    dataset: Dataset,
    key: str = "network",
) -> Iterator[Problem]:
    """Whether crops fit the images, and the network takes what the transforms give.

    Args:
        network: Settings of the network.
        augmentation: Those of the transforms, under the key ``augmentation``.
        dataset: The dataset.
        key: Key of the network's settings.
    """
    image = dataset.image
    if augmentation.image_channels != image.channels:
        yield Problem(
            "augmentation.kind",
            f"{augmentation.kind!r} transforms take {augmentation.image_channels} channels, but "
            f"the images of {dataset.title} have {image.channels}",
            "grey for images with 1 channel, colour for 3, warp for either",
        )
    side = min(image.height, image.width)
    try:
        augmentation.check(side)
    except ValueError as error:
        setting, _, problem = str(error).partition(": ")
        yield Problem(f"augmentation.{setting}", problem, f"crops of at most {side} pixels")
    if augmentation.input_size != network.input_size:
        yield Problem(
            f"{key}.input_size",
            f"{network.input_size} pixels, but the transforms give {augmentation.input_size}",
            str(augmentation.input_size),
        )
    if augmentation.output_channels != network.in_channels:
        yield Problem(
            f"{key}.in_channels",
            f"{network.in_channels} channels, but the transforms give "
            f"{augmentation.output_channels}",
            str(augmentation.output_channels),
        )


def image_problems(
    key: str, network: NetworkSettings, dataset: Dataset, sides: Sides = "divided"
) -> Iterator[Problem]:
    """Whether images without transforms are square, of the network's channels, and fit its side.

    Args:
        key: Key of the network's settings.
        network: What takes the images.
        dataset: The dataset.
        sides: How their side becomes the network's: `divided`, by averages; `resized` to no more
            than it is; or `kept`.
    """
    image, size = dataset.image, network.input_size
    if network.in_channels != image.channels:
        yield Problem(
            f"{key}.in_channels",
            f"{network.in_channels} channels, but the images of {dataset.title} have "
            f"{image.channels}",
            str(image.channels),
        )
    side = image.height
    fits, allowed = {
        "divided": (side % size == 0, "a divisor of the side"),
        "resized": (size <= side, f"at most {side}"),
        "kept": (size == side, str(side)),
    }[sides]
    if image.height != image.width or not fits:
        yield Problem(
            f"{key}.input_size",
            f"{size} pixels, but the images of {dataset.title} have {image.height} x {image.width}",
            f"{allowed}, for square images",
        )
