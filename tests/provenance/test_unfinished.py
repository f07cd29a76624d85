"""What became of each training, as its log tells."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from iic.params.runs import load_plan
from iic.provenance.status import status
from iic.provenance.unfinished import Standing, end_of, standings
from iic.records import paths
from iic.records.paths import RunPaths
from tests.conftest import SCALE

STAMP = "2026-11-28 18:21:57,385 "
TRACEBACK = """the job failed
Traceback (most recent call last):
  File "x.py", line 1, in <module>
ValueError: no such thing
"""


def logged(root: Path, log: Path, text: str) -> None:
    (root / log).parent.mkdir(parents=True, exist_ok=True)
    (root / log).write_text(text)


def stand(root: Path, run: str, seed: int = 0) -> Standing:
    whole = load_plan(SCALE)
    return standings(whole, status(whole, root), root)[run, seed]


@pytest.mark.parametrize(
    ("text", "failed", "says"),
    [
        (f"{STAMP}epoch 0/2\n{STAMP}error: no room\n  remedy: make some\n", True, "no room"),
        (f"{STAMP}{TRACEBACK}", True, "ValueError: no such thing"),
        (f"{STAMP}error: no room\n{STAMP}epoch 1/2\n", False, "epoch 1/2"),
        ("Killed\n", False, "Killed"),
        ("", False, ""),
        (f"{STAMP}error: a\x1b[31mb\x00c\n", True, "a [31mb c"),
        (f"{STAMP}error: {'x' * 1000}\n", True, "x" * 237 + "..."),
        ("y" * 200_000 + f"\n{STAMP}error: late\n", True, "late"),
    ],
    ids=["error", "traceback", "went on", "no record", "empty", "control", "long", "large"],
)
def test_a_log_says_how_its_job_ended(tmp_path: Path, text: str, failed: bool, says: str) -> None:
    logged(tmp_path, Path("a.log"), text)
    end = end_of(Path("a.log"), tmp_path)
    assert end is not None and (end.failed, end.text) == (failed, says)
    assert "a.log" in end.seen


def test_a_log_says_when_it_ended_so_that_an_earlier_one_is_not_taken_for_todays(
    tmp_path: Path,
) -> None:
    for text in ("Killed\n", ""):
        logged(tmp_path, Path("a.log"), text)
        os.utime(tmp_path / "a.log", (86400 * 365, 86400 * 365))
        end = end_of(Path("a.log"), tmp_path)
        # a day off at most, by the time zone
        assert end is not None and end.at[:7] in ("1970-12", "1971-01") and end.at in end.seen
    logged(tmp_path, Path("a.log"), f"{STAMP}epoch 0/2\n2026-11-29 07:05:00,001 epoch 1/2\n")
    end = end_of(Path("a.log"), tmp_path)
    assert end is not None
    assert end.seen == "its last line was 'epoch 1/2' (2026-11-29 07:05, see a.log)"


def test_a_log_that_is_none_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder.log").mkdir()
    assert end_of(Path("folder.log"), tmp_path) is None
    assert end_of(Path("absent.log"), tmp_path) is None


def test_what_was_not_reached_is_told_from_what_failed_and_what_was_killed(tmp_path: Path) -> None:
    assert stand(tmp_path, "digits/iic").note == "not reached: digits/iic seed 0"
    log = RunPaths(SCALE, "digits/iic", 0).log
    logged(tmp_path, log, f"{STAMP}epoch 1/2  loss 0.1\n")
    assert stand(tmp_path, "digits/iic").note == (
        f"stopped: digits/iic seed 0: its last line was 'epoch 1/2  loss 0.1' "
        f"(2026-11-28 18:21, see {log})"
    )
    logged(tmp_path, log, f"{STAMP}error: loss is NaN\n")
    assert stand(tmp_path, "digits/iic").note == (
        f"failed: digits/iic seed 0: loss is NaN (2026-11-28 18:21, see {log})"
    )
    base = stand(tmp_path, "stl10_standin/finetune")
    assert (base.state, base.reason) == (
        "not reached",
        "it starts from stl10_standin/iic_star-features seed 0, which has no result",
    )


def test_data_that_could_not_be_had_are_named(tmp_path: Path) -> None:
    log = paths.data_log("download", "digits")
    logged(tmp_path, log, f"{STAMP}error: digits: could not be had from any source:\n  a: b\n")
    found = stand(tmp_path, "digits/kmeans")
    assert found.state == "not reached"
    assert found.reason.startswith("download digits failed: digits: could not be had")
    assert str(log) in found.reason
