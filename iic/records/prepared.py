"""A dataset as training reads it: ``data/prepared/<dataset>/data.json`` and its arrays."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

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
    folds: tuple[tuple[int, ...], ...] | None = None
    """For a dataset that comes with folds: places of each fold's images in the arrays, all of them
    in the split `train`."""

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
        if self.folds is not None:
            check_folds(self.folds, self.splits)
        return self

    @model_serializer(mode="wrap")
    def _without_empty_folds(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Folds are left out where there are none: what other datasets have changes no file."""
        content: dict[str, Any] = plain(self)
        if self.folds is None:
            del content["folds"]
        return content

    def split(self, name: str) -> slice:
        """Where the split `name` lies in the arrays.

        Raises:
            KeyError: There is no such split.
        """
        for split in self.splits:
            if split.name == name:
                return slice(split.start, split.stop)
        raise KeyError(f"{self.dataset} has no split {name!r}: {[s.name for s in self.splits]}")


def check_folds(folds: tuple[tuple[int, ...], ...], splits: tuple[Split, ...]) -> None:
    """Check that folds are equally large sets of images of the split `train`.

    Args:
        folds: Places of each fold's images in the arrays.
        splits: The dataset's splits.

    Raises:
        ValueError: They are not; says which fold.
    """
    train = next((split for split in splits if split.name == "train"), None)
    if train is None:
        raise ValueError("folds of a dataset without a split 'train'")
    if not folds or not folds[0]:
        raise ValueError("folds without images")
    for number, fold in enumerate(folds):
        if len(fold) != len(folds[0]):
            raise ValueError(f"fold {number} has {len(fold):,} images, fold 0 {len(folds[0]):,}")
        if len(set(fold)) < len(fold):
            raise ValueError(f"an image is twice in fold {number}")
        if min(fold) < train.start or max(fold) >= train.stop:
            raise ValueError(
                f"fold {number} has images outside {train.start:,} to {train.stop - 1:,}, "
                "the split 'train'"
            )
