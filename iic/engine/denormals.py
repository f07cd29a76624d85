"""Floats below the smallest normal one (1.2e-38 in float32) as zeros.

Late in a training most gradients of a confident head are that small. A CPU computes with each of
them far more slowly than with others (docs/performance.md); a GPU loses nothing.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_info

OMP_PAUSE_HARD = 2
"""`omp_pause_hard` of OpenMP 5.0: end the threads; the next parallel part starts others."""


@contextmanager
def flushed(wanted: bool = True) -> Iterator[None]:
    """Inside, torch computes on the CPU with such floats as zeros, or keeps them.

    Outside they are kept: Python and NumPy read the same switch.

    Args:
        wanted: Whether they become zeros.
    """
    before = _flushes()
    _switch(wanted, before)
    try:
        yield
    finally:
        _switch(before, wanted)


def _flushes() -> bool:
    # torch has a setter alone
    return not bool(torch.full((1,), 1e-39).mul(0.5).any())


def _switch(value: bool, before: bool) -> None:
    if value == before:
        return
    torch.set_flush_denormal(value)  # False, and no change, on processors without such a switch
    # each thread has a switch of its own and takes it over from the one that starts it: those that
    # run already would go on as before
    for library in threadpool_info():
        if library["user_api"] == "openmp":
            ctypes.CDLL(library["filepath"]).omp_pause_resource_all(OMP_PAUSE_HARD)
