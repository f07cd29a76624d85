"""Raw files of which nobody publishes a checksum.

Such a file is taken as it first comes, if it is at least whole: of the size that is known or that
the server announces, and a zip archive with every member's own checksum right. ``files.json`` then
notes its SHA-256, and from then on it is checked like any other in this dataset. Another dataset
with a file of that name brings its own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from iic.data.errors import DataError
from iic.data.files import mismatch, verify_raw, wrong_size
from iic.data.packed import TooLong, check_gzip
from iic.data.zips import TooLarge, check_zip
from iic.params.datasets import Dataset, KnownFile
from iic.params.escaping import quoted
from iic.records.files import RecordError, read_record
from iic.records.paths import raw_folder, raw_manifest
from iic.records.raw import RawManifest

F = TypeVar("F", bound=KnownFile)
MANIFEST = "files.json"


def is_known(file: KnownFile) -> bool:
    """Whether there is a checksum to check the file by."""
    return file.sha256 is not None or file.md5 is not None


def as_noted(file: F, folder: Path) -> F:
    """The file with the size and SHA-256 that the raw folder `folder` notes for it.

    Unchanged where the catalogue has its checksum, or where `folder` notes none.
    """
    if is_known(file):
        return file
    try:
        manifest = read_record(folder / MANIFEST, RawManifest)
    except RecordError:
        return file
    for record in manifest.files:
        if record.path.endswith(f"/{folder.name}/{file.name}"):
            if file.size and file.size != record.size:
                return file
            return file.model_copy(update={"size": record.size, "sha256": record.sha256})
    return file


def problem_of(path: Path, file: KnownFile) -> str | None:
    """How the file at `path` differs from what is known of it; None where nothing is wrong."""
    if is_known(file) or not path.exists():
        return mismatch(path, file)
    size = path.stat().st_size
    if file.size and size != file.size:
        return wrong_size(size, file)
    if not size:
        return "empty"
    most = max(file.size, file.at_most)
    if size > most:
        return f"{size:,} bytes, more than the {most:,} that it may have"
    kind = next((kind for end, kind in KINDS.items() if file.name.endswith(end)), None)
    try:
        if kind is not None:
            kind(path, max(file.at_most, size))
    except (TooLarge, TooLong) as error:
        return quoted(error)
    except Exception as error:  # damaged bytes may lead a decoder anywhere
        return f"damaged or no {file.name.rpartition('.')[2]} archive: {quoted(error)}"
    return None


KINDS: dict[str, Callable[[Path, int], None]] = {".zip": check_zip, ".gz": check_gzip}
"""How the names of files end of which all that is in them is read, in bounded memory."""


def verify_noted(name: str, dataset: Dataset, root: Path) -> None:
    """Check every raw file by size and checksum, the noted one where the catalogue has none.

    Raises:
        DataError: A file is missing, cut, corrupt or unreadable, or no checksum of it is noted;
            names the file and the remedy.
    """
    folder = root / raw_folder(name)
    files = [file if file.members else as_noted(file, folder) for file in dataset.files]
    for file in files:
        if not file.members and not is_known(file):
            raise DataError(
                f"{root / raw_manifest(name)}: notes no checksum of {file.name}, and nobody "
                f"publishes one\n  remedy: `iic download --dataset {name}` notes it"
            )
    verify_raw(name, dataset.model_copy(update={"files": tuple(files)}), root)
