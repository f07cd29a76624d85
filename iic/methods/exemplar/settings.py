"""Settings of Exemplar-CNN: patches, transforms, and the cost (torch-free)."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pydantic import Field

from iic.methods.exemplar.network_settings import ExemplarNetworkSettings
from iic.params.base import Model
from iic.params.cost import Cost, evaluated_images, scheduled
from iic.params.datasets import Dataset
from iic.params.features import ClusteredFeatureSettings
from iic.params.method import Problem
from iic.params.operations import Count, NetworkPass
from iic.params.optimisers import MomentumSettings
from iic.params.splits import image_count

NETWORK = "iic.methods.exemplar.network.ExemplarNetwork"


class PatchSettings(Model):
    """Where patches are cut, and what is done to them; all uniform within these bounds."""

    shrinking: float = Field(0.8, gt=0, le=1)
    """A patch is cut from an image that is smaller by this factor to a power of 0, 1, and so on."""
    sizes: int = Field(4, ge=1)
    """How many such powers there are."""
    shift: float = Field(0.25, ge=0, lt=1)
    """Largest shift along each axis, as a share of the patch's side."""
    magnification: float = Field(0.5, ge=0)
    """Largest exponent of 2, in either direction."""
    rotation_degrees: float = Field(20.0, ge=0, le=180)
    """Largest rotation in either direction."""
    colour_deviation: float = Field(1.0, ge=0)
    """Of the normal exponent of 2 by which each principal colour is multiplied."""
    power: float = Field(2.0, ge=0)
    """Largest exponent of 2, in either direction, of the power of saturation and value."""
    factor: float = Field(0.5, ge=0)
    """That of their factor."""
    added: float = Field(0.1, ge=0, le=1)
    """What is added to them at most, in either direction."""
    hue: float = Field(0.1, ge=0, le=0.5)
    """Largest turn of the hue in either direction, in full circles."""

    def sides(self, patch: int) -> tuple[int, ...]:
        """Sides of patches in pixels of the image, ascending, for a network of `patch` pixels."""
        return tuple(round(patch / self.shrinking**power) for power in range(self.sizes))


class ExemplarOptimiserSettings(MomentumSettings):
    """SGD with momentum; the defaults are the source's."""

    learning_rate: float = Field(0.01, gt=0)
    weight_decay: float = Field(0.004, ge=0)


class ExemplarSettings(ClusteredFeatureSettings):
    """Settings of Exemplar-CNN without labels (`iic.methods.exemplar.method`)."""

    encoder: ExemplarNetworkSettings
    patches: PatchSettings = PatchSettings()
    exemplars: int = Field(16_000, ge=2)
    """Patches that are classes, one an image."""
    copies: int = Field(150, ge=1)
    """Transformed copies of each in an epoch."""
    splits: tuple[str, ...] = ("unlabeled",)
    """Splits that patches are taken from."""
    optimiser: ExemplarOptimiserSettings = ExemplarOptimiserSettings()

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of one training; k-means and transforms are not counted."""
        classes = {"classes": self.exemplars}
        pooled = NetworkPass(
            "iic.methods.exemplar.network.on_images",
            self.encoder,
            {"side": dataset.image.height},
        )
        examples = self.exemplars * self.copies
        return scheduled(
            self.schedule,
            self.compute,
            math.ceil(examples / self.batch_images),
            examples * count(NetworkPass(NETWORK, self.encoder, classes)).training,
            predicting=count(pooled).forward * evaluated_images(self.evaluation, dataset),
            # for the inertia of the last and of the best epoch
            finishing=2 * count(pooled).forward * evaluated_images(self.evaluation, dataset),
        )

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether there are as many images, and patches fit into them."""
        yield from super().problems(dataset)
        images = image_count(self.splits, dataset)
        if images < self.exemplars:
            yield Problem(
                "exemplars",
                f"{self.exemplars} patches, each of another image, but there are {images}",
                f"at most {images}",
            )
        yield from image_problems(self.encoder, dataset)
        largest = self.patches.sides(self.encoder.input_size)[-1]
        if largest > dataset.image.height:
            yield Problem(
                "patches.sizes",
                f"patches of up to {largest} pixels do not fit into images of "
                f"{dataset.image.height}",
                "fewer sizes, or a smaller encoder.input_size",
            )


def image_problems(encoder: ExemplarNetworkSettings, dataset: Dataset) -> Iterator[Problem]:
    """Whether images are square, of three channels, and no smaller than a patch."""
    image = dataset.image
    if not encoder.in_channels == image.channels == 3:
        yield Problem(
            "encoder.in_channels",
            f"{encoder.in_channels} channels, the images of {dataset.title} have "
            f"{image.channels}, and transforms change colours",
            "3, of colour images",
        )
    if image.height != image.width or encoder.input_size > image.height:
        yield Problem(
            "encoder.input_size",
            f"{encoder.input_size} pixels, but the images of {dataset.title} have "
            f"{image.height} x {image.width}",
            f"at most {image.height}, for square images",
        )
