"""One process a training: two would write the same checkpoints and the same results.

Snakemake's own lock keeps two drivers out of a clone. It does not know of jobs that outlive a
driver which was killed, as jobs on a cluster do.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import Timeout

from iic.params.errors import IICError
from iic.records.files import RecordError
from iic.records.locks import held, holder, note_of
from iic.records.paths import RunPaths

PATIENCE = 30.0
"""Seconds that a process which was told to end may take to save its checkpoint."""


class TrainedElsewhere(IICError):
    """Another process trains the same run with the same seed."""


@contextlib.contextmanager
def alone(run_paths: RunPaths, patience: float = PATIENCE) -> Iterator[None]:
    """Hold the run's lock, which is free again when the process ends, however it ends.

    From before the job reads to after its receipt is written: a process that waited finds either
    nothing or a finished run, which it trains again from the start, receipt first.

    Raises:
        TrainedElsewhere: Another process has held it for `patience` seconds.
        RecordError: The folder of checkpoints cannot be written to.
    """
    path = run_paths.scratch / "lock"
    with contextlib.ExitStack() as stack:
        try:
            _enter(stack, path, patience)
        except Timeout:
            raise TrainedElsewhere(
                f"{path}: held by {holder(path)}, which trains {run_paths.run} with seed "
                f"{run_paths.seed}: wait until it ends or cancel it (squeue, qstat or ps show it), "
                "then run this again; it goes on from the last checkpoint"
            ) from None
        except OSError as error:
            raise RecordError(f"{path}: cannot be written: {error.strerror}") from error
        try:
            yield
        finally:
            # a job that was refused before it began leaves nothing behind, where it can be removed
            left = {file.name for file in path.parent.glob("*")}
            if path.name in left <= {path.name, note_of(path).name}:
                with contextlib.suppress(OSError):
                    note_of(path).unlink(missing_ok=True)
                    path.unlink()
                    os.removedirs(path.parent)


def _enter(stack: contextlib.ExitStack, path: Path, patience: float) -> None:
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        # the process before may be taking its empty folders away at this very moment
        with contextlib.suppress(FileNotFoundError):
            stack.enter_context(held(path, patience))
            return
