"""Choice of the device, and the switches that make results repeatable on it."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn

from iic.engine.denormals import flushed
from iic.params.errors import IICError
from iic.params.training import ComputeSettings

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0
RECOMPILE_LIMIT = 64


@contextlib.contextmanager
def leased_device(
    needed: bool, gpus: Sequence[str] | None = None, folder: Path | None = None
) -> Iterator[torch.device]:
    """The device to train on, held for the time of the block.

    Snakemake limits how many GPU jobs run but assigns them no device, and where one GPU is visible
    it may start as many trainings as there are cores. Each job therefore takes a file lock on one
    of the visible devices, and waits for one. A lock has the name of the device itself and not of
    its number: where a scheduler gives each job a GPU, all of them may see theirs as number 0.

    Args:
        needed: Whether the run's settings ask for a GPU; without, it runs on the CPU even where
            there is one, since the device changes the last bits.
        gpus: A name of each visible GPU that no other has; torch's UUIDs if None.
        folder: Where the lock files lie; the system's temporary folder if None.

    Raises:
        IICError: A GPU is needed and there is none.
    """
    if not needed:
        yield torch.device("cpu")
        return
    names = _visible_gpus() if gpus is None else gpus
    if not names:
        raise IICError(
            "the run's settings say gpu: true, but torch sees no GPU here: run it where there is "
            "one, or set gpu: false in params/scales/ (on a CPU it may take weeks)"
        )
    folder = folder or Path(tempfile.gettempdir())
    # by user, since another user's lock files could not be opened
    locks = [FileLock(folder / f"iic-gpu-{os.getuid()}-{name}.lock") for name in names]
    index = _first_free(locks)
    try:
        yield torch.device("cuda", index)
    finally:
        locks[index].release()


def _visible_gpus() -> list[str]:
    count = torch.cuda.device_count()
    return [str(torch.cuda.get_device_properties(index).uuid) for index in range(count)]


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


@contextlib.contextmanager
def configured(
    device: torch.device, threads: int, compute: ComputeSettings | None = None
) -> Iterator[bool]:
    """Threads, determinism and denormal floats of the block; yields whether bytes are repeatable.

    Args:
        device: Where the block computes.
        threads: CPU threads.
        compute: Says what becomes of denormal floats; None keeps them.
    """
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    flush = compute is not None and compute.denormals == "flushed" and device.type == "cpu"
    try:
        deterministic = _configure(device, threads)
        with flushed(flush):
            yield deterministic
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])


def _configure(device: torch.device, threads: int) -> bool:
    torch.set_num_threads(threads)
    if device.type == "cpu":
        torch.use_deterministic_algorithms(True)
        # filling fresh memory guards against reading it unwritten, and costs a tenth of a step
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        return True
    torch.cuda.set_device(device)
    # the fastest convolution is worth more on a GPU than its last bits; `many_sizes` takes it back
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


@contextlib.contextmanager
def many_sizes() -> Iterator[None]:
    """Inside, cuDNN chooses convolutions by its own rules, for images of many sizes.

    Else it would try all of them anew for every size, which takes longer than the images.
    """
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def compiled(part: nn.Module) -> Callable[..., Any]:
    """A network or a part of it, compiled.

    It is compiled once for each head, mode and kind of batch that it meets: two heads, training
    and evaluation, a batch's originals and transforms, and the smaller last batch. By default torch
    gives up after eight, and the rest would run uncompiled.
    """
    # the stubs of `compile` do not know its limit yet
    compiled_part: Callable[..., Any] = torch.compile(part, recompile_limit=RECOMPILE_LIMIT)  # type: ignore[call-overload]
    return compiled_part


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """A small tensor of the host on the device, without waiting for what the device still does."""
    if device.type == "cpu":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)
