"""Choice of the device, and the switches that make results repeatable on it."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from iic.params.errors import IICError
from iic.params.training import ComputeSettings

log = logging.getLogger(__name__)


POLL_SECONDS = 2.0


@contextlib.contextmanager
def leased_device(
    needed: bool, count: int | None = None, folder: Path | None = None
) -> Iterator[torch.device]:
    """The device to train on, held for the time of the block.

    Snakemake limits how many GPU jobs run but assigns them no device, so that two jobs would
    share GPU 0. Each job therefore takes a file lock on one of the visible devices, and waits for
    one. A scheduler that shows a job exactly one device has assigned it, and nothing is locked.

    Args:
        needed: Whether the run's settings ask for a GPU; without, it runs on the CPU even where
            there is one, since the device changes the last bits.
        count: Number of GPUs; found by torch if None (a test gives its own).
        folder: Where the lock files lie; the system's temporary folder if None.

    Raises:
        IICError: A GPU is needed and there is none.
    """
    if not needed:
        yield torch.device("cpu")
        return
    gpus = torch.cuda.device_count() if count is None else count
    if gpus == 0:
        raise IICError(
            "the run's settings say gpu: true, but torch sees no GPU here: run it where there is "
            "one, or set gpu: false in params/scales/ (on a CPU it may take weeks)"
        )
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    if len(visible) == 1:
        yield torch.device("cuda", 0)
        return
    names = visible if len(visible) == gpus else [str(index) for index in range(gpus)]
    folder = folder or Path(tempfile.gettempdir())
    # by user, since another user's lock files could not be opened
    locks = [FileLock(folder / f"iic-gpu-{os.getuid()}-{name}.lock") for name in names]
    index = _first_free(locks)
    try:
        yield torch.device("cuda", index)
    finally:
        locks[index].release()


def _first_free(locks: Sequence[FileLock]) -> int:
    told = False
    while True:
        for index, lock in enumerate(locks):
            with contextlib.suppress(Timeout):
                lock.acquire(timeout=0)
                return index
        if not told:
            log.info("all %d GPUs are leased by other jobs: waiting for one", len(locks))
            told = True
        time.sleep(POLL_SECONDS)


def configure(device: torch.device, threads: int) -> bool:
    """Set threads and determinism; returns whether the same seed gives the same bytes."""
    torch.set_num_threads(threads)
    if device.type == "cpu":
        torch.use_deterministic_algorithms(True)
        # filling fresh memory guards against reading it unwritten, and costs a tenth of a step
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        return True
    torch.cuda.set_device(device)
    # the fastest convolution is worth more on a GPU than its last bits
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = True
    # "float32" means float32: TF32 would round every product to ten bits
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    return False


def autocast(device: torch.device, compute: ComputeSettings) -> torch.autocast:
    """The context in which networks run under these settings."""
    return torch.autocast(
        device.type, dtype=torch.bfloat16, enabled=compute.precision == "bfloat16"
    )
