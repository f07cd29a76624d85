"""Choice of the device, and the switches that make results repeatable on it."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from iic.params.errors import IICError
from iic.params.training import ComputeSettings

log = logging.getLogger(__name__)


@contextlib.contextmanager
def leased_device(count: int | None = None, folder: Path | None = None) -> Iterator[torch.device]:
    """The device to train on, held for the time of the block.

    Snakemake limits how many GPU jobs run but assigns them no device, so that two jobs would
    share GPU 0. Without CUDA_VISIBLE_DEVICES each job therefore takes a file lock on a device.

    Args:
        count: Number of GPUs; found by torch if None (a test gives its own).
        folder: Where the lock files lie; the system's temporary folder if None.

    Raises:
        IICError: Every GPU is leased by another job.
    """
    gpus = torch.cuda.device_count() if count is None else count
    if gpus == 0:
        yield torch.device("cpu")
        return
    if gpus == 1 or os.environ.get("CUDA_VISIBLE_DEVICES"):
        yield torch.device("cuda", 0)
        return
    folder = folder or Path(tempfile.gettempdir())
    for index in range(gpus):
        lock = FileLock(folder / f"iic-gpu-{index}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        try:
            yield torch.device("cuda", index)
        finally:
            lock.release()
        return
    raise IICError(
        f"all {gpus} GPUs are leased by other jobs of this machine: run fewer at once "
        "(snakemake --resources gpu=N) or set CUDA_VISIBLE_DEVICES"
    )


def configure(device: torch.device, threads: int) -> bool:
    """Set threads and determinism; returns whether the same seed gives the same bytes."""
    torch.set_num_threads(threads)
    if device.type == "cpu":
        torch.use_deterministic_algorithms(True)
        # filling fresh memory guards against reading it unwritten, and costs a tenth of a step
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        return True
    # the fastest convolution is worth more on a GPU than its last bits
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = True
    # the joint distribution is a float32 product, which TF32 would round to ten bits
    torch.set_float32_matmul_precision("highest")
    return False


def autocast(device: torch.device, compute: ComputeSettings) -> torch.autocast:
    """The context in which networks run under these settings."""
    return torch.autocast(
        device.type, dtype=torch.bfloat16, enabled=compute.precision == "bfloat16"
    )
