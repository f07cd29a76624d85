"""A crate on disk, as a folder or a zip file: whole under its final name, or not there at all."""

from __future__ import annotations

import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from iic.provenance.crate.errors import CrateError
from iic.provenance.crate.graph import Graph
from iic.records.files import atomic_file

METADATA = "ro-crate-metadata.json"
FORCE = "--force replaces it"
MODE = 0o100644


def check_place(out: Path, zipped: bool, force: bool) -> None:
    """Whether a crate may be written to `out`, before anything is computed.

    Raises:
        CrateError: Something lies there that may not be replaced.
    """
    if not out.exists():
        return
    if zipped:
        ours = out.is_file() and _is_crate_zip(out)
    else:
        ours = (out / METADATA).is_file()
    if not ours:
        raise CrateError(f"{out}: is there already and is no crate, so it is left alone")
    if not force:
        raise CrateError(f"{out}: is there already; {FORCE}")


def write_folder(graph: Graph, out: Path) -> None:
    """Write the crate as a folder, in the place of an earlier one.

    Raises:
        CrateError: It cannot be written; what was there before is still there.
    """
    with _staged(graph, out) as folder:
        former = folder.with_name(f"{folder.name}.former")
        if out.exists():
            out.rename(former)
        try:
            folder.rename(out)
        except BaseException:
            # an interruption too must not cost the earlier crate
            if former.exists():
                former.rename(out)
            raise
        shutil.rmtree(former, ignore_errors=True)


def write_zip(graph: Graph, out: Path, at: datetime) -> None:
    """Write the crate as a zip file whose bytes depend on its content alone.

    Args:
        graph: The crate.
        out: The file.
        at: Time that the members get.

    Raises:
        CrateError: It cannot be written.
        RecordError: The same, for the zip file itself.
    """
    with _staged(graph, out) as folder, atomic_file(out) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    name = path.relative_to(folder).as_posix()
                    member = zipfile.ZipInfo(name, at.timetuple()[:6])
                    member.compress_type = zipfile.ZIP_DEFLATED
                    member.external_attr = MODE << 16
                    archive.writestr(member, path.read_bytes())


@contextmanager
def _staged(graph: Graph, out: Path) -> Iterator[Path]:
    """The crate in a temporary folder beside `out`, which is gone at the end."""
    staging: Path | None = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(".part", f".{out.name}.", out.parent))
        folder = staging / "crate"
        with warnings.catch_warnings():
            # the library only warns of a file that it cannot put in
            warnings.filterwarnings("error", message="No source", category=UserWarning)
            graph.crate.write(folder)
        yield folder
    except OSError as error:
        raise CrateError(
            f"{out}: cannot be written: {error.strerror or error}; nothing was left half-written"
        ) from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def _is_crate_zip(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return METADATA in archive.namelist()
