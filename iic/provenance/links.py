"""When a receipt still stands on its parent."""

from __future__ import annotations

from iic.records.receipt import ParentRecord, Receipt


def holds(receipt: Receipt, link: ParentRecord, parent: Receipt) -> bool:
    """Whether `parent`, as it lies there now, is what `receipt` was made from.

    Its digest says so. Data are not in git: a clone that obtains them again has new receipts for
    the same bytes, so there it is enough that everything which was read is still written.

    Args:
        receipt: The child.
        link: The child's record of the parent.
        parent: The parent's receipt now.
    """
    if parent.digest == link.digest:
        return True
    if not link.path.startswith("data/"):
        return False
    writes = {output.path: output.sha256 for output in parent.outputs}
    common = [read for read in receipt.inputs if read.path in writes]
    return bool(common) and all(writes[read.path] == read.sha256 for read in common)
