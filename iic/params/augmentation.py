"""Settings of the random transforms g, at the paper's values (docs/spec/images.md#transforms).

Three families, told apart by ``kind``: `GreyAugmentation` (MNIST, digits) and `ColourAugmentation`
(STL10, CIFAR, and the finetuning of Table 3 through `Affine` and `Cutout`) are IIC's, and
`WarpAugmentation` is what other methods were published with.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from iic.params.base import Model

Pixels = Annotated[int, Field(ge=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Strength = Annotated[float, Field(ge=0, le=1)]
Degrees = Annotated[float, Field(ge=0, le=180)]


class Affine(Model):
    """Random affine map with bilinear sampling and black surroundings.

    The defaults are those of finetuning (section 3.4). The map is about the centre of the crop, or
    of the whole image where the images are grey.
    """

    probability: Probability = 0.5
    """How often an image is warped."""
    rotation_degrees: Degrees = 18.0
    """Largest rotation in either direction."""
    scale: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (0.9, 1.1)
    """Smallest and largest magnification."""
    translate: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Largest shift along each axis, as a fraction of the side; whole pixels are drawn."""
    shear_degrees: Annotated[float, Field(ge=0, lt=90)] = 10.0
    """Largest shear along the horizontal axis in either direction."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale: {list(self.scale)} must be [smallest, largest]")
        return self


class GreyAugmentation(Model):
    """Transforms of images with one channel; the defaults are those of the MNIST runs."""

    kind: Literal["grey"] = "grey"
    """Name of the family."""
    crop: Pixels = 20
    """Side of the crop of the original and of the evaluation image."""
    centre_probability: Probability = 0.5
    """How often the original is cropped at the centre instead of at random."""
    crops: Annotated[tuple[Pixels, ...], Field(min_length=1)] = (16, 20, 24)
    """Sides of the transformed image's random crop; each image draws one, all equally likely."""
    input_size: Pixels = 24
    """Side to which every crop is resized: the network's input."""
    rotation_degrees: Degrees = 25.0
    """Largest rotation, drawn uniformly from both directions."""
    rotation_probability: Probability = 0.5
    """How often an image is rotated."""
    brightness: Strength = 0.4
    """Brightness is scaled by a factor between 1 - this and 1 + this."""
    contrast: Strength = 0.4
    """Contrast is scaled by a factor between 1 - this and 1 + this."""
    affine: Affine | None = None
    """Random affine map of the transformed image before its crop; none in the paper's runs."""

    @property
    def image_channels(self) -> int:
        """Channels of the images that these transforms take."""
        return 1

    @property
    def output_channels(self) -> int:
        """Channels that the network sees."""
        return 1

    def check(self, image_size: int) -> None:
        """Compare with the images that the transforms will meet.

        Args:
            image_size: Side of the (square) images, in pixels.

        Raises:
            ValueError: A crop is larger than the image; the message begins with the key.
        """
        _fits("crop", self.crop, image_size)
        for side in self.crops:
            _fits("crops", side, image_size)


class Cutout(Model):
    """Random black square that lies wholly inside the crop (finetuning, section 3.4)."""

    probability: Probability = 0.5
    """How often a square is cut out."""
    side: tuple[Pixels, Pixels] = (12, 44)
    """Smallest and largest side of the square in pixels of the crop, both included; an odd one
    loses a pixel, as in the released code."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.side[0] > self.side[1]:
            raise ValueError(f"side: {list(self.side)} must be [smallest, largest]")
        return self


class ColourAugmentation(Model):
    """Transforms of images with three channels (RGB); the defaults are those of the STL10 runs."""

    kind: Literal["colour"] = "colour"
    """Name of the family."""
    crop: Pixels = 64
    """Side of every crop: random for training, at the centre for evaluation."""
    input_size: Pixels = 64
    """Side to which every crop is resized: the network's input."""
    flip_probability: Probability = 0.5
    """How often the transformed image is mirrored left to right."""
    brightness: Strength = 0.4
    """Brightness is scaled by a factor between 1 - this and 1 + this."""
    contrast: Strength = 0.4
    """Contrast is scaled by a factor between 1 - this and 1 + this."""
    saturation: Strength = 0.4
    """Saturation is scaled by a factor between 1 - this and 1 + this."""
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.125
    """Largest turn of the hue in either direction, in full circles."""
    channels: Literal["grey", "rgb+grey"] = "grey"
    """What the network sees: the grey image, or red, green and blue before it."""
    sobel: bool = True
    """Whether the grey channel is replaced by its two Sobel gradients."""
    affine: Affine | None = None
    """Random affine map of the transformed image, after the crop; none in the clustering runs."""
    cutout: Cutout | None = None
    """Random black square in the transformed image, after `affine`; none in the clustering runs."""

    @model_validator(mode="after")
    def _cutout_inside_crop(self) -> Self:
        if self.cutout is not None and self.cutout.side[1] > self.crop:
            raise ValueError(
                f"cutout.side: a square of side {self.cutout.side[1]} "
                f"does not fit into a crop of side {self.crop}"
            )
        return self

    @property
    def image_channels(self) -> int:
        """Channels of the images that these transforms take."""
        return 3

    @property
    def output_channels(self) -> int:
        """Channels that the network sees: 1 (grey), 2 (Sobel), 4 or 5 (RGB before them)."""
        return (3 if self.channels == "rgb+grey" else 0) + (2 if self.sobel else 1)

    def check(self, image_size: int) -> None:
        """Compare with the images that the transforms will meet.

        Args:
            image_size: Side of the (square) images, in pixels.

        Raises:
            ValueError: The crop is larger than the image; the message begins with the key.
        """
        _fits("crop", self.crop, image_size)


class WarpAugmentation(Model):
    """An affine map, and changes of values; the network sees the image's own channels."""

    kind: Literal["warp"]
    """Name of the family."""
    image_channels: Literal[1, 3]
    """Channels of the images that these transforms take: 1 for grey, 3 for colour."""
    crop: Pixels
    """Side of every crop: random for training, at the centre for evaluation."""
    input_size: Pixels
    """Side to which every crop is resized: the network's input."""
    affine: Affine = Affine(probability=1.0)
    """Random affine map of the transformed image, after the crop."""
    flip_probability: Probability = 0.0
    """How often the transformed image is mirrored left to right."""
    shift: Strength = 0.0
    """To each channel a number between minus and plus this is added, of pixels in [0, 1]."""
    contrast: Strength = 0.0
    """Contrast is scaled by a factor between 1 - this and 1 + this."""
    saturation: Strength = 0.0
    """Saturation is scaled by a factor between 1 - this and 1 + this."""
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Largest turn of the hue in either direction, in full circles."""
    noise: Annotated[float, Field(ge=0)] = 0.0
    """Standard deviation of Gaussian noise in each pixel and channel."""

    @property
    def output_channels(self) -> int:
        """Channels that the network sees."""
        return self.image_channels

    def check(self, image_size: int) -> None:
        """Compare with the images that the transforms will meet.

        Args:
            image_size: Side of the (square) images, in pixels.

        Raises:
            ValueError: The crop is larger than the image; the message begins with the key.
        """
        _fits("crop", self.crop, image_size)


AugmentationSettings = Annotated[
    GreyAugmentation | ColourAugmentation | WarpAugmentation, Field(discriminator="kind")
]
"""One of the families; the key ``kind`` says which."""


def _fits(key: str, side: int, image_size: int) -> None:
    if side > image_size:
        raise ValueError(
            f"{key}: a crop of side {side} does not fit into images of side {image_size}; "
            f"at most {image_size} is possible"
        )
