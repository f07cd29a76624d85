"""What a user points at: folder, single image, zip, listing, array, MNIST's idx -> a listing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from iic.data.zips import open_archive
from iic.own.arrays import array_items, idx_items, is_idx
from iic.own.errors import OwnDataError
from iic.own.items import FileItem, Listing, MemberItem, Skipped
from iic.params.escaping import quoted

ARRAYS = (".npy", ".npz")
TABLES = (".csv", ".tsv", ".parquet")
PATH_COLUMNS = ("path", "file", "filename", "image")
LABEL_COLUMNS = ("label", "class", "target")
KINDS = "a folder, an image, a .zip, a .csv, .tsv or .parquet that lists files, .npy, .npz, or idx"


def listing(source: Path, top: float | None = None) -> Listing:
    """List the images of `source`; files are only looked at when they are read.

    Args:
        source: A folder (all below it), one image, a zip, a table with a column of paths, an array
            (N, H, W), (N, H, W, C) or (N, C, H, W), or an idx file.
        top: Number that is white in an array of other numbers than bytes; None to choose it.

    Raises:
        OwnDataError: It is not there, cannot be read, or holds nothing.
    """
    if not source.exists():
        raise OwnDataError(f"{source}: no such file or folder\n  allowed: {KINDS}")
    try:
        entries = _list(source, top)
    except PermissionError as error:
        raise OwnDataError(
            f"{source}: cannot be read: {error.strerror}\n"
            f"  remedy: give yourself the right to read it (chmod u+rX {source})"
        ) from None
    if not entries.items and not entries.skipped:
        raise OwnDataError(f"{source}: empty: there is no file in it\n  allowed: {KINDS}")
    return entries


def _list(source: Path, top: float | None) -> Listing:
    if source.is_dir():
        return _folder(source)
    suffix = source.suffix.lower()
    if suffix in ARRAYS:
        return array_items(source, top)
    if suffix == ".zip":
        return _archive(source)
    if suffix in TABLES:
        return _table(source)
    if is_idx(source):
        return idx_items(source)
    return Listing([FileItem(source.name, source)])


def _folder(top: Path) -> Listing:
    os.scandir(top).close()  # a folder that cannot be read is an error, one below it is skipped
    entries = Listing([])
    for name, path, problem in sorted(_walk(top)):
        if problem is None:
            label = path.parent.name if path.parent != top else None
            entries.items.append(FileItem(name, path, label))
        else:
            entries.skipped.append(Skipped(name, problem))
    return entries


def _walk(top: Path) -> Iterator[tuple[str, Path, str | None]]:
    """Every file below `top`, and every folder that is not gone into, with the reason."""
    status = top.stat()
    seen = {(status.st_dev, status.st_ino)}
    problems: list[tuple[str, Path, str | None]] = []

    def refused(error: OSError) -> None:
        path = Path(error.filename)
        problems.append((_name(path, top), path, error.strerror or str(error)))

    for folder, folders, files in os.walk(top, onerror=refused, followlinks=True):
        folders.sort()
        for name in list(folders):
            path = Path(folder) / name
            status = path.stat()
            if (status.st_dev, status.st_ino) in seen:
                folders.remove(name)
                problems.append((_name(path, top), path, "a link to a folder that is read already"))
            seen.add((status.st_dev, status.st_ino))
        for name in sorted(files):
            path = Path(folder) / name
            yield _name(path, top), path, None
    yield from problems


def _name(path: Path, top: Path) -> str:
    # bytes that are no UTF-8 are escaped: tables and pages hold UTF-8 alone
    return path.relative_to(top).as_posix().encode(errors="backslashreplace").decode()


def _archive(path: Path) -> Listing:
    try:
        archive = open_archive(path)
    except Exception as error:  # damaged bytes may lead a decoder anywhere
        raise OwnDataError(f"{path}: no zip that can be read: {quoted(error)}") from None
    # of two members of one name the last one counts
    members = list(dict.fromkeys(one.filename for one in archive.infolist() if not one.is_dir()))
    labels = (Path(name).parent.name or None for name in members)
    return Listing(
        [MemberItem(name, archive, label) for name, label in zip(members, labels, strict=True)]
    )


def read_table(path: Path) -> pd.DataFrame:
    """A csv, tsv or parquet file.

    Raises:
        OwnDataError: It is none.
    """
    try:
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path)
        separator = "\t" if path.suffix.lower() == ".tsv" else ","
        return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False)
    except Exception as error:  # damaged bytes may lead a decoder anywhere
        raise OwnDataError(f"{path}: no table that can be read: {quoted(error)}") from None


def column(table: pd.DataFrame, names: tuple[str, ...], path: Path) -> str:
    """The column of `table` that has one of the `names`, whatever its case.

    Raises:
        OwnDataError: There is none.
    """
    for name in names:
        for existing in table.columns:
            if str(existing).lower() == name:
                return str(existing)
    raise OwnDataError(
        f"{path}: no column {' or '.join(names)} among {', '.join(map(str, table.columns))}\n"
        f"  remedy: call the column {names[0]}"
    )


def _table(path: Path) -> Listing:
    table = read_table(path)
    names = [str(name) for name in table[column(table, PATH_COLUMNS, path)]]
    labels: list[str | None] = [None] * len(names)
    if any(str(existing).lower() in LABEL_COLUMNS for existing in table.columns):
        labels = [str(value) for value in table[column(table, LABEL_COLUMNS, path)]]
    by_name: dict[str, str | None] = {}
    for name, label in zip(names, labels, strict=True):
        if by_name.setdefault(name, label) != label:
            raise OwnDataError(
                f"{path}: {name!r} is listed twice, as {by_name[name]!r} and as {label!r}\n"
                "  remedy: one label for each file"
            )
    return Listing([FileItem(name, path.parent / name, label) for name, label in by_name.items()])
