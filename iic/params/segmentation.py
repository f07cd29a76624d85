"""Settings of unsupervised segmentation (paper, section 3.3 and Table 4).

Network C, its random transforms, and the shifts over which the objective takes its expectation. The
paper's values: docs/spec/segmentation.md#table-4, docs/spec/segmentation.md#transforms-of-maps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from iic.params.base import Model, Problem
from iic.params.datasets import Dataset

Channels = Annotated[int, Field(ge=1)]
Strength = Annotated[float, Field(ge=0, le=1)]

SHRINKAGE = 4
"""Pixels that the two dilated convolutions take from the side of the map: padding 1, reach 2."""
SKY = "sky"
"""The class that the released code gives to unlabelled pixels of COCO-Stuff-3."""


class SegmentationNetworkSettings(Model):
    """Network C: six 3x3 convolutions, the last two with dilation 2 (supplement, Table 1)."""

    family: Literal["C"] = "C"
    """C: VGG-like, fully convolutional; its output is stretched to the input's size."""
    input_size: int = Field(ge=12)
    """Side of the square input in pixels. Paper: 128 (COCO-Stuff), 200 (Potsdam)."""
    in_channels: int = Field(ge=1)
    """Channels that the network sees: 5 for RGB and Sobel gradients, 4 for RGB and infrared."""
    channels: tuple[Channels, Channels, Channels, Channels] = (64, 128, 256, 512)
    """Channels of the first and second convolution, the third and fourth, the fifth and sixth."""
    head_padding: Literal[0, 1] = 1
    """Padding of the heads' 1x1 convolution. 1 as published: a frame of uniform predictions around
    every map, which decides 2 to 3 % of the pixels (docs/spec/released_code.md#head-padding). 0 is
    `corrected`."""
    batchnorm_running_statistics: bool = True
    """False: batch statistics also in evaluation."""
    batchnorm_parts: int = Field(1, ge=1)
    """Parts of a batch that BatchNorm normalises apart, as if each lay on a GPU of its own: the
    released code's ``DataParallel``. The paper's runs had 2 or 4."""

    @model_validator(mode="after")
    def _halves(self) -> Self:
        if self.input_size % 2:
            raise ValueError(f"input_size {self.input_size} cannot be halved: give an even number")
        return self

    @property
    def map_side(self) -> int:
        """Side of the heads' output before it is stretched to the input's size."""
        return self.input_size // 2 - SHRINKAGE + 2 * self.head_padding


class SegmentationAugmentation(Model):
    """Random transforms of segmentation: crop, colour jitter, flip; as published for COCO-Stuff."""

    kind: Literal["segmentation"] = "segmentation"
    """Name of the family."""
    input_size: int = Field(ge=12)
    """Side of the square crop, which is the network's input."""
    brightness: Strength = 0.4
    """Brightness is scaled by a factor between 1 - this and 1 + this."""
    contrast: Strength = 0.4
    """As `brightness`."""
    saturation: Strength = 0.4
    """As `brightness`."""
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.125
    """Largest turn of the hue in either direction, in full circles."""
    flip_probability: Annotated[float, Field(ge=0, le=1)] = 0.5
    """How often the transformed image is mirrored left to right; the loss maps it back."""
    channel_order: Literal["rgb", "bgr"] = "rgb"
    """`bgr`: the released code never swaps OpenCV's channels of COCO, so that grey weights and
    colour jitter act on swapped ones (docs/spec/released_code.md#bgr-order)."""
    sobel: bool = True
    """Whether the two Sobel gradients of the grey image follow the colours."""

    @property
    def added_channels(self) -> int:
        """Channels that the network sees besides those of the images."""
        return 2 if self.sobel else 0

    def output_channels(self, image_channels: int) -> int:
        """Channels that the network sees, for images of so many channels."""
        return image_channels + self.added_channels


class ShiftSettings(Model):
    """The displacements T over which the objective takes its expectation (equation 5)."""

    half_side: int = Field(10, ge=0)
    """d: shifts of up to this many pixels in each direction, (2d + 1)^2 in all."""
    expectation: Literal["outside", "inside"] = "outside"
    """`outside`: the mean over shifts of the mutual information (equation 5; all runs of the
    paper). `inside`: the mutual information of the joint averaged over shifts (supplement, 6)."""
    sparse_min: int = Field(0, ge=0)
    """Smallest and largest size of one further random shift of each batch along either axis; the
    paper's runs have none."""
    sparse_max: int = Field(0, ge=0)
    """See `sparse_min`."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.sparse_min > self.sparse_max:
            raise ValueError(
                f"sparse_min {self.sparse_min} is above sparse_max {self.sparse_max}: swap them"
            )
        return self


class MapSettings(Model):
    """What the network's output is compared with, and on which part of each image."""

    unlabelled_as_sky: bool = False
    """Whether pixels without a label count as sky, in the training mask and in the evaluation: a
    defect of the released code in COCO-Stuff-3
    (docs/spec/released_code.md#unlabelled-pixels-as-sky). False leaves them out."""
    training_mask: bool = True
    """Whether the loss leaves out pixels of no class, as published for COCO-Stuff: labels say which
    those are, and nothing else is learnt from them. False where each pixel counts (Potsdam)."""
    evaluation_area: Literal["centre", "whole"] = "centre"
    """`centre`: the central crop of the network's input size, as the released code scores
    (docs/spec/released_code.md#scored-area). `whole`: the whole image."""
    examples: int = Field(12, ge=0)
    """Images whose probabilities are kept for figures, evenly spread over the last split that is
    scored; where images are tiles, all tiles of the first evaluated source image besides."""


def map_problems(
    network: SegmentationNetworkSettings,
    augmentation: SegmentationAugmentation,
    shifts: ShiftSettings,
    maps: MapSettings,
    dataset: Dataset,
) -> Iterator[Problem]:
    """Whether network, transforms, shifts and dataset fit together."""
    if dataset.maps is None:
        yield Problem(
            "network.family",
            f"segments images, but {dataset.title} has one label an image",
            "a dataset with label maps",
        )
        return
    if dataset.image.channels < 3:
        yield Problem(
            "network.in_channels",
            f"images of {dataset.title} have {dataset.image.channels} of the three colours",
            "a dataset of colour images",
        )
        return
    if augmentation.input_size != network.input_size:
        yield Problem(
            "network.input_size",
            f"{network.input_size} pixels, but the transforms give {augmentation.input_size}",
            str(augmentation.input_size),
        )
    least = min(dataset.maps.least_side, dataset.image.height, dataset.image.width)
    if augmentation.input_size > least:
        yield Problem(
            "augmentation.input_size",
            f"a crop of side {augmentation.input_size} does not fit into images of {dataset.title}",
            f"at most {least}",
        )
    channels = augmentation.output_channels(dataset.image.channels)
    if channels != network.in_channels:
        yield Problem(
            "network.in_channels",
            f"{network.in_channels} channels, but the transforms give {channels}",
            str(channels),
        )
    if 2 * shifts.half_side >= augmentation.input_size:
        yield Problem(
            "shifts.half_side",
            f"shifts of {shifts.half_side} pixels leave too little of {augmentation.input_size}",
            f"at most {(augmentation.input_size - 1) // 2}",
        )
    if shifts.sparse_max >= augmentation.input_size:
        yield Problem(
            "shifts.sparse_max",
            f"a shift of {shifts.sparse_max} pixels leaves nothing of {augmentation.input_size}",
            f"below {augmentation.input_size}",
        )
    if maps.unlabelled_as_sky and SKY not in dataset.classes:
        yield Problem("maps.unlabelled_as_sky", f"{dataset.title} has no class {SKY!r}", "false")
