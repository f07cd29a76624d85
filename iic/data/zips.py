"""Reading members of a large zip archive from several threads, without unpacking it."""

from __future__ import annotations

import threading
import zipfile
import zlib
from pathlib import Path

from iic.data.errors import DataError, replace_files


class Members:
    """The files in a zip archive, by their names in it.

    Args:
        path: The archive, in the raw folder of a dataset.

    Raises:
        DataError: It is missing, cut or no zip archive.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # one archive for all threads: that of COCO lists 118,288 members, 70 MB of them in memory.
        # What takes time is decoding what was read, which happens outside the lock.
        self._lock = threading.Lock()
        try:
            self._archive = zipfile.ZipFile(path)
        except OSError as error:
            raise self.wrong(f"cannot be read: {error.strerror or error}") from error
        except (zipfile.BadZipFile, EOFError) as error:
            raise self.wrong(f"cut or no zip archive: {error}") from error

    @property
    def names(self) -> list[str]:
        """All files' names, in the archive's order; folders are left out."""
        return [name for name in self._archive.namelist() if not name.endswith("/")]

    def __contains__(self, name: str) -> bool:
        return name in self._archive.NameToInfo

    def read(self, name: str) -> bytes:
        """Content of the file `name`, whose checksum is right.

        Raises:
            DataError: There is no such file, or the archive is damaged there.
        """
        try:
            with self._lock:
                return self._archive.read(name)
        except KeyError:
            raise self.wrong(f"holds no {name}") from None
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            NotImplementedError,
            RuntimeError,
        ) as error:
            raise self.wrong(f"{name}: cut or damaged: {error}") from error

    def wrong(self, problem: str) -> DataError:
        """An error about this archive."""
        return DataError(f"{self.path}: {problem}{replace_files(self.path.parent)}")
