"""Where the numbers begin: datasets and their raw files, by source, checksum and licence.

No raw byte goes into a crate: most licences forbid it, and the checksums say which bytes they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from iic.params.datasets import UNVERIFIED, Dataset, KnownFile, SourceFile
from iic.provenance.crate.files import OUTSIDE, Files, encoding
from iic.provenance.crate.graph import Graph, reference, references
from iic.records.paths import raw_folder
from iic.records.receipt import FileRecord, Receipt

STAND_IN = "STAND-IN DATA, made by this project, in the place of what the paper used. "


class Data:
    """The datasets of one crate.

    Args:
        graph: Where they are described.
        files: Files that receipts name.
        catalogue: The datasets of the scale, by name.
    """

    def __init__(self, graph: Graph, files: Files, catalogue: dict[str, Dataset]) -> None:
        self.graph = graph
        self.files = files
        self.catalogue = catalogue

    def describe(self, receipts: Sequence[Receipt], role: str) -> tuple[list[str], list[str]]:
        """Add the datasets that receipts name raw files of.

        Args:
            receipts: Their fingerprints have the raw files' checksums.
            role: The workflow's input parameter for raw files.

        Returns:
            The datasets and the raw files, as the crate identifies them.
        """
        checksums: dict[str, str] = {}
        records: dict[str, FileRecord] = {}
        for receipt in receipts:
            checksums |= receipt.fingerprint.data
            records |= {record.path: record for record in (*receipt.inputs, *receipt.outputs)}
        datasets, files = [], []
        for name, entry in self.catalogue.items():
            own = []
            for source in entry.files:
                for file in source.members or (source,):
                    path = f"{raw_folder(name)}/{file.name}"
                    if path in checksums:
                        about = self._about(name, entry, source, file, checksums[path])
                        own.append(self._add(path, file, checksums[path], records, role, about))
            if own:
                datasets.append(self._dataset(name, entry, own))
                files += own
        return datasets, files

    def _dataset(self, name: str, entry: Dataset, files: list[str]) -> str:
        said = STAND_IN if entry.stand_in else ""
        return self.graph.add(
            f"#dataset/{name}",
            "Dataset",
            name=f"{entry.title} (stand-in)" if entry.stand_in else entry.title,
            alternateName=name,
            description=said + " ".join(entry.description.split()),
            license=entry.licence,
            url=entry.page,
            citation=entry.citation.strip() if entry.citation else None,
            hasPart=references(files),
        )

    def _add(
        self,
        path: str,
        file: KnownFile,
        checksum: str,
        records: dict[str, FileRecord],
        role: str,
        about: dict[str, Any],
    ) -> str:
        """One raw file: by the record of the job that read or wrote it, or by its checksum."""
        record = records.get(path)
        if record is None and checksum != UNVERIFIED and not checksum.startswith("md5:"):
            record = FileRecord(path=path, sha256=checksum, size=file.size)
        if record is not None:
            return self.files.refer(record, role, **about)
        return self.graph.add(
            f"{OUTSIDE}{path}",
            "File",
            name=path,
            encodingFormat=encoding(path),
            contentSize=str(file.size) if file.size else None,
            exampleOfWork=reference(role),
            **about,
        )

    def _about(
        self, name: str, entry: Dataset, source: SourceFile, file: KnownFile, checksum: str
    ) -> dict[str, Any]:
        """Source and licence; the addresses only where the catalogue still means these bytes."""
        origin: dict[str, Any] = {}
        if entry.generator is not None:
            said = f"Written by {entry.generator} of this project, the same bytes everywhere."
        elif source.embedded is not None:
            said = f"The Python package {source.embedded.package} carries it."
        elif file.checksum != checksum:
            said = "The catalogue of this clone names another content for it."
        elif source.members:
            said = f"To be had inside {source.name}."
            origin = {"isPartOf": reference(self._archive(name, entry, source))}
        else:
            addresses = _addresses(entry, source)
            origin = {"contentUrl": addresses}
            said = "To be had from its addresses."
            if addresses is None:
                said = "It lies only where the results were made."
        if file.unverified:
            said += f" Nobody publishes a checksum of it: {file.unverified}"
        return {
            "description": f"Raw data, not in this crate. {said}",
            "license": entry.licence,
            "md5": checksum.removeprefix("md5:") if checksum.startswith("md5:") else None,
            **origin,
        }

    def _archive(self, name: str, entry: Dataset, source: SourceFile) -> str:
        return self.graph.add(
            f"{OUTSIDE}{raw_folder(name)}/archive/{source.name}",
            "File",
            name=source.name,
            description="An archive of raw data, not in this crate.",
            encodingFormat=encoding(source.name),
            contentSize=str(source.size) if source.size else None,
            contentUrl=_addresses(entry, source),
            license=entry.licence,
            sha256=source.sha256,
            md5=source.md5,
        )


def _addresses(entry: Dataset, source: SourceFile) -> str | list[str] | None:
    mirrors = source.mirrors or entry.mirrors
    addresses = [f"{mirror}{source.name}" for mirror in mirrors if "://" in mirror]
    return addresses[0] if len(addresses) == 1 else addresses or None
