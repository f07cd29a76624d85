"""Archives and files that were made to do harm."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import scipy.io

LARGE = 32 << 20
"""Bytes that a small file unpacks to where it is not stopped."""


def zipped(*members: tuple[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def lying_zip(name: str) -> bytes:
    """A member that says it has 1,000 bytes, and unpacks to `LARGE`."""
    content = zipped((name, bytes(LARGE)))
    return content.replace(struct.pack("<I", LARGE), struct.pack("<I", 1000))


def long_list_zip(entries: int) -> bytes:
    """A list of many members of no content, which all lie in one place."""
    one = zipped(("a", b""), kind=zipfile.ZIP_STORED)
    entry = one[one.index(b"PK\1\2") : one.index(b"PK\5\6")]
    local, size = one[: one.index(b"PK\1\2")], len(entry) * entries
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, size, len(local), 0)
    return local + entry * entries + end


def encrypted_zip(name: str) -> bytes:
    content = bytearray(zipped((name, b"secret"), kind=zipfile.ZIP_STORED))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + offset] |= 1
    return bytes(content)


def wide_png(width: int, height: int) -> bytes:
    """An image whose pixels would take gigabytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    head = chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(bytes(1 << 20)))
    return b"\x89PNG\r\n\x1a\n" + head + rows + chunk(b"IEND", b"")


def tarred(*members: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def large_header_tar() -> bytes:
    """A header for attributes of 8 GB, which a reader takes into memory to look at them."""
    member = tarfile.TarInfo("PaxHeader")
    member.type, member.size = tarfile.XHDTYPE, 8 << 30
    return member.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 16)


def damaged_gzip(content: bytes) -> bytes:
    """With a wrong checksum at its end."""
    packed = bytearray(gzip.compress(content))
    packed[-8] ^= 0xFF
    return bytes(packed)


def mat(**arrays: object) -> bytes:
    file = io.BytesIO()
    scipy.io.savemat(file, arrays)
    return file.getvalue()


def mat_bomb() -> bytes:
    """A compressed element of `LARGE` bytes."""
    packed = zlib.compress(struct.pack("<II", 14, LARGE) + bytes(LARGE))
    return mat(img=np.zeros((1, 1)))[:128] + struct.pack("<II", 15, len(packed)) + packed


def cells_mat(name: str, count: int) -> bytes:
    """A few bytes that ask for an array of any number of cells."""

    def element(kind: int, content: bytes) -> bytes:
        return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)

    matrix = (
        element(6, struct.pack("<II", 1, 0))
        + element(5, struct.pack("<ii", count, 1))
        + element(1, name.encode())
    )
    return mat(img=np.zeros((1, 1)))[:128] + element(14, matrix)


RECONSTRUCT = (
    b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\1b\x87R"
    b"(K\1%scnumpy\ndtype\nU%c%sK\0K\1\x87R(K\3U\1|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89%stb"
)


def array_pickle(
    kind: bytes = b"u1", shape: bytes = b"K\1M\0\x0c\x86", content: bytes | None = None
) -> bytes:
    """A batch of CIFAR's whose array says this of itself."""
    body = b"T" + struct.pack("<I", 3072) + bytes(3072) if content is None else content
    array = RECONSTRUCT % (shape, len(kind), kind, body)
    return b"\x80\2}(U\4data" + array + b"U\6labels]K\0au."


def nested_pickle(levels: int, start: bytes, step: bytes) -> bytes:
    """Values in values, each twice in the next: 2^levels when they are shown or hashed."""
    parts = [start + b"q\0"]
    for level in range(levels):
        parts.append(step.replace(b"?", bytes([level])) + b"q" + bytes([level + 1]))
    return b"".join(parts)


LISTS = b"\x80\2}U\6labels" + nested_pickle(60, b"]", b"](h?h?e") + b"s."
TUPLES = b"\x80\2" + nested_pickle(60, b")", b"h?h?\x86") + b"}h\x3cK\0s."
MEMO = b"\x80\2}r\xff\xff\xff\x7f."
ITSELF = b"\x80\2}U\6labels]q\0h\0as."
OBJECTS = pickle.dumps({"data": np.array([{}], dtype=object)}, protocol=2)
