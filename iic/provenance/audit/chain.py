"""Does every cell of every table, and every series of every figure, lead back to the raw bytes?

A link of the chain is the digest of the parent's receipt, which names the files that the parent
wrote. Data may be absent (they are not in git): then the chain closes on the checksums of the raw
files that the training's receipt has in its fingerprint.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from iic.params.datasets import UNVERIFIED
from iic.provenance import graph, jobs
from iic.provenance.audit.report import Finding
from iic.provenance.audit.tree import Tree
from iic.provenance.jobs import Job
from iic.records import paths
from iic.records.files import RecordError, read_record
from iic.records.links import Broken, broken_links, broken_source
from iic.records.receipt import Receipt
from iic.records.sources import SeedSource, Sources

REMEDY = "run the workflow again: it makes anew what was made from something else"
RETRAIN = (
    "iic restore --scale {scale}, if a remote has the artifacts; or leave the figure as it is; or, "
    "which trains again: iic run --scale {scale} {name}"
)


class Chain:
    """The links between the receipts of a tree, and what is wrong with them."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.broken: dict[str, list[Finding]] = {}
        """Receipt -> what is wrong with its own links."""
        self._md5: dict[str, str] = {}
        self.closed = 0
        """Cells and series that lead back to raw data."""

    def check(self) -> Iterator[Finding]:
        """The links of every receipt, then the way from every cell."""
        for job, receipt in self.tree.present:
            findings = list(self._links(job, receipt))
            self.broken[str(job.receipt)] = findings
            yield from findings
        for job, receipt in self.tree.present:
            if job.rule in ("tabulate", "draw"):
                yield from self._display(job, receipt)

    def _links(self, job: Job, receipt: Receipt) -> Iterator[Finding]:
        """Parents are those that the rule asks for, unchanged, and wrote all inputs."""
        path = str(job.receipt)
        named = {parent.path for parent in receipt.parents}
        for parent in graph.parents(self.tree.plan, job):
            # what a display of other settings shows is another thing: that it is stale is drift
            if str(parent.receipt) not in named and not self._stale_display(job, receipt):
                yield _broken(path, f"does not name its parent {parent.receipt}")
        for broken in broken_links(path, self.tree.receipts):
            yield self._outdated(job, path, broken) or _broken(path, broken.message)
        yield from self._raw(job, receipt)

    def _outdated(self, job: Job, path: str, broken: Broken, what: str = "") -> Finding | None:
        """A figure of what has been made anew since, where drawing it again means to train again.

        It shows what its training gave then, and that is drift. Any other job is quick to do again.
        """
        cost = self.tree.cost(job) if broken.outdated and job.rule == "draw" else ""
        if not cost:
            return None
        return Finding(
            level="drift",
            kind="chain",
            path=path,
            message=f"{what}{broken.message}; drawing it again needs {cost}",
            remedy=RETRAIN.format(scale=self.tree.scale, name=job.wildcards["name"]),
        )

    def _stale_display(self, job: Job, receipt: Receipt) -> bool:
        return job.rule in ("tabulate", "draw") and bool(self.tree.drift(job, receipt)[0])

    def _raw(self, job: Job, receipt: Receipt) -> Iterator[Finding]:
        """Raw files are the ones that the fingerprint names."""
        if job.rule == "download":
            wrote = {output.path: output.sha256 for output in receipt.outputs}
            for path, checksum in receipt.fingerprint.data.items():
                if not self._is(path, wrote.get(path), checksum):
                    yield _broken(str(job.receipt), f"{path} is not the file of the catalogue")
        elif job.rule in ("prepare", "train"):
            dataset = job.wildcards.get("dataset") or job.wildcards["run"].split("/")[0]
            if not receipt.fingerprint.data:
                yield _broken(str(job.receipt), "names no raw data")
            raw = self.tree.receipt(str(jobs.download(dataset).receipt))
            if raw is None:
                return
            have = {output.path: output.sha256 for output in raw.outputs}
            for path, checksum in receipt.fingerprint.data.items():
                if not self._is(path, have.get(path), checksum):
                    yield _broken(
                        str(job.receipt),
                        f"was made from another {path} than the one that lies here",
                    )

    def _is(self, path: str, sha256: str | None, checksum: str) -> bool:
        """Whether a recorded file is the one that the catalogue knows by `checksum`.

        A receipt cannot tell of a file that is known by its MD5 alone: the file itself is looked
        at where it is here.
        """
        if checksum == UNVERIFIED:
            # nobody publishes its checksum: the one noted when it arrived, which the receipts of
            # download and preparation share by their files and digests, is all there is
            return sha256 is not None
        if not checksum.startswith("md5:"):
            return sha256 == checksum
        if path not in self._md5:
            raw_file = self.tree.root / path
            self._md5[path] = ""
            if raw_file.exists():
                with raw_file.open("rb") as file:
                    self._md5[path] = f"md5:{hashlib.file_digest(file, 'md5').hexdigest()}"
        return sha256 is not None and self._md5[path] in ("", checksum)

    def _display(self, job: Job, receipt: Receipt) -> Iterator[Finding]:
        """The sources of a table's cells or a figure's series."""
        name, scale = job.wildcards["name"], job.wildcards["scale"]
        output = paths.table if job.rule == "tabulate" else paths.figure
        path = paths.sources_of(output(scale, name))
        if not self.tree.exists(str(path)):
            return  # said by the check of integrity
        try:
            sources = read_record(self.tree.root / path, Sources)
        except RecordError as error:
            yield Finding(
                level="failure", kind="schema", path=str(path), message=str(error), remedy=REMEDY
            )
            return
        if (sources.scale, sources.name) != (scale, name):
            yield Finding(
                level="failure",
                kind="misplaced",
                path=str(path),
                message=f"these are the sources of {sources.name} at scale {sources.scale}",
                remedy=REMEDY,
            )
        shown = [(f"cell {cell.row} x {cell.paper_column}", cell.seeds) for cell in sources.cells]
        shown += [(f"series {series.name}", series.seeds) for series in sources.series]
        named = {read.path for read in receipt.inputs}
        used = {source.file.path for _, seeds in shown for source in seeds}
        used |= {file.path for series in sources.series for file in series.files}
        for file in sorted(used - named):
            yield Finding(
                level="note",
                kind="chain",
                path=str(job.receipt),
                message=f"{job.name} shows numbers from {file}, which its receipt does not name "
                "as an input",
            )
        for what, seeds in shown:
            findings = [
                finding
                for source in seeds
                for finding in self._source(job, receipt, str(path), what, source)
            ]
            yield from findings
            self.closed += bool(seeds) and not findings

    def _source(
        self, job: Job, receipt: Receipt, path: str, what: str, source: SeedSource
    ) -> Iterator[Finding]:
        """One seed of a cell: its file, its receipt, and every receipt above that."""
        read = (source.file.path, source.file.sha256) in {
            (file.path, file.sha256) for file in receipt.inputs
        }
        stood_on = (source.receipt.path, source.receipt.digest) in {
            (parent.path, parent.digest) for parent in receipt.parents
        }
        for broken in broken_source(source, self.tree.receipts):
            # only what the display's own receipt says too was read in earnest
            outdated = read and stood_on and self._outdated(job, path, broken, f"{what}: ")
            yield outdated or _broken(path, f"{what}: {broken.message}")
        yield from self._above(path, what, source.receipt.path, set())

    def _above(self, path: str, what: str, receipt: str, seen: set[str]) -> Iterator[Finding]:
        """Broken links anywhere above `receipt`, each once for the cell that hangs on it."""
        if receipt in seen:
            return
        seen.add(receipt)
        for finding in self.broken.get(receipt, []):
            yield _broken(path, f"{what}: the chain is broken at {receipt}: {finding.message}")
        record = self.tree.receipt(receipt)
        for parent in record.parents if record is not None else []:
            yield from self._above(path, what, parent.path, seen)


def _broken(path: str, message: str) -> Finding:
    return Finding(level="failure", kind="chain", path=path, message=message, remedy=REMEDY)
