"""The catalogue of datasets, ``params/datasets.yaml``: sources, checksums, licences, splits.

The name of a dataset is its key in the catalogue and the name of its folders under ``data/``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from iic.params.base import Model
from iic.params.errors import SettingsError
from iic.params.loading import read_yaml, validate

CATALOGUE = Path("params/datasets.yaml")
STAND_IN_SUFFIX = "_standin"

Identifier = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Dotted = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.+-]*(/[A-Za-z0-9][\w.+-]*)*$")]
"""Path below a dataset's raw folder; each part starts with a letter or digit, so never ``..``."""


class ImageShape(Model):
    """Shape of every image as prepared."""

    channels: int = Field(ge=1)
    height: int = Field(ge=1)
    """Pixels."""
    width: int = Field(ge=1)
    """Pixels."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return self.channels, self.height, self.width


class KnownFile(Model):
    """A file known by its content."""

    name: FileName
    """Path below ``data/raw/<dataset>/``, and below ``<mirror>/<dataset>/``."""
    size: int = Field(ge=1)
    """Bytes."""
    sha256: Sha256 | None = None
    """What is checked, wherever it is known."""
    md5: Md5 | None = None
    """As the source publishes it; checked only where no SHA-256 could be had."""

    @model_validator(mode="after")
    def _recognisable(self) -> KnownFile:
        if self.sha256 is None and self.md5 is None:
            raise ValueError(f"file {self.name!r} needs sha256 or, where none is published, md5")
        return self

    @property
    def checksum(self) -> str:
        """The SHA-256 in hexadecimal, or ``md5:`` and the MD5 where that is all that is known."""
        return self.sha256 or f"md5:{self.md5}"


class Embedded(Model):
    """Place of a file inside an installed Python package."""

    package: str = Field(pattern=r"^[A-Za-z_]\w*$")
    """Top-level package, as it is imported."""
    path: FileName
    """Path below the package's folder."""


class SourceFile(KnownFile):
    """A file to obtain: from a package, or from the first mirror that offers it."""

    embedded: Embedded | None = None
    members: tuple[KnownFile, ...] = ()
    """Files inside this archive. They, not the archive, are kept, and a mirror may offer either."""


class Dataset(Model):
    """One entry of the catalogue."""

    title: str = Field(min_length=1)
    description: str = Field(min_length=1)
    """What the images are, and what was done to them on the way to `image`."""
    module: Dotted
    """Dotted path of the module whose ``read(raw, dataset)`` yields the images in order.

    It may also have ``folds(raw, dataset)``, for a dataset that comes with folds of its own.
    """
    classes: tuple[str, ...] = Field(min_length=2)
    """Names of the ground-truth classes; labels index into them."""
    image: ImageShape
    splits: dict[Identifier, Annotated[int, Field(ge=1)]] = Field(min_length=1)
    """Number of images of each split, in the order in which they are stored."""
    stand_in: bool = False
    """True for procedural data that takes the place of what the paper used."""
    licence: str = Field(min_length=1)
    citation: str = Field(pattern=r"^@")
    """BibTeX entry."""
    page: str = Field(pattern=r"^https?://")
    """Where the source describes the data."""
    mirrors: tuple[Annotated[str, Field(pattern=r"^https?://.+/$")], ...] = ()
    """URL prefixes, ending in a slash, to which a file's name is appended; tried in order."""
    generator: Dotted | None = None
    """For a stand-in: module whose ``content(name, dataset)`` gives the bytes of each file."""
    files: tuple[SourceFile, ...] = Field(min_length=1)

    @property
    def count(self) -> int:
        """Number of images over all splits."""
        return sum(self.splits.values())

    @property
    def raw_files(self) -> tuple[KnownFile, ...]:
        """The files that lie in the raw folder: members in place of the archives that have them."""
        return tuple(kept for file in self.files for kept in (file.members or (file,)))

    @field_validator("classes")
    @classmethod
    def _distinct_classes(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(classes)) < len(classes):
            raise ValueError(f"a class is named twice in {', '.join(classes)}")
        return classes

    @model_validator(mode="after")
    def _obtainable(self) -> Dataset:
        names = [file.name for file in self.raw_files]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"file {name!r} is listed twice")
            if name.endswith(".part") or name == "files.json":
                raise ValueError(f"file name {name!r} is taken by the download itself")
        if self.generator is not None:
            if not self.stand_in:
                raise ValueError("a generator makes stand-ins: stand_in has to be true")
            if self.mirrors or any(file.embedded or file.members for file in self.files):
                raise ValueError("generated files have neither mirrors, members nor a package")
        elif not self.mirrors and any(file.embedded is None for file in self.files):
            raise ValueError("a file that no package carries needs at least one entry in mirrors")
        return self


def load_catalogue(path: Path = CATALOGUE) -> dict[str, Dataset]:
    """Read the catalogue.

    Returns:
        Name -> dataset, in the order of the file.

    Raises:
        SettingsError: The file or one of its entries is wrong; names file, key and value.
    """
    content = read_yaml(path)
    if not isinstance(content, Mapping) or not content:
        raise SettingsError(str(path), "", "holds no datasets", allowed="<name>: {title: ...}")
    return {str(name): _entry(str(name), entry, str(path)) for name, entry in content.items()}


def find_dataset(name: str, path: Path = CATALOGUE) -> Dataset:
    """The catalogue's entry `name`.

    Raises:
        SettingsError: There is none, or the catalogue is wrong; suggests the nearest name.
    """
    catalogue = load_catalogue(path)
    if name not in catalogue:
        raise SettingsError(
            str(path),
            "",
            f"no dataset {name!r}",
            allowed=", ".join(catalogue),
            candidates=catalogue,
            given=name,
        )
    return catalogue[name]


def _entry(name: str, entry: object, file: str) -> Dataset:
    if not re.fullmatch("[a-z0-9_]+", name):
        raise SettingsError(file, name, "is no name for a dataset", allowed="a-z, 0-9 and _")
    dataset = validate(Dataset, entry, file, name)
    if dataset.stand_in != name.endswith(STAND_IN_SUFFIX):
        raise SettingsError(
            file,
            f"{name}.stand_in",
            f"{str(dataset.stand_in).lower()} contradicts the name",
            allowed=f"true exactly for names that end in {STAND_IN_SUFFIX}",
        )
    return dataset
