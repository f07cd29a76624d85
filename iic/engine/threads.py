"""Threads of the libraries that a training computes with: as many as its settings say, anywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "GOTO_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
"""What Snakemake sets for a job, to at most as many threads as it may use itself."""
LIMITS = ("OMP_THREAD_LIMIT", "OMP_DYNAMIC")
"""What would leave a library fewer. scikit-learn does not notice, and finds wrong neighbours."""


@contextmanager
def library_threads(number: int) -> Iterator[None]:
    """Give libraries `number` threads during the block: those loaded, and those to be loaded.

    The number changes the last bits. So it must not depend on who starts a training: Snakemake
    with few cores, a person, or the audit that repeats it.
    """
    before = {name: os.environ.pop(name, None) for name in (*VARIABLES, *LIMITS)}
    os.environ.update(dict.fromkeys(VARIABLES, str(number)))
    try:
        with threadpool_limits(number):
            yield
    finally:
        for name in VARIABLES:
            del os.environ[name]
        os.environ.update({name: value for name, value in before.items() if value is not None})
