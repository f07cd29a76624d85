"""Matlab's files: whole numbers as scipy writes them, and what is refused."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from iic.data.matlab import HEAD, read_arrays
from iic.data.packed import TooLong

INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


def written(packed: bool = False, **arrays: Any) -> bytes:
    file = io.BytesIO()
    scipy.io.savemat(file, arrays, do_compression=packed)
    return file.getvalue()


@pytest.mark.parametrize("packed", [False, True])
def test_whole_numbers_are_read_as_scipy_writes_them(packed: bool) -> None:
    draw = np.random.default_rng(0)
    arrays = {
        f"{kind}_{sides}": draw.integers(0, 100, shape).astype(kind)
        for kind in INTEGERS
        for sides, shape in enumerate([(5, 3), (1, 1), (2, 3, 4), (0, 2)])
    }
    read = read_arrays(written(packed, **arrays), 1 << 16)
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        values = read[name].values
        assert values is not None and values.dtype == array.dtype
        assert np.array_equal(values, array) and read[name].shape == array.shape


def test_a_file_may_hold_numbers_in_a_smaller_type() -> None:
    content = written(a=np.arange(8, dtype=np.int32).reshape(2, 4))
    place = content.index(struct.pack("<II", 5, 32))
    numbers = struct.pack("<II8B", 2, 8, *range(8))
    length = struct.unpack_from("<I", content, HEAD + 4)[0]
    tag = struct.pack("<II", 14, length - 24)
    smaller = content[:HEAD] + tag + content[HEAD + 8 : place] + numbers
    values = read_arrays(smaller, 1 << 10)["a"].values
    assert values is not None and values.dtype == np.int32
    assert np.array_equal(values, np.arange(8).reshape(2, 4, order="F"))


def test_of_other_arrays_their_kind_is_told() -> None:
    cells = np.empty((1, 2), dtype=object)
    cells[:] = [[np.eye(2), "text"]]
    others = {
        "double": np.eye(2),
        "single": np.ones((1, 2), np.float32),
        "char": "text",
        "cell": cells,
        "struct": {"field": 1},
        "logical": np.eye(2, dtype=bool),
        "complex double": np.eye(2) * 1j,
        "sparse": scipy.sparse.csc_matrix(np.eye(2)),
    }
    names = {kind: f"a{place}" for place, kind in enumerate(others)}
    content = written(**{names[kind]: value for kind, value in others.items()})
    read = read_arrays(content, 1 << 16)
    for kind, name in names.items():
        assert (read[name].kind, read[name].values) == (kind, None)


def test_what_is_no_such_file_is_refused() -> None:
    content = written(a=np.arange(6, dtype=np.int32).reshape(2, 3))
    with pytest.raises(ValueError, match="no Matlab file of level 5"):
        read_arrays(b"\0" + content, 1 << 10)
    with pytest.raises(ValueError, match="cut"):
        read_arrays(content[:-1], 1 << 10)
    with pytest.raises(ValueError, match="cut"):
        read_arrays(content + b"\x0e", 1 << 10)
    with pytest.raises(ValueError, match="a compressed element is damaged"):
        read_arrays(content[:HEAD] + struct.pack("<II", 15, 8) + bytes(8), 1 << 10)
    with pytest.raises(TooLong):
        read_arrays(written(True, a=np.zeros((99, 99), np.uint8)), 1 << 10)
    # the kind that scipy looks up without asking whether there is one
    numbers = content.index(struct.pack("<II", 5, 24))
    for place, kind, message in (
        (numbers, 0x1002, "numbers of kind 4098"),
        (numbers, 9, "numbers of kind 9"),
        (HEAD, 13, "an element of kind 13"),
        (HEAD + 16, 99, "no kind that there is"),
        (HEAD + 32, 7, "6 numbers for an array of shape"),
    ):
        with pytest.raises(ValueError, match=message):
            read_arrays(content[:place] + struct.pack("<I", kind) + content[place + 4 :], 1 << 10)
