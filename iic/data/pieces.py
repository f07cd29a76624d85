"""Filling arrays piece by piece from several threads, so that a kill at any moment costs seconds.

Each thread reads a piece and writes its images to their places; what is finished is flushed to the
disk and noted in ``progress.json`` every few seconds. Memory holds one piece for each thread.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path

from iic.data.array_file import ArrayFile
from iic.data.maps import MapReader, Maps, Piece
from iic.records.files import RecordError, read_record, sha256_file, write_text
from iic.records.prepared_maps import PieceRecord, PreparationRecord

log = logging.getLogger(__name__)

PROGRESS = "progress.json"
NOTED_EVERY = 5.0
"""Seconds between two notes: what a kill costs at most, besides the pieces under way."""

Progress = Callable[[int, int], None]
"""Told how many images are done, and of how many."""
Describe = Callable[[Piece, Maps], PieceRecord]
"""Says what is noted of a piece; raises where it is not what the catalogue says."""


def silent(done: int, total: int) -> None:
    """Show no progress."""


class Filling:
    """The arrays of a dataset on the way to being whole.

    Args:
        folder: Where they come to lie.
        identity: Hash of all that decides their content: what was begun with another is discarded.
        images: Takes `Maps.images`.
        labels: Takes `Maps.labels`.
    """

    def __init__(self, folder: Path, identity: str, images: ArrayFile, labels: ArrayFile) -> None:
        self._notes = folder / PROGRESS
        self._images, self._labels = images, labels
        self._arrays = (images, labels)
        self._record = PreparationRecord(identity=identity)
        self._fresh: list[PieceRecord] = []

    def complete(
        self, reader: MapReader, describe: Describe, workers: int, progress: Progress
    ) -> PreparationRecord:
        """Fill what is still empty; the arrays then lie whole under their partial or final names.

        Args:
            reader: Reads the pieces.
            describe: Called with each piece before it is written.
            workers: Threads.
            progress: Called after each piece.

        Returns:
            Sizes and empty images of all pieces, and the arrays' sums.

        Raises:
            DataError: Of the first piece in order that cannot be read or that `describe` refuses.
            RecordError: The disk is full or cannot be written to.
        """
        earlier = self._earlier()
        if earlier is not None and earlier.arrays:
            return earlier
        try:
            self._begin(earlier)
            self._fill(reader, describe, workers, progress)
        finally:
            for array in self._arrays:
                array.close()
        # noted before the arrays get their final names: then only the sums tell them from old ones
        sums = {array.path.name: sha256_file(array.part) for array in self._arrays}
        self._record = self._record.model_copy(update={"arrays": sums})
        write_text(self._notes, self._record.model_dump_json())
        return self._record

    def finish(self) -> None:
        """Give the arrays their final names."""
        for array in self._arrays:
            array.finish()

    def forget(self) -> None:
        """Delete the notes, when the arrays are described elsewhere."""
        self._notes.unlink(missing_ok=True)
        # what a kill in the middle of writing a record leaves of it
        for half in self._notes.parent.glob(".*.json.*.part"):
            half.unlink(missing_ok=True)

    def _earlier(self) -> PreparationRecord | None:
        """What an earlier try has done, if its arrays are still there."""
        if not self._notes.exists():
            return None
        try:
            record = read_record(self._notes, PreparationRecord)
        except RecordError as error:
            log.warning("%s; what was done is done again", error)
            return None
        if record.identity != self._record.identity:
            log.info("%s: of other data, settings or code; all is done again", self._notes)
            return None
        for array in self._arrays:
            if record.arrays:
                lost = not array.current.exists() or sha256_file(
                    array.current
                ) != record.arrays.get(array.path.name)
            else:
                lost = not array.part.exists() or array.part.stat().st_size != array.size
            if lost:
                log.warning("%s: not as it was left; all is done again", array.path)
                return None
        return record

    def _begin(self, earlier: PreparationRecord | None) -> None:
        if earlier is not None:
            self._record = earlier
            for array in self._arrays:
                array.begin(anew=False)
            return
        # before the arrays: notes of another try must never stand beside empty ones
        self._notes.unlink(missing_ok=True)
        try:
            for array in self._arrays:
                array.begin(anew=True)
        except RecordError:
            for array in self._arrays:
                array.discard()
            raise

    def _fill(
        self, reader: MapReader, describe: Describe, workers: int, progress: Progress
    ) -> None:
        total = len(reader.names)
        finished = {piece.key for piece in self._record.pieces}
        done = sum(len(piece.sizes) for piece in self._record.pieces)
        if done:
            log.info(
                "%s: goes on after %s of %s images", self._notes.parent, f"{done:,}", f"{total:,}"
            )
        progress(done, total)

        def work(piece: Piece) -> PieceRecord:
            maps = reader.read(piece)
            record = describe(piece, maps)
            for row, index in enumerate(piece.places.tolist()):
                self._images.write(index, maps.images[row])
                self._labels.write(index, maps.labels[row])
            return record

        todo = ((n, left) for n, left in enumerate(reader.pieces) if left.key not in finished)
        running: dict[Future[PieceRecord], int] = {}
        errors: dict[int, Exception] = {}
        noted = time.monotonic()
        with ThreadPoolExecutor(workers, "prepare") as pool:
            try:
                while True:
                    if not errors:
                        for number, piece in islice(todo, workers - len(running)):
                            running[pool.submit(work, piece)] = number
                    if not running:
                        break
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        number = running.pop(future)
                        try:
                            self._fresh.append(future.result())
                        except Exception as error:
                            errors[number] = error
                        else:
                            done += len(self._fresh[-1].sizes)
                            progress(done, total)
                    if time.monotonic() - noted >= NOTED_EVERY:
                        self._note()
                        noted = time.monotonic()
            finally:
                self._note()
        if errors:
            # pieces are begun in order: the first of these is the same with any number of threads
            raise errors[min(errors)]

    def _note(self) -> None:
        """Note the pieces that are finished since the last note, once they are on the disk."""
        if not self._fresh:
            return
        fresh, self._fresh = self._fresh, []
        for array in self._arrays:
            array.flush()
        pieces = (*self._record.pieces, *fresh)
        self._record = self._record.model_copy(update={"pieces": pieces})
        # not write_record, whose layout for readers takes half a second for 50,000 images
        write_text(self._notes, self._record.model_dump_json())
