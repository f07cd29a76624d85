"""Sizes of a parquet file's columns: as pyarrow has them, or refused."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from iic.records.parquet_footer import MAGIC, read_chunks


def written(rows: int, **options: object) -> bytes:
    file = io.BytesIO()
    table = pa.table(
        {
            "number": np.arange(rows),
            "word": pa.array(["a", "b"] * (rows // 2)).dictionary_encode(),
            "list": [[1.0] * (row % 5) for row in range(rows)],
            "truth": np.arange(rows) % 2 == 0,
        },
        metadata={"k": "10"},
    )
    pq.write_table(table, file, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "options",
    [{}, {"row_group_size": 3}, {"version": "1.0"}, {"compression": "none", "write_page_index": 1}],
)
def test_sizes_are_those_of_pyarrow(options: dict[str, object]) -> None:
    content = written(20, **options)
    metadata = pq.read_metadata(io.BytesIO(content))
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    expected = [
        (group.column(index).num_values, group.column(index).total_uncompressed_size)
        for group in groups
        for index in range(group.num_columns)
    ]
    file = io.BytesIO(content)
    assert read_chunks(file) == expected and file.tell() == 0
    assert len(expected) == 4 * len(groups)


def described(description: bytes) -> bytes:
    return MAGIC + description + len(description).to_bytes(4, "little") + MAGIC


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no parquet file"),
        (written(20)[:-1], "no parquet file"),
        (MAGIC + (1 << 31).to_bytes(4, "little") + MAGIC, "no parquet file"),
        (described(b"\x1c" * 99), "more than 16 structures"),
        (described(b"\x59" + b"\x19" * 9999), "more than 16 structures and lists"),
        (described(b"\x19\xfc\xff\xff\xff\xff\x0f"), "a list of 4,294,967,295"),
        (described(b"\x16" + b"\xff" * 20), "more than ten bytes"),
        (described(b"\x1e\0"), "a value of kind 14"),
        (described(b"\0"), "without field 4"),
        (described(b""), "without field"),
        (described(b"\x45\2\0"), "without field"),
    ],
)
def test_what_is_damaged_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_chunks(io.BytesIO(content))
