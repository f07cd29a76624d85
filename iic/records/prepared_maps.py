"""A dataset for segmentation as training reads it: ``data/prepared/<dataset>/data.json``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from iic.params.base import Model
from iic.params.datasets import Identifier, ImageShape, LabelMaps
from iic.records.prepared import ImagesRecord, Split
from iic.records.receipt import FileRecord

SCHEMA_VERSION = 1


class LabelMapsRecord(FileRecord):
    """``labels.npy``: uint8, C order, (count, height, width).

    Indices into the classes; 254 where the source has no label, 255 where none counts.
    """

    dtype: Literal["uint8"] = "uint8"
    shape: tuple[int, int, int]


class MapManifest(Model):
    """Description of a prepared dataset with a class for every pixel."""

    schema_version: int = SCHEMA_VERSION
    dataset: Identifier
    stand_in: bool
    """True for procedural data that takes the place of what the paper used."""
    image: ImageShape
    """The canvas, in whose top left corner the content of each image lies."""
    count: int = Field(ge=1)
    """Number of images."""
    classes: tuple[str, ...]
    splits: tuple[Split, ...] = Field(min_length=1)
    """In the order in which they lie in the arrays, without gaps."""
    maps: LabelMaps
    """How the images were made from the raw ones."""
    images: ImagesRecord
    labels: LabelMapsRecord
    names: tuple[str, ...]
    """Of each image: file in the source, with the number of the tile where it was cut up."""
    sizes: tuple[tuple[int, int], ...]
    """Height and width of each image's content in pixels, padding included."""
    empty: tuple[int, ...]
    """Places of the images without a single pixel of a class, in order."""

    @model_validator(mode="after")
    def _consistent(self) -> MapManifest:
        edges = [split.start for split in self.splits] + [self.count]
        if edges[0] != 0 or any(
            not split.start < split.stop == following
            for split, following in zip(self.splits, edges[1:], strict=True)
        ):
            raise ValueError(f"the splits do not cover the {self.count} images in order")
        if self.images.shape != (self.count, *self.image.shape):
            raise ValueError(f"shape {self.images.shape} of the images contradicts count and image")
        if self.labels.shape != (self.count, self.image.height, self.image.width):
            raise ValueError(f"shape {self.labels.shape} of the labels contradicts count and image")
        for what, values in (("names", self.names), ("sizes", self.sizes)):
            if len(values) != self.count:
                raise ValueError(f"{len(values):,} {what} for {self.count:,} images")
        for index, (height, width) in enumerate(self.sizes):
            if not (0 < height <= self.image.height and 0 < width <= self.image.width):
                raise ValueError(
                    f"size {height}x{width} of image {index} does not fit the canvas of "
                    f"{self.image.height}x{self.image.width}"
                )
        if any(not 0 <= image < self.count for image in self.empty):
            raise ValueError(f"empty names places outside the {self.count:,} images")
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


class PieceRecord(Model):
    """A finished piece of a preparation."""

    key: str
    sizes: tuple[tuple[int, int], ...]
    """As in the manifest, of this piece's images in the order of its places."""
    empty: tuple[int, ...]
    """As in the manifest."""


class PreparationRecord(Model):
    """How far a preparation is: ``progress.json`` beside its partial arrays, until it ends."""

    schema_version: int = SCHEMA_VERSION
    identity: str
    """Hash of all that decides the arrays' content: who has another one starts anew."""
    pieces: tuple[PieceRecord, ...] = ()
    arrays: dict[str, str] = {}
    """SHA-256 of each finished array by name, once all pieces are there."""
