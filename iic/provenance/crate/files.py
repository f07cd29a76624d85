"""Files that receipts name: those that go into the crate, and those known by their hash alone.

Prepared and raw data stay outside (their descriptions and receipts go in, where they are here),
and so do weights and probabilities unless they are asked for. A file that is not in the crate has
an identifier that starts with ``#``, so that nobody looks for it inside.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from iic.provenance.audit.tree import Tree
from iic.provenance.crate.errors import CrateError
from iic.provenance.crate.graph import Graph, references
from iic.records.files import sha256_bytes
from iic.records.paths import prepared_manifest, raw_manifest, receipt_of
from iic.records.receipt import FileRecord

FORMATS = {
    "bib": "text/x-bibtex",
    "cff": "application/yaml",
    "csv": "text/csv",
    "gz": "application/gzip",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "md": "text/markdown",
    "parquet": "application/vnd.apache.parquet",
    "png": "image/png",
    "py": "text/x-python",
    "html": "text/html",
    "lock": "text/plain",
    "smk": "text/x-python",
    "svg": "image/svg+xml",
    "tex": "text/x-tex",
    "tif": "image/tiff",
    "toml": "application/toml",
    "txt": "text/plain",
    "yaml": "application/yaml",
    "zip": "application/zip",
}
PLAIN = ("Snakefile", "LICENSE", "Makefile")
OUTSIDE = "#not-in-crate/"


def encoding(path: str) -> str:
    """Media type of a file, by its name."""
    name = path.rsplit("/", 1)[-1]
    if name in PLAIN:
        return "text/plain"
    return FORMATS.get(name.rsplit(".", 1)[-1], "application/octet-stream")


class Files:
    """Every file that receipts of one scale name.

    Args:
        tree: The clone.
        graph: Where the files are described, once all are known.
        artifacts: Whether weights and probabilities go into the crate.
    """

    def __init__(self, tree: Tree, graph: Graph, artifacts: bool) -> None:
        self.tree = tree
        self.graph = graph
        self.artifacts = artifacts
        self._described_data = {
            str(path)
            for dataset in tree.plan.datasets
            for manifest in (raw_manifest(dataset), prepared_manifest(dataset))
            for path in (manifest, receipt_of(manifest))
        }
        self._records: dict[str, FileRecord] = {}
        self._properties: dict[str, dict[str, Any]] = {}
        self._roles: dict[str, list[str]] = {}
        self._made: dict[str, bytes] = {}

    def refer(self, record: FileRecord, *roles: str, **properties: Any) -> str:
        """Note that `record` is referred to.

        Args:
            record: A file as a receipt has it.
            roles: Formal parameters of which it is a value.
            properties: More to say of it.

        Returns:
            Its identifier in the crate.
        """
        return self._note(self._identifier(record), record, roles, properties)

    def make(self, path: str, content: bytes, *roles: str, **properties: Any) -> str:
        """Note a file that is in no clone and is written into the crate.

        Returns:
            Its identifier in the crate.
        """
        self._made[path] = content
        record = FileRecord(path=path, sha256=sha256_bytes(content), size=len(content))
        return self._note(path, record, roles, properties)

    def find(self, path: str) -> FileRecord:
        """The record of a file that lies here.

        Raises:
            CrateError: It is absent or cannot be read.
        """
        digest = self.tree.sha256(path)
        if digest is None:
            raise CrateError(f"{path}: missing, or cannot be read; nothing was exported")
        size = (self.tree.root / path).stat().st_size
        return FileRecord(path=path, sha256=digest, size=size)

    def describe(self) -> int:
        """Add all files to the crate.

        Returns:
            How many of them are not inside.
        """
        outside = 0
        for identifier, record in sorted(self._records.items()):
            common = {
                "name": record.path,
                "encodingFormat": encoding(record.path),
                "contentSize": str(record.size),
                "sha256": record.sha256,
                "exampleOfWork": references(self._roles[identifier]),
                **self._properties[identifier],
            }
            if identifier.startswith(OUTSIDE):
                outside += 1
                common.setdefault("description", self._why_outside(record))
                self.graph.add(identifier, "File", **common)
            else:
                source = self._made.get(identifier, self.tree.root / identifier)
                self.graph.add_file(identifier, source, **common)
        return outside

    def _note(
        self, identifier: str, record: FileRecord, roles: Iterable[str], properties: dict[str, Any]
    ) -> str:
        self._records[identifier] = record
        self._properties.setdefault(identifier, {}).update(properties)
        self._roles.setdefault(identifier, []).extend(roles)
        return identifier

    def _identifier(self, record: FileRecord) -> str:
        if self._goes_in(record.path) and self.tree.sha256(record.path) == record.sha256:
            return record.path
        identifier = f"{OUTSIDE}{record.path}"
        earlier = self._records.get(identifier)
        if earlier is not None and earlier.sha256 != record.sha256:
            # an older content of the same path, which only results that do not verify can have
            identifier = f"{identifier}/{record.sha256}"
        return identifier

    def _goes_in(self, path: str) -> bool:
        if path.startswith("data/"):
            return path in self._described_data
        return self.artifacts or not path.startswith(f"results/{self.tree.scale}/artifacts/")

    def _why_outside(self, record: FileRecord) -> str:
        if record.path.startswith("data/prepared/"):
            how = "the workflow's prepare rule makes it from the raw data"
        elif self.tree.restorable(record.path):
            how = "it is versioned with DVC"
        else:
            how = (
                "when the crate was made, the file of this name was missing or had another content"
            )
        return f"Not in this crate; known by its SHA-256 and size. {how[0].upper()}{how[1:]}."
