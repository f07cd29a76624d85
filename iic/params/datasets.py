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
UNVERIFIED = "unverified"
"""What stands for the checksum of a file of which nobody publishes any."""

Identifier = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Dotted = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.+-]*(/[A-Za-z0-9][\w.+-]*)*$")]
"""Path below a dataset's raw folder; each part starts with a letter or digit, so never ``..``."""
MirrorPrefix = Annotated[str, Field(pattern=r"^(https?://.+|~?/.*|\.{1,2}/.*)/$|^~?/$")]
"""URL or folder to which a file's name is appended; a folder begins with ``/``, ``~/``, ``./`` or
``../``, the last two from the root of the clone."""


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


class LabelMaps(Model):
    """What a dataset for segmentation has besides: a class for every pixel, and how it is made."""

    scale: float = Field(gt=0, le=1)
    """Factor on the raw images before anything else. Paper: 0.33 (COCO-Stuff), 0.5 (Potsdam)."""
    least_side: int = Field(ge=1)
    """Sides below it, in pixels after `scale`, are padded with zeros around the middle."""
    tiles: int | None = Field(None, ge=1)
    """Tiles along each side of a source image, in datasets that cut it up; Potsdam: 15."""


class KnownFile(Model):
    """A file known by its content."""

    name: FileName
    """Path below ``data/raw/<dataset>/``, and below ``<mirror>/<dataset>/``."""
    size: int = Field(0, ge=0)
    """Bytes; left out only for an unverified file whose size nobody publishes either."""
    sha256: Sha256 | None = None
    """What is checked, wherever it is known."""
    md5: Md5 | None = None
    """As the source publishes it; checked only where no SHA-256 could be had."""
    unverified: str | None = Field(None, min_length=1)
    """In place of both: why nobody's checksum is known. Such a file is taken as it first comes;
    ``files.json`` notes its SHA-256, which is checked from then on."""

    at_most: int = Field(0, ge=0)
    """Bytes that an unverified file may have, packed and unpacked: more is refused as it comes."""

    @model_validator(mode="after")
    def _recognisable(self) -> KnownFile:
        checkable = self.sha256 is not None or self.md5 is not None
        if not checkable and self.unverified is None:
            raise ValueError(
                f"file {self.name!r} needs sha256 or, where none is published, md5 (or, where "
                "nobody publishes either, the reason as unverified)"
            )
        if checkable and self.unverified is not None:
            raise ValueError(f"file {self.name!r} has a checksum and is unverified")
        if self.unverified is None and not self.size:
            raise ValueError(f"file {self.name!r} needs its size")
        if (self.unverified is None) == bool(self.at_most):
            raise ValueError(
                f"file {self.name!r}: at_most (bytes, packed and unpacked) bounds an unverified "
                "file, and no other"
            )
        return self

    @property
    def checksum(self) -> str:
        """The SHA-256 in hexadecimal; ``md5:`` and the MD5, or ``unverified``, without one."""
        return self.sha256 or (f"md5:{self.md5}" if self.md5 else UNVERIFIED)


class Embedded(Model):
    """Place of a file inside an installed Python package."""

    package: str = Field(pattern=r"^[A-Za-z_]\w*$")
    """Top-level package, as it is imported."""
    path: FileName
    """Path below the package's folder."""


class SourceFile(KnownFile):
    """A file to obtain: from a package, or from the first mirror that offers it."""

    embedded: Embedded | None = None
    mirrors: tuple[MirrorPrefix, ...] = ()
    """Where this file is to be had, in place of the dataset's `mirrors`."""
    members: tuple[KnownFile, ...] = ()
    """Files inside this archive. They, not the archive, are kept, and a mirror may offer either."""


class Dataset(Model):
    """One entry of the catalogue."""

    title: str = Field(min_length=1)
    description: str = Field(min_length=1)
    """What the images are, and what was done to them on the way to `image`."""
    module: Dotted
    """Dotted path of the module whose ``read(raw, dataset)`` yields the images in order.

    It may also have ``folds(raw, dataset)``, for a dataset that comes with folds of its own. For a
    dataset with `maps` it has ``open_maps(raw, dataset)`` in place of both.
    """
    classes: tuple[str, ...]
    """Names of the ground-truth classes; labels index into them. Empty where no image has a label:
    then clusters and losses are all that there is to measure."""
    image: ImageShape
    """Shape of every image as prepared; with `maps`, of the canvas whose corner it lies in."""
    maps: LabelMaps | None = None
    """For a dataset with a class for every pixel, in place of one for every image."""
    splits: dict[Identifier, Annotated[int, Field(ge=1)]] = Field(min_length=1)
    """Number of images of each split, in the order in which they are stored."""
    stand_in: bool = False
    """True for procedural data that takes the place of what the paper used."""
    licence: str = Field(min_length=1)
    citation: str | None = Field(None, pattern=r"^@")
    """BibTeX entry; left out only for data that nobody has published."""
    page: str | None = Field(None, pattern=r"^https?://")
    """Where the source describes the data; left out with `citation`."""
    mirrors: tuple[MirrorPrefix, ...] = ()
    """URLs and folders, ending in a slash, to which a file's name is appended; tried in order."""
    generator: Dotted | None = None
    """For a stand-in: module whose ``content(name, dataset)`` gives the bytes of each file."""
    files: tuple[SourceFile, ...] = Field(min_length=1)

    @property
    def count(self) -> int:
        """Number of images over all splits."""
        return sum(self.splits.values())

    @property
    def labelled(self) -> bool:
        """Whether images have labels."""
        return bool(self.classes)

    @property
    def raw_files(self) -> tuple[KnownFile, ...]:
        """The files that lie in the raw folder: members in place of the archives that have them."""
        return tuple(kept for file in self.files for kept in (file.members or (file,)))

    @field_validator("classes")
    @classmethod
    def _distinct_classes(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(classes)) < len(classes):
            raise ValueError(f"a class is named twice in {', '.join(classes)}")
        if len(classes) == 1:
            raise ValueError("one class tells nothing apart: name two, or none for no labels")
        return classes

    @model_validator(mode="after")
    def _known_source(self) -> Dataset:
        if self.maps is not None and not self.classes:
            raise ValueError("a dataset with maps needs its classes: the maps are labels")
        everywhere = [*self.mirrors, *(mirror for file in self.files for mirror in file.mirrors)]
        published = not everywhere or any("://" in mirror for mirror in everywhere)
        if published and (self.citation is None or self.page is None):
            raise ValueError(
                "citation and page are needed, except for data that lie in folders of mirrors only"
            )
        return self

    @model_validator(mode="after")
    def _obtainable(self) -> Dataset:
        names = [file.name for file in self.raw_files]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"file {name!r} is listed twice")
            if name.endswith(".part") or name == "files.json":
                raise ValueError(f"file name {name!r} is taken by the download itself")
        for file in self.files:
            for member in file.members:
                if member.unverified:
                    raise ValueError(f"member {member.name!r} of {file.name!r} needs a checksum")
        if self.generator is not None:
            if not self.stand_in:
                raise ValueError("a generator makes stand-ins: stand_in has to be true")
            if self.mirrors or any(
                file.embedded or file.members or file.mirrors for file in self.files
            ):
                raise ValueError("generated files have neither mirrors, members nor a package")
            if any(file.unverified for file in self.files):
                raise ValueError("generated files have a sha256: they are the same everywhere")
        elif not self.mirrors and any(
            file.embedded is None and not file.mirrors for file in self.files
        ):
            raise ValueError(
                "a file that no package carries needs at least one entry in mirrors: a URL, or a "
                "folder for data that exist only here"
            )
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
