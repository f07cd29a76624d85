"""One process a training, also where a driver was killed and its jobs live on."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from iic.cli.training_lock import TrainedElsewhere, alone
from iic.records.files import RecordError
from iic.records.paths import RunPaths
from tests.conftest import ROOT

PLACE = RunPaths("smoke", "digits/kmeans", 0)
HOLD = """
import time
from iic.cli.training_lock import alone
from iic.records.paths import RunPaths
from tests.conftest import ROOT
with alone(RunPaths("smoke", "digits/kmeans", 0)):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> subprocess.Popen[str]:
    """A process that holds the run's lock, in the same folder."""
    monkeypatch.chdir(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_refused_until_the_first_has_ended(other: subprocess.Popen) -> None:
    with pytest.raises(TrainedElsewhere, match="trains digits/kmeans with seed 0: wait") as raised:
        with alone(PLACE, patience=0.1):
            pytest.fail("two processes train at once")
    assert str(PLACE.scratch / "lock") in str(raised.value)
    assert f"held by process {other.pid} on host {socket.gethostname()} since" in str(raised.value)
    with alone(RunPaths("smoke", "digits/kmeans", 1), patience=0.1):
        pass  # another seed is another training
    other.send_signal(signal.SIGKILL)
    other.wait()
    with alone(PLACE, patience=5):
        assert (PLACE.scratch / "lock").exists()
    assert not Path("scratch").exists(), "nothing was trained, nothing is left"


def test_an_error_of_the_training_passes_and_frees_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError, match="of the training"), alone(PLACE):
        raise OSError("of the training")
    with alone(PLACE, patience=0.1):
        pass


def test_a_training_may_delete_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does with its checkpoints once its receipt is written."""
    monkeypatch.chdir(tmp_path)
    with alone(PLACE):
        shutil.rmtree(PLACE.scratch)
    with alone(PLACE, patience=0.1):
        pass
    assert not PLACE.scratch.exists()


def test_a_folder_that_cannot_be_made_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("scratch").write_text("a file")
    with pytest.raises(RecordError, match=r"lock: cannot be written"), alone(PLACE):
        pytest.fail("no lock is held")
