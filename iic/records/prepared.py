"""A dataset as training reads it: ``data/prepared/<dataset>/data.json`` and its arrays."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from iic.params.base import Model
from iic.params.datasets import Identifier, ImageShape
from iic.records.receipt import FileRecord

SCHEMA_VERSION = 1


class Split(Model):
    """The images `start` to `stop` (exclusive) of the arrays."""

    name: Identifier
    start: int = Field(ge=0)
    stop: int


class ImagesRecord(FileRecord):
    """``images.npy``: uint8, C order, (count, channels, height, width)."""

    dtype: Literal["uint8"] = "uint8"
    shape: tuple[int, int, int, int]


class LabelsRecord(FileRecord):
    """``labels.npy``: int64, (count,); an index into the classes, or -1 where there is no label."""

    dtype: Literal["int64"] = "int64"
    shape: tuple[int]


class PreparedManifest(Model):
    """Description of a prepared dataset."""

    schema_version: int = SCHEMA_VERSION
    dataset: Identifier
    stand_in: bool
    """True for procedural data that takes the place of what the paper used."""
    image: ImageShape
    count: int = Field(ge=1)
    """Number of images."""
    classes: tuple[str, ...]
    splits: tuple[Split, ...] = Field(min_length=1)
    """In the order in which they lie in the arrays, without gaps."""
    images: ImagesRecord
    labels: LabelsRecord | None
    """None when no image has a label."""

    @model_validator(mode="after")
    def _consistent(self) -> PreparedManifest:
        edges = [split.start for split in self.splits] + [self.count]
        if edges[0] != 0 or any(
            not split.start < split.stop == following
            for split, following in zip(self.splits, edges[1:], strict=True)
        ):
            raise ValueError(f"the splits do not cover the {self.count} images in order")
        if self.images.shape != (self.count, *self.image.shape):
            raise ValueError(f"shape {self.images.shape} of the images contradicts count and image")
        if self.labels is not None and self.labels.shape != (self.count,):
            raise ValueError(f"shape {self.labels.shape} of the labels contradicts count")
        return self

    def split(self, name: str) -> slice:
        """Where the split `name` lies in the arrays.

        Raises:
            KeyError: There is no such split.
        """
        for split in self.splits:
            if split.name == name:
                return slice(split.start, split.stop)
        raise KeyError(f"{self.dataset} has no split {name!r}: {[s.name for s in self.splits]}")
