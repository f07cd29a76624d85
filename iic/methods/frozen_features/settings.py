"""Settings of k-means on features from a file (torch-free)."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from iic.params.base import Model
from iic.params.datasets import Dataset, Sha256
from iic.params.method import MethodSettings, Problem
from iic.params.splits import image_count

Channels = tuple[float, float, float]


class FileSettings(Model):
    """A local file."""

    path: str = Field(min_length=1)
    """Path of the file, from the root of the clone or absolute."""
    sha256: Sha256
    """As ``sha256sum`` prints it."""


class FeatureFile(FileSettings):
    """Features (images, d): ``.npy``, or a tensor of a ``.safetensors`` file."""

    tensor: str | None = None
    """Name of the tensor; null where the file has one."""


class ModelFile(FileSettings):
    """Weights of a torchvision model: a state dictionary, ``.pth`` or ``.safetensors``."""

    model: str = Field(pattern=r"^[a-z0-9_]+$")
    """As torchvision calls it, such as resnet50 or vit_b_16."""
    input_size: int = Field(224, ge=1)
    """Side in pixels to which images are resized."""
    mean: Channels = (0.485, 0.456, 0.406)
    """Subtracted from red, green and blue in [0, 1]."""
    deviation: Channels = (0.229, 0.224, 0.225)
    """What red, green and blue are then divided by."""
    batch: int = Field(64, ge=1)
    """Images that go through the model at once."""


class FrozenFeatureSettings(MethodSettings):
    """Settings of k-means on features: one of `features` and `weights`."""

    features: FeatureFile | None = None
    weights: ModelFile | None = None
    k: int = Field(ge=2)
    """Clusters."""
    normalise: bool = True
    """Whether each feature vector gets length 1."""
    restarts: int = Field(10, ge=1)
    max_iterations: int = Field(300, ge=1)

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether one source is given, and the clusters fit the images."""
        yield from super().problems(dataset)
        if (self.features is None) == (self.weights is None):
            yield Problem("features", "one of features and weights is needed", "one of the two")
        if self.features is not None and not self.features.path.endswith((".npy", ".safetensors")):
            yield Problem("features.path", f"{self.features.path!r}", ".npy or .safetensors")
        if self.weights is not None and dataset.image.channels != 3:
            yield Problem("weights", "the model takes 3 channels", "a dataset of colour images")
        count = image_count(self.evaluation.test, dataset)
        if not len(dataset.classes) <= self.k <= count:
            yield Problem(
                "k",
                f"{self.k} clusters for {len(dataset.classes)} classes and {count} images",
                f"{len(dataset.classes)} to {count}",
            )
