"""What lies in a dataset's raw folder: ``data/raw/<dataset>/files.json``."""

from __future__ import annotations

from iic.params.base import Model
from iic.records.receipt import FileRecord

SCHEMA_VERSION = 1


class RawManifest(Model):
    """The raw files of one dataset.

    Which mirror a file came from is not said: the content is the same, and a mirror must not
    change the hash of anything that is computed from it.
    """

    schema_version: int = SCHEMA_VERSION
    dataset: str
    files: tuple[FileRecord, ...]
    """In the catalogue's order."""
