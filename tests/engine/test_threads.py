"""Threads of a training are its setting, whoever starts it and whatever the shell says."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from iic.engine.threads import LIMITS, VARIABLES, library_threads
from tests.conftest import ROOT

NEIGHBOURS = """
from iic.engine.threads import library_threads
with library_threads(2):
    import numpy
    from sklearn.neighbors import NearestNeighbors
    points = numpy.random.default_rng(0).normal(size=(1797, 784)).astype("float32")
    found = NearestNeighbors(n_neighbors=5, algorithm="brute").fit(points).kneighbors(points)
    assert (found[1][:, 0] == numpy.arange(len(points))).all(), "each is its own nearest"
    print(numpy.float64(found[0].sum()).hex())
"""


def test_variables_are_those_of_the_setting_and_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("OMP_THREAD_LIMIT", "1")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = dict(os.environ)
    with pytest.raises(RuntimeError), library_threads(2):
        assert {os.environ[name] for name in VARIABLES} == {"2"}
        assert not set(LIMITS) & set(os.environ)
        raise RuntimeError
    assert dict(os.environ) == before


def test_a_limit_of_the_shell_changes_no_byte() -> None:
    """scikit-learn merges the heaps of threads that such a limit has kept from running."""

    def sums(**given: str) -> str:
        clean = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        done = subprocess.run(
            [sys.executable, "-c", NEIGHBOURS],
            cwd=ROOT,
            env={**clean, **given},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert sums(OMP_THREAD_LIMIT="1") == sums(OMP_NUM_THREADS="1") == sums()
