"""A .npy file that is filled row by row, in any order and by several threads."""

from __future__ import annotations

import contextlib
import errno
import io
import os
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iic.data.files import part_of
from iic.records.files import RecordError


class ArrayFile:
    """An array of uint8 on the disk, under the name ``<name>.part`` until `finish`.

    Plain writes at an offset, no memory map: a full disk is then an error and no crash, and what
    was written takes no memory of the process.

    Args:
        path: Final name.
        shape: Its shape; rows are counted along the first axis.
    """

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self.path, self.part = path, part_of(path)
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header,
            {
                "descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)),
                "fortran_order": False,
                "shape": shape,
            },
        )
        self._header = header.getvalue()
        self._row = prod(shape[1:])
        self.size = len(self._header) + prod(shape)
        """Bytes of the whole file."""
        self._descriptor = -1

    def begin(self, *, anew: bool) -> None:
        """Open the partial file, if `anew` an empty one with all its room taken on the disk.

        Raises:
            RecordError: The disk has no room for it or cannot be written to.
        """
        try:
            self.part.parent.mkdir(parents=True, exist_ok=True)
            if anew:
                self.part.unlink(missing_ok=True)
            self._descriptor = os.open(self.part, os.O_RDWR | os.O_CREAT, 0o666)
            if anew:
                self._take_room()
                os.pwrite(self._descriptor, self._header, 0)
        except OSError as error:
            raise self._unwritable(error) from error

    def _take_room(self) -> None:
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(self._descriptor, 0, self.size)
                return
            except OSError as error:  # not every file system can
                if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
                    raise
        os.ftruncate(self._descriptor, self.size)

    def write(self, index: int, row: NDArray[np.uint8]) -> None:
        """Write one row; threads may write different rows at the same time.

        Raises:
            RecordError: The disk is full or cannot be written to.
        """
        left = np.ascontiguousarray(row).data.cast("B")
        offset = len(self._header) + index * self._row
        try:
            while left:
                written = os.pwrite(self._descriptor, left, offset)
                left, offset = left[written:], offset + written
        except OSError as error:
            raise self._unwritable(error) from error

    def flush(self) -> None:
        """Return when all that was written is on the disk, not only on its way there."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise self._unwritable(error) from error

    def discard(self) -> None:
        """Close and delete the partial file."""
        self.close()
        with contextlib.suppress(OSError):
            self.part.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; a later `begin` goes on with it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def current(self) -> Path:
        """Where the file lies: the partial one, where there is one."""
        return self.part if self.part.exists() else self.path

    def finish(self) -> None:
        """Give the file its final name, if it has not got it.

        Raises:
            RecordError: The folder cannot be written to.
        """
        try:
            self.current.replace(self.path)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> RecordError:
        return RecordError(
            f"{self.path}: cannot be written: {error.strerror or error}\n"
            f"  remedy: make room for {self.size:,} bytes on a disk that can be written to; the "
            "next preparation goes on from what is done"
        )
