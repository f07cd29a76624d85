"""The switch for denormal floats reaches every thread, and is put back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from iic.engine.denormals import flushed
from iic.engine.device import configured
from iic.params.training import ComputeSettings

SMALL = 1e-39
"""Below the smallest normal float32."""


def left() -> int:
    """How many of many such floats a product in all threads leaves."""
    return int(torch.full((2_000_000,), SMALL).mul(0.5).count_nonzero())


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_that_run_already_flush_as_well(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert left() == 2_000_000  # starts the threads
        with flushed():
            assert left() == 0
            with flushed(False):
                assert left() == 2_000_000
            assert left() == 0
        assert left() == 2_000_000
    finally:
        torch.set_num_threads(before)


def test_the_rest_of_the_process_keeps_them() -> None:
    with pytest.raises(KeyError), flushed():
        raise KeyError
    assert np.float32(SMALL) * np.float32(0.5) > 0
    assert float("5e-324") > 0


@pytest.mark.parametrize(("denormals", "count"), [("flushed", 0), ("kept", 2_000_000)])
def test_settings_decide(denormals: str, count: int) -> None:
    compute = ComputeSettings.model_validate({"denormals": denormals})
    threads = torch.get_num_threads()
    with configured(torch.device("cpu"), 2, compute) as deterministic:
        assert deterministic
        assert left() == count
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()
