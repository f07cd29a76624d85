"""Times in the future and at the beginning of time: nothing is computed for nothing, or lost."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from iic.records.paths import RunPaths
from tests.workflow.test_faults import (
    BY_SNAKEMAKE,
    CHECKPOINT,
    RUN,
    SCALE,
    ended,
    in_second_epoch,
    start,
    until,
)
from tests.workflow.workflow_helpers import NOTHING, contents, iic, run, snakemake, write_scale

PLACE = RunPaths(SCALE, RUN, 0)
IMAGES = Path("data/prepared/digits/images.npy")


def set_times(*paths: Path, seconds: float) -> None:
    for path in paths:
        os.utime(path, (seconds, seconds))


def test_a_training_refuses_inputs_from_the_future_before_it_starts(tiny_copy: Path) -> None:
    write_scale(tiny_copy, SCALE, RUN, schedule={"epochs": 1, "max_steps": 5})
    later = time.time() + 3600
    set_times(tiny_copy / IMAGES, seconds=later)
    refused = run(tiny_copy, *BY_SNAKEMAKE, expect=1)
    assert f"train {SCALE} {RUN} 0: inputs have a time in the future" in refused.said
    assert f"then: touch {IMAGES}" in refused.said
    assert not (tiny_copy / CHECKPOINT).exists(), "nothing was trained"
    set_times(tiny_copy / IMAGES, seconds=time.time())
    run(tiny_copy, *BY_SNAKEMAKE)
    assert (tiny_copy / PLACE.receipt).exists()


@pytest.mark.long
def test_a_training_whose_input_jumps_ahead_keeps_its_checkpoint(tiny_copy: Path) -> None:
    schedule = {"epochs": 4, "max_steps": 90, "checkpoint_seconds": 0.05}
    write_scale(tiny_copy, SCALE, RUN, schedule=schedule, sub_heads=5)
    process = start(tiny_copy, *BY_SNAKEMAKE)
    until(lambda: in_second_epoch(tiny_copy), process)
    set_times(tiny_copy / IMAGES, seconds=time.time() + 3600)
    stopped = ended(process)
    assert stopped.status == 1 and f"then: touch {IMAGES}" in stopped.said
    assert not (tiny_copy / PLACE.receipt).exists(), "Snakemake deletes what a failed job wrote"
    set_times(tiny_copy / IMAGES, seconds=time.time())
    run(tiny_copy, *BY_SNAKEMAKE)
    assert "digits/iic seed 0: going on at epoch" in (tiny_copy / PLACE.log).read_text()
    history = (tiny_copy / PLACE.history).read_text().splitlines()
    assert '"steps": 90' in history[-1]
    assert not (tiny_copy / CHECKPOINT).exists()


@pytest.mark.long
def test_times_of_zero_are_times_like_others(tiny_copy: Path) -> None:
    """As some archives and container images have them."""
    files = [
        path
        for room in ("data", "results", "params", "iic")
        for path in (tiny_copy / room).rglob("*")
        if path.is_file()
    ]
    set_times(*files, seconds=0)
    before = contents(tiny_copy / "results")
    assert NOTHING in snakemake(tiny_copy, scale="tiny").said
    assert "verified" in iic(tiny_copy, "audit", "--scale", "tiny").said
    assert "0 jobs are left to do" in iic(tiny_copy, "restore", "--scale", "tiny").said
    assert contents(tiny_copy / "results") == before
