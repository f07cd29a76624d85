"""Receipts as a chain: whether each is as it was written, and stands on what it was made from.

The audit and the report page judge by these functions alone, so that neither calls a chain closed
which the other calls broken.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from iic.records.files import RecordError, read_record
from iic.records.paths import DATA
from iic.records.receipt import ParentRecord, Receipt
from iic.records.sources import SeedSource


class Receipts:
    """The receipts of a clone, each read once.

    Args:
        root: Root of the clone.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.damaged: dict[str, str] = {}
        """Receipt -> what is wrong with it."""
        self._receipts: dict[str, Receipt | None] = {}
        self._digests: dict[str, str] = {}

    def receipt(self, path: str) -> Receipt | None:
        """The receipt at `path`; None where it is absent or, see `damaged`, unreadable."""
        if path not in self._receipts:
            self._receipts[path] = None
            if (self.root / path).exists():
                try:
                    self._receipts[path] = read_record(self.root / path, Receipt)
                except RecordError as error:
                    self.damaged[path] = str(error)
        return self._receipts[path]

    def digest(self, path: str) -> str:
        """Digest of the receipt at `path`, which has to be there; many others name it."""
        if path not in self._digests:
            receipt = self.receipt(path)
            assert receipt is not None
            self._digests[path] = receipt.digest
        return self._digests[path]

    def sealed(self, path: str) -> bool:
        """Whether the receipt at `path`, which has to be there, is as it was written."""
        receipt = self.receipt(path)
        assert receipt is not None
        return receipt.seal == self.digest(path)


Standing = Literal["holds", "not here", "missing", "damaged", "another"]
"""Of a parent: what was read; data that are not here, of which nothing can be said; or a fault."""


def standing(receipt: Receipt, link: ParentRecord, receipts: Receipts) -> Standing:
    """Whether the parent that lies there now is what `receipt` was made from.

    Its digest says so. Data are not in git: a clone that obtains them again has new receipts for
    the same bytes, so there it is enough that everything which was read is still written. So it is
    for evaluations, which a change of their code makes anew: nobody reads more of them than their
    scores, while of a training the losses in its receipt are read as well.

    Args:
        receipt: The child.
        link: The child's record of the parent.
        receipts: The clone's.
    """
    parent = receipts.receipt(link.path)
    if parent is None:
        if link.path in receipts.damaged:
            return "damaged"
        return "not here" if _of_data(link.path) else "missing"
    if receipts.digest(link.path) == link.digest:
        return "holds"
    if not _of_data(link.path) and parent.rule != "evaluate":
        return "another"
    writes = {output.path: output.sha256 for output in parent.outputs}
    common = [read for read in receipt.inputs if read.path in writes]
    same = bool(common) and all(writes[read.path] == read.sha256 for read in common)
    return "holds" if same else "another"


class Broken(NamedTuple):
    """A link that does not hold."""

    message: str
    outdated: bool = False
    """Whether what was read has been made anew since, and nothing else is wrong."""


def broken_links(path: str, receipts: Receipts) -> Iterator[Broken]:
    """What is wrong between the receipt at `path`, which has to be there, and its parents.

    Each is to be there, to be the one that was read, and to have written what was read; data may
    be absent, since they are not in git.
    """
    receipt = receipts.receipt(path)
    assert receipt is not None
    wrote: dict[str, str] = {}
    all_here = True
    for link in receipt.parents:
        state = standing(receipt, link, receipts)
        if state in ("missing", "damaged"):
            yield Broken(f"its parent {link.path} is {state}")
        parent = receipts.receipt(link.path)
        if parent is None:
            all_here = False
            continue
        if state == "another":
            yield Broken(
                f"was made from another {link.path} (digest {link.digest[:12]}) than the one "
                f"that lies here ({receipts.digest(link.path)[:12]})",
                outdated=True,
            )
        theirs = {output.path: output.sha256 for output in parent.outputs}
        if theirs.keys().isdisjoint(record.path for record in receipt.inputs):
            yield Broken(f"names its parent {link.path}, but read none of its files")
        wrote |= theirs
    for read in receipt.inputs:
        if read.path in wrote:
            if wrote[read.path] != read.sha256:
                yield Broken(
                    f"read another {read.path} than the one that its parent wrote", outdated=True
                )
        elif all_here:
            yield Broken(f"read {read.path}, which none of its parents wrote")


def broken_source(source: SeedSource, receipts: Receipts) -> Iterator[Broken]:
    """What is wrong with one seed of a cell or series: its file, its receipt, whose they are."""
    path = source.receipt.path
    receipt = receipts.receipt(path)
    if receipt is None:
        yield Broken(f"{path} is {'damaged' if path in receipts.damaged else 'missing'}")
        return
    if receipts.digest(path) != source.receipt.digest:
        yield Broken(f"was made from another {path}", outdated=True)
    said = (receipt.wildcards.get("run"), receipt.wildcards.get("seed"))
    if said != (source.run, str(source.seed)):
        yield Broken(
            f"{path} is of {said[0]} seed {said[1]}, not of {source.run} seed {source.seed}"
        )
    wrote = {output.path: output.sha256 for output in receipt.outputs}
    if wrote.get(source.file.path) != source.file.sha256:
        yield Broken(f"was made from another {source.file.path}", outdated=True)


def _of_data(path: str) -> bool:
    return path.startswith(f"{DATA.as_posix()}/")
