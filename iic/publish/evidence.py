"""Which files a number or a curve was read from, and the receipts that vouch for them."""

from __future__ import annotations

from pathlib import Path

from iic.records.files import RecordError, read_record, sha256_bytes
from iic.records.paths import RunPaths, receipt_of
from iic.records.receipt import FileRecord, ParentRecord, Receipt
from iic.records.sources import SeedSource


def evaluation_source(paths: RunPaths, root: Path) -> SeedSource:
    """The evaluation of one seed, with the receipt of its evaluate job."""
    return _source(paths, paths.evaluation, receipt_of(paths.evaluation), root)


def training_source(paths: RunPaths, file: Path, root: Path) -> SeedSource:
    """A file that training wrote (history, snapshots, ...), with the training's receipt."""
    return _source(paths, file, paths.receipt, root)


def file_record(path: Path, root: Path) -> FileRecord:
    """A file as it is now.

    Raises:
        RecordError: The file is absent or cannot be read.
    """
    try:
        content = (root / path).read_bytes()
    except FileNotFoundError:
        raise RecordError(f"{path}: missing") from None
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from error
    return FileRecord(path=path.as_posix(), sha256=sha256_bytes(content), size=len(content))


def _source(paths: RunPaths, file: Path, receipt: Path, root: Path) -> SeedSource:
    digest = read_record(root / receipt, Receipt).digest
    return SeedSource(
        run=paths.run,
        seed=paths.seed,
        file=file_record(file, root),
        receipt=ParentRecord(path=receipt.as_posix(), digest=digest),
    )
