"""Whether network, transforms and dataset fit together, or network and images without them."""

from __future__ import annotations

from collections.abc import Iterator

from iic.params.augmentation import AugmentationSettings
from iic.params.base import Problem
from iic.params.datasets import Dataset
from iic.params.operations import NetworkSettings


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


def image_problems(key: str, network: NetworkSettings, dataset: Dataset) -> Iterator[Problem]:
    """Whether images without transforms are square, of the network's channels, and divide into it.

    Args:
        key: Key of the network's settings.
        network: What takes the images, averaged to its input's size.
        dataset: The dataset.
    """
    image = dataset.image
    if network.in_channels != image.channels:
        yield Problem(
            f"{key}.in_channels",
            f"{network.in_channels} channels, but the images of {dataset.title} have "
            f"{image.channels}",
            str(image.channels),
        )
    side = image.height
    if image.height != image.width or network.input_size > side or side % network.input_size:
        yield Problem(
            f"{key}.input_size",
            f"{network.input_size} pixels, but the images of {dataset.title} have "
            f"{image.height} x {image.width}",
            "a divisor of the side of square images",
        )
