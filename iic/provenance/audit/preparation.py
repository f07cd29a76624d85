"""Arrays made again from raw bytes, so that a repetition trains on nothing that it has to trust.

Raw files are known by the checksums of the catalogue as the clone's commit has it. Whoever replaced
prepared labels, or edited a checksum without a commit, is found here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from iic.params.datasets import CATALOGUE, UNVERIFIED, Dataset
from iic.params.errors import SettingsError
from iic.params.loading import parse_yaml
from iic.provenance import git
from iic.provenance.audit.workshop import verb
from iic.provenance.git import GitUnknown
from iic.records.files import sha256_file
from iic.records.paths import raw_folder
from iic.records.receipt import Receipt

MOST_SECONDS = 6 * 3600
"""When to give up a preparation: the largest dataset takes an hour or two."""


def checksums(root: Path, commit: str = "HEAD") -> dict[str, str] | None:
    """Checksums of the raw files as a commit's catalogue has them.

    Args:
        root: Root of the clone.
        commit: Any name that git knows it by.

    Returns:
        ``<dataset>/<file>`` -> checksum, as `iic.params.datasets.KnownFile` has it; None where git
        does not answer, or that catalogue cannot be read.
    """
    try:
        text = git.ask(root, "show", f"{commit}:{CATALOGUE}")
        return dict(known_checksums(parse_yaml(text, str(CATALOGUE))))
    except (GitUnknown, SettingsError, AttributeError, KeyError, TypeError):
        return None


def known_checksums(catalogue: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """``<dataset>/<file>`` and its checksum, of a catalogue's content."""
    for dataset, entry in catalogue.items():
        for file in entry["files"]:
            for kept in file.get("members") or (file,):
                md5 = kept.get("md5")
                checksum = kept.get("sha256") or (f"md5:{md5}" if md5 else UNVERIFIED)
                yield f"{dataset}/{kept['name']}", str(checksum)


class Preparations:
    """Datasets prepared again, each once.

    Args:
        root: Root of the clone.
        folder: A workshop whose ``data`` is its own (`iic.provenance.audit.workshop`).
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = root
        self.folder = folder
        self._committed = checksums(root)
        self._errors: dict[str, str | None] = {}

    def make(self, dataset: str, entry: Dataset) -> str | None:
        """Check a dataset's raw files, and prepare them.

        Returns:
            What is wrong; None where nothing is.
        """
        if dataset not in self._errors:
            self._errors[dataset] = self._raw(dataset, entry) or self._prepare(dataset)
        return self._errors[dataset]

    def differs(self, receipt: Receipt) -> str | None:
        """Which array a training read that is not what the raw bytes give; None for none.

        Args:
            receipt: The training's.
        """
        for read in receipt.inputs:
            again = self.folder / read.path
            if read.path.endswith(".npy") and again.exists():
                sha256 = sha256_file(again)
                if sha256 != read.sha256:
                    return (
                        f"was trained on another {read.path} (sha256 {read.sha256[:12]}) than the "
                        f"raw bytes give ({sha256[:12]})"
                    )
        return None

    def _raw(self, dataset: str, entry: Dataset) -> str | None:
        """Raw files against the checksums, and the checksums against those of the commit."""
        for file in entry.raw_files:
            name = f"{dataset}/{file.name}"
            if self._committed is not None and self._committed.get(name) != file.checksum:
                return (
                    f"{CATALOGUE}: the checksum of {name} is {file.checksum}, and the commit has "
                    f"{self._committed.get(name, 'none')}"
                )
            path = self.root / raw_folder(dataset) / file.name
            kind = "md5" if file.checksum.startswith("md5:") else "sha256"
            try:
                with path.open("rb") as opened:
                    found = hashlib.file_digest(opened, kind).hexdigest()
            except OSError as error:
                return f"{path}: cannot be read: {error.strerror}"
            if file.checksum not in (UNVERIFIED, found, f"md5:{found}"):
                return f"{raw_folder(dataset) / file.name} is not the file of the catalogue"
        return None

    def _prepare(self, dataset: str) -> str | None:
        done = verb(self.folder, MOST_SECONDS, "prepare", "--dataset", dataset)
        if done.error is None and not done.timed_out:
            return None
        why = done.error or f"given up after {done.seconds:.0f} s"
        return f"the data of {dataset} cannot be prepared again: {why}"


def raw_here(root: Path, dataset: str, entry: Dataset) -> bool:
    """Whether all raw files of a dataset are here."""
    folder = root / raw_folder(dataset)
    return all((folder / file.name).exists() for file in entry.raw_files)
