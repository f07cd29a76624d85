"""Files that were made to do harm: what is refused, by which limit, and in how much memory."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from iic.data import cifar, cifar_pickle, potsdam_archive
from iic.data.archives import unpack
from iic.data.errors import DataError
from iic.data.files import SourceFailure
from iic.data.unverified import problem_of
from iic.data.zip_images import decoded
from iic.data.zips import Members
from iic.own.arrays import array_items, idx_items
from iic.own.sources import listing
from iic.params.datasets import KnownFile, SourceFile
from iic.params.errors import IICError
from iic.params.loading import read_yaml
from iic.publish.report.figures import _webp
from iic.records import arrow
from iic.records.assignments import read_assignments
from iic.records.counts import read_counts
from iic.records.files import read_record
from iic.records.history import read_history
from iic.records.receipt import Receipt
from tests.data.faulty_server import file_entry
from tests.outside import archives as made
from tests.outside.formats import POTSDAM, RECEIPT, TINY, parquet, tiles

MEMORY = 200 << 20
"""Bytes that reading any of these may take; each would take gigabytes, or has nothing to take."""
SECONDS = 10
CONTENT = b"1" * 1000


class Case(NamedTuple):
    """A file, who reads it, and what must be said of it."""

    content: bytes | Callable[[], bytes]
    read: Callable[[Path], object]
    says: str
    name: str = "file"


def member(path: Path) -> object:
    return Members(path, TINY).read("a")


def picture(path: Path) -> object:
    return decoded(Members(path, TINY), "a", "PNG")


def unverified(path: Path) -> object:
    """What the download finds wrong with a file that nobody publishes a checksum of."""
    problem = problem_of(path, KnownFile(name=path.name, unverified="nobody", at_most=10_000))
    raise DataError(f"{path}: {problem}")


def unpacked(path: Path) -> object:
    file = SourceFile.model_validate(
        file_entry(path.name, b"?") | {"members": (file_entry("a", CONTENT),)}
    )
    try:
        return unpack(path, file, path.parent, lambda *state: None)
    except SourceFailure as error:
        raise DataError(f"{path}: {error}") from error


def potsdam(path: Path) -> object:
    reader = potsdam_archive.open_maps(path.parent, POTSDAM)
    return [reader.read(piece) for piece in reader.pieces]


def receipt(path: Path) -> object:
    return read_record(path, Receipt)


def few(module: object, limit: str, read: Callable[[Path], object]) -> Callable[[Path], object]:
    """Read with a limit of 1,000, for files that are small enough for a test."""

    def limited(path: Path) -> object:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, limit, 1000)
            return read(path)

    return limited


def tile(content: bytes) -> bytes:
    return gzip.compress(made.tarred(("imgs/0.mat", content), *tiles()[1:]), 1)


def nested_yaml(begin: str, step: str, end: str = "", levels: int = 40) -> bytes:
    return (
        begin + "".join(step.format(level, level - 1) for level in range(1, levels)) + end
    ).encode()


TAR = "Potsdam.tar.gz"
RUN = RECEIPT.read_bytes()
CASES = {
    # CIFAR's pickles
    "pickle: an array of objects": Case(
        made.OBJECTS, cifar.load, "asks for|type 'O8', expected u1|no part of it"
    ),
    "pickle: a type of its own": Case(
        made.array_pickle(b"V9999999"), cifar.load, "of type 'V9999999', expected u1"
    ),
    "pickle: a type with pointers": Case(
        made.array_pickle(b"O8"), cifar.load, "of type 'O8', expected u1"
    ),
    "pickle: more shape than content": Case(
        made.array_pickle(content=b"U\4abcd"), cifar.load, "has 4 bytes for another shape"
    ),
    "pickle: a negative shape": Case(
        made.array_pickle(shape=b"J\xff\xff\xff\xffM\0\x0c\x86"), cifar.load, "expected 2, rows"
    ),
    "pickle: three axes": Case(
        made.array_pickle(shape=b"K\1K\1M\0\x0c\x87"), cifar.load, "has 3 axes, expected 2"
    ),
    "pickle: a list of content": Case(
        made.array_pickle(content=b"]"), cifar.load, "state of something else than an array"
    ),
    "pickle: lists that double 60 times": Case(made.LISTS, cifar.load, "a list in it holds list"),
    "pickle: a key that doubles 60 times": Case(made.TUPLES, cifar.load, "a key is tuple"),
    "pickle: place 2 billion of the memory": Case(
        made.MEMO,
        lambda path: cifar.read(path.parent, TINY, {"train": ["file"]}, "labels").__next__(),
        "has no 'data'",
    ),
    "pickle: a list in itself": Case(made.ITSELF, cifar.load, "a list in it holds list"),
    "pickle: commands without end": Case(
        b"\x80\2" + b"N" * 2_000,
        few(cifar_pickle, "COMMANDS_AT_MOST", cifar.load),
        "more than 1,000",
    ),
    "pickle: a long number": Case(b"I" + b"9" * 5000 + b"\n.", cifar.load, "cut or no pickle"),
    "pickle: 8 GB of bytes": Case(
        b"\x80\4\x8e" + struct.pack("<Q", 8 << 30) + b"x.", cifar.load, "cut or no pickle"
    ),
    "pickle: a function with escapes in its name": Case(
        b"cos\n\x1b]0;x\7\n.", cifar.load, r"asks for os.\\u001b\]0;x\\u0007"
    ),
    "pickle: an extension": Case(b"\x80\2\x82\1.", cifar.load, "command EXT1"),
    "pickle: a persistent name": Case(b"Px\n.", cifar.load, "command PERSID"),
    "pickle: an object built": Case(
        b"cnumpy\nndarray\n(I1\nt\x81.", cifar.load, "command NEWOBJ|no part of it"
    ),
    "pickle: a type called with a list": Case(
        b"cnumpy\ndtype\n]R.", cifar.load, "calls something else"
    ),
    # zip archives of images
    "zip: a large member": Case(
        lambda: made.zipped(("a", bytes(made.LARGE))),
        member,
        "unpacks to 33,554,432 bytes, more than",
    ),
    "zip: a member that lies about its size": Case(
        lambda: made.lying_zip("a"), member, "a: cut or damaged: Bad CRC-32"
    ),
    "zip: bzip2": Case(
        lambda: made.zipped(("a", bytes(1000)), kind=zipfile.ZIP_BZIP2), member, "number 12"
    ),
    "zip: lzma": Case(
        lambda: made.zipped(("a", bytes(1000)), kind=zipfile.ZIP_LZMA), member, "number 14"
    ),
    "zip: a list of 200,000 members": Case(
        lambda: made.long_list_zip(200_000), member, "its list of members has 9,400,000 bytes"
    ),
    "zip: encrypted": Case(
        lambda: made.encrypted_zip("a"), member, "a: cut or damaged: .*password"
    ),
    "zip: no archive": Case(b"PK\5\6", member, "cut or no zip archive"),
    "zip: escapes in a name": Case(
        made.zipped(("a", b"a")),
        lambda path: Members(path, TINY).read("\x1b[2J\nok"),
        r"holds no \\u001b\[2J\\nok",
    ),
    "zip: an image of 60,000x60,000 pixels": Case(
        made.zipped(("a", made.wide_png(60_000, 60_000))), picture, "no PNG image: Image size"
    ),
    "zip: an image of 4,000x4,000 pixels": Case(
        made.zipped(("a", made.wide_png(4_000, 4_000))), picture, "4,000x4,000 pixels, more"
    ),
    # files without a checksum, as they are downloaded
    "unverified zip: a large member": Case(
        lambda: made.zipped(("a", bytes(made.LARGE))),
        unverified,
        "33,554,432|more than the 10,000",
        "a.zip",
    ),
    "unverified zip: many members": Case(
        made.zipped(*((f"{n}", bytes(1000)) for n in range(50))),
        unverified,
        "unpacks to 50,000 bytes",
        "a.zip",
    ),
    "unverified zip: bzip2": Case(
        made.zipped(("a", bytes(10)), kind=zipfile.ZIP_BZIP2), unverified, "number 12", "a.zip"
    ),
    "unverified zip: cut": Case(
        made.zipped(("a", b"a"))[:-9], unverified, "no zip archive", "a.zip"
    ),
    "unverified gzip": Case(
        lambda: gzip.compress(bytes(1 << 20)), unverified, "unpacks to more than the 10,000", "a.gz"
    ),
    "unverified gzip: damaged": Case(
        made.damaged_gzip(b"a"), unverified, "damaged or no gz archive: CRC", "a.gz"
    ),
    "unverified: too large": Case(bytes(10_001), unverified, "10,001 bytes, more than the 10,000"),
    # archives whose members are known
    "tar: a header of 8 GB": Case(
        made.large_header_tar(), unpacked, "asks for 8,589,934,592 bytes"
    ),
    "tar: gigabytes before the member": Case(
        lambda: gzip.compress(made.tarred(("b", bytes(3 * made.LARGE)), ("a", CONTENT)), 1),
        unpacked,
        "unpacks to more than",
    ),
    "tar: gzip with a wrong checksum": Case(
        made.damaged_gzip(made.tarred(("b", CONTENT))), unpacked, "CRC|is not in the archive"
    ),
    "tar: bzip2, cut": Case(
        bz2.compress(made.tarred(("a", CONTENT)))[:40], unpacked, "neither a tar|cannot be unpacked"
    ),
    "tar: xz, cut": Case(
        lzma.compress(made.tarred(("a", CONTENT)))[:60],
        unpacked,
        "neither a tar|cannot be unpacked",
    ),
    "tar: xz, damaged": Case(
        b"\xfd7zXZ\0" + b"x" * 50, unpacked, "neither a tar nor a zip archive"
    ),
    "tar: nothing": Case(b"", unpacked, "neither a tar nor a zip|is not in the archive"),
    "archive: a zip with bzip2": Case(
        made.zipped(("a", CONTENT), kind=zipfile.ZIP_BZIP2), unpacked, "number 12"
    ),
    "archive: a zip with a password": Case(made.encrypted_zip("a"), unpacked, "cannot be unpacked"),
    "archive: a zip that lies": Case(
        lambda: made.lying_zip("a"), unpacked, "cannot be unpacked: Bad CRC-32"
    ),
    # Potsdam, as the authors prepared it
    "Potsdam: unpacks to 32 MB": Case(
        lambda: gzip.compress(bytes(made.LARGE)), potsdam, "unpacks to more than the 17,", TAR
    ),
    "Potsdam: a header of 8 GB": Case(
        gzip.compress(made.large_header_tar()), potsdam, "asks for 8,589,934,592 bytes", TAR
    ),
    "Potsdam: a tile that unpacks to 32 MB": Case(
        lambda: tile(made.mat_bomb()), potsdam, "unpacks to more than the 65,", TAR
    ),
    "Potsdam: 2 billion cells": Case(
        tile(made.cells_mat("img", 2_000_000_000)), potsdam, "img is cell of shape", TAR
    ),
    "Potsdam: a tile of another version": Case(
        tile(struct.pack("<5i", 0, 60_000, 60_000, 0, 4) + b"img\0"), potsdam, "no Matlab file", TAR
    ),
    "Potsdam: a large tile": Case(
        tile(bytes(100_000)), potsdam, "100,000 bytes, more than the 65,", TAR
    ),
    "Potsdam: a long list": Case(
        gzip.compress(made.tarred(*tiles()[:5], ("unlabelled_train.txt", b"0\n" * 10_000))),
        potsdam,
        "unlabelled_train.txt: 20,000 bytes, more than",
        TAR,
    ),
    # assignments in the audit
    "parquet: a word of 1 MB in 2,000 rows": Case(
        parquet(pa.table({"checkpoint": ["x" * 1_000_000] * 2000})),
        read_assignments,
        "column 'checkpoint' is string, which no record has",
    ),
    "parquet: a long word": Case(
        parquet(pa.table({"checkpoint": pa.array(["x" * 101]).dictionary_encode()})),
        read_assignments,
        "one longer than 100",
    ),
    "parquet: many rows": Case(
        lambda: parquet(pa.table({"index": pa.array(np.zeros(400_000, np.int64))})),
        few(arrow, "LITTLE", read_assignments),
        "takes 3,200,000 bytes of memory, more than the ",
    ),
    "parquet: absent lists of many numbers": Case(
        lambda: parquet(
            pa.table({"sub_head_0": pa.array([None] * 70, pa.list_(pa.int32(), 10_000))})
        ),
        few(arrow, "LITTLE", read_counts),
        "takes 2,800,000 bytes of memory",
    ),
    "parquet: a struct": Case(
        parquet(pa.table({"checkpoint": [{"a": 1}]})), read_assignments, "which no record has"
    ),
    "parquet: words that are numbers": Case(
        parquet(pa.table({"checkpoint": [1], "index": [0]})), read_assignments, "int64 in place of"
    ),
    "parquet: an absent word": Case(
        parquet(
            pa.table({"checkpoint": pa.array([None, "a"]).dictionary_encode(), "index": [0, 1]})
        ),
        read_assignments,
        "no assignments",
    ),
    # records
    "JSON: a key twice": Case(
        RUN.replace(b'"rule":', b'"rule": "x", "rule":', 1),
        receipt,
        "the key 'rule' is given twice",
    ),
    "JSON: a key twice, deep inside": Case(
        RUN.replace(b'"sha256":', b'"sha256": "x", "sha256":', 1),
        receipt,
        "'sha256' is given twice",
    ),
    "JSON: deep": Case(b"[" * 1_000_000, receipt, "not a Receipt record"),
    "JSON: a long number": Case(b'{"seed": ' + b"9" * 5000 + b"}", receipt, "not a Receipt record"),
    "JSON: escapes in a key": Case(
        RUN.replace(b'"wildcards": {', b'"wildcards": {"\\u001b[2J": "a", "\\u001b[2J": "b", ', 1),
        receipt,
        r"the key '\\x1b\[2J' is given twice",
    ),
    "JSON: escapes in an unknown key": Case(
        RUN.replace(b"{", b'{"\\u001b[2J": 1, ', 1), receipt, r"\\u001b\[2J: Extra inputs"
    ),
    "JSON: escapes in a version": Case(
        b'{"schema_version": "\\u001b[2J"}', receipt, r"schema_version: '\\x1b\[2J'"
    ),
    "JSON lines: a key twice": Case(
        b'{"epoch": 0, "epoch": 1}', read_history, "'epoch' is given twice"
    ),
    "JSON lines: deep": Case(b"[" * 100_000, read_history, "no JSON lines"),
    "JSON lines: a long number": Case(b"9" * 5000, read_history, "no JSON lines"),
    # settings
    "YAML: aliases that double 40 times": Case(
        nested_yaml("a0: &a0 [x, x]\n", "a{0}: &a{0} [*a{1}, *a{1}]\n"),
        read_yaml,
        "more than 200,000",
    ),
    "YAML: merges that double 40 times": Case(
        nested_yaml("a0: &a0 {x: 1}\n", "a{0}: &a{0} {{k{0}: 1, <<: [*a{1}, *a{1}]}}\n"),
        read_yaml,
        "more than 200,000",
    ),
    "YAML: 100,000 brackets": Case(b"a: " + b"[" * 100_000, read_yaml, "nested too deeply"),
    "YAML: 100,000 braces": Case(b"{a: " * 100_000, read_yaml, "nested too deeply"),
    "YAML: a key twice": Case(b"a: 1\na: 2\n", read_yaml, "key 'a' is given twice"),
    "YAML: a list in itself": Case(b"a: &a [*a]\n", read_yaml, "recursive"),
    "YAML: no time": Case(b"a: !!timestamp x\n", read_yaml, "no valid YAML"),
    "YAML: no number": Case(b"a: !!int ''\n", read_yaml, "no valid YAML"),
    "YAML: neither true nor false": Case(b"a: !!bool maybe\n", read_yaml, "no valid YAML"),
    "YAML: no mapping": Case(b"a: !!map x\n", read_yaml, "no valid YAML"),
    "YAML: a long number": Case(b"a: 0x" + b"f" * 5000, read_yaml, "more than 64 bits"),
    "YAML: 11 MB": Case(b"#" * 11_000_000, read_yaml, "more than 10,000,000 bytes"),
    # the report page
    "figure: no png": Case(
        b"<svg>", lambda path: _webp(path.read_bytes(), path), "no png of a figure"
    ),
    "figure: 60,000x60,000 pixels": Case(
        made.wide_png(60_000, 60_000),
        lambda path: _webp(path.read_bytes(), path),
        "no png of a figure",
    ),
    "figure: 8,000x8,000 pixels": Case(
        made.wide_png(8_000, 8_000),
        lambda path: _webp(path.read_bytes(), path),
        "pixels, which are too",
    ),
    # a user's own images
    "own idx: 4 GB of pixels": Case(
        lambda: gzip.compress(b"\0\0\x08\3" + struct.pack(">3I", 1 << 16, 1 << 8, 1 << 8)),
        idx_items,
        "unpacks to 4,294,967,296 bytes",
        "a.gz",
    ),
    "own idx: more than its head says": Case(
        lambda: gzip.compress(b"\0\0\x08\3" + struct.pack(">3I", 1, 2, 2) + bytes(made.LARGE)),
        idx_items,
        "its head says",
        "a.gz",
    ),
    "own array: a head that is no head": Case(
        b"\x93NUMPY\1\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': )3, 4), }".ljust(140),
        array_items,
        "no array file that can be read",
    ),
    "own zip: bzip2": Case(
        made.zipped(("a", b"x"), kind=zipfile.ZIP_BZIP2),
        lambda path: listing(path).items[0].read(),
        "number 12",
        "a.zip",
    ),
    "own zip: a member that lies about its size": Case(
        lambda: made.lying_zip("a"), lambda path: listing(path).items[0].read(), "Bad CRC", "a.zip"
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_refused_in_little_memory_and_time(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    path = tmp_path / "raw" / "set" / case.name
    path.parent.mkdir(parents=True)
    path.write_bytes(case.content if isinstance(case.content, bytes) else case.content())
    tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises(Exception, match=case.says) as caught:
            case.read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(caught.value, IICError) or type(caught.value).__name__ == "Unreadable"
    assert peak < MEMORY
    assert time.process_time() - start < SECONDS
    said = str(caught.value)
    assert all(sign.isprintable() or sign == "\n" for sign in said), said
    assert len(said) < 3000
