"""A time in the future is refused before the work, and clocks that are set leave no trace."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from iic.cli import input_times
from iic.cli.input_times import TimeInFuture, refuse_future_times
from iic.records import clock
from iic.records.clock import Clock


def ahead(root: Path, name: str, seconds: float) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    os.utime(path, (time.time() + seconds,) * 2)
    return Path(name)


def test_an_input_from_the_future_is_refused_with_the_remedy(tmp_path: Path) -> None:
    fine = ahead(tmp_path, "data/prepared/digits/data.json", -10)
    wrong = ahead(tmp_path, "data/prepared/digits/images.npy", 3600)
    with pytest.raises(TimeInFuture) as refused:
        refuse_future_times([fine, wrong], tmp_path, "train digits/iic seed0")
    text = str(refused.value)
    assert text.startswith("train digits/iic seed0: inputs have a time in the future")
    assert text.endswith("then: touch data/prepared/digits/images.npy")
    assert str(fine) not in text


def test_the_mark_of_a_folder_counts_as_snakemake_sees_it(tmp_path: Path) -> None:
    weights = ahead(tmp_path, "results/smoke/artifacts/digits/iic/seed0/weights.safetensors", -10)
    ahead(tmp_path, f"{weights.parent}/.snakemake_timestamp", 3600)
    with pytest.raises(TimeInFuture, match=r"weights\.safetensors"):
        refuse_future_times([weights], tmp_path, "train")


def test_raw_files_and_absent_files_are_not_asked(tmp_path: Path) -> None:
    raw = ahead(tmp_path, "data/raw/digits/digits.csv.gz", 3600)
    refuse_future_times([raw, Path("data/prepared/none.npy")], tmp_path, "prepare")
    manifest = ahead(tmp_path, "data/raw/digits/files.json", 3600)
    with pytest.raises(TimeInFuture):
        refuse_future_times([manifest], tmp_path, "prepare")


def test_clocks_that_are_a_little_apart_are_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(input_times.time, "sleep", waited.append)
    refuse_future_times([ahead(tmp_path, "data.json", 30)], tmp_path, "train")
    assert len(waited) == 1 and 25 < waited[0] <= 30


def test_durations_do_not_follow_the_clock_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    class Set(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime(2020, 1, 1, tzinfo=UTC)

    started = Clock()
    monkeypatch.setattr(clock, "datetime", Set)
    first, second = started.now, started.now
    assert started.start <= first <= second
    assert started.seconds < 60
