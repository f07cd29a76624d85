"""A preparation that was killed goes on, and ends with the same bytes as one that was not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from iic.data import array_file, pieces
from iic.data import prepare_maps as module
from iic.data.errors import DataError
from iic.data.prepare_maps import prepare_maps
from iic.records.files import read_record, sha256_file
from iic.records.prepared_maps import PreparationRecord
from tests.data.made_maps import MadeReader, made

FOLDER = Path("data/prepared/made")
COUNT = 120
"""30 pieces."""

SCRIPT = """
import sys
from pathlib import Path
from iic.data import pieces
from iic.data.prepare_maps import prepare_maps
from tests.data.made_maps import made
pieces.NOTED_EVERY = 0.02
root = Path(sys.argv[1])
prepare_maps("made", made(root, 120), root, workers=2)
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Sums of what a preparation gives that nothing disturbs."""
    root = tmp_path_factory.mktemp("whole")
    prepare_maps("made", made(root, COUNT), root)
    return sums(root)


@pytest.fixture(autouse=True)
def _noted_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "NOTED_EVERY", 0.0)


def sums(root: Path) -> list[str]:
    paths = sorted((root / FOLDER).iterdir())
    assert [path.name for path in paths] == ["data.json", "images.npy", "labels.npy"]
    return [sha256_file(path) for path in paths]


def noted(root: Path) -> PreparationRecord | None:
    path = root / FOLDER / "progress.json"
    return read_record(path, PreparationRecord) if path.exists() else None


def start(root: Path, seconds: str = "0.1") -> subprocess.Popen[bytes]:
    environment = os.environ | {"MADE_SECONDS": seconds, "MADE_LOG": str(root / "log")}
    root.mkdir(exist_ok=True)
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(root)], env=environment)


def test_killed_and_gone_on(tmp_path: Path, undisturbed: list[str]) -> None:
    made(tmp_path, COUNT)
    process = start(tmp_path)
    deadline = time.monotonic() + 60
    while (state := noted(tmp_path)) is None or not 5 <= len(state.pieces):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    state = noted(tmp_path)
    assert state is not None and 5 <= len(state.pieces) < 30
    assert not (tmp_path / FOLDER / "data.json").exists()
    (tmp_path / "log").unlink()
    assert start(tmp_path, "0").wait() == 0
    assert sums(tmp_path) == undisturbed
    # nothing that was noted is read again
    again = (tmp_path / "log").read_text().splitlines()
    assert sorted(again) == sorted(
        {f"piece {number}" for number in range(30)} - {piece.key for piece in state.pieces}
    )


@pytest.mark.long
def test_killed_at_any_moment(tmp_path: Path, undisturbed: list[str]) -> None:
    moments, kills = random.Random(0), 0
    for number in range(4):
        root = tmp_path / str(number)
        for _ in range(4):
            process = start(root, "0.05")
            try:
                process.wait(moments.uniform(0.4, 1.6))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
        assert start(root, "0").wait() == 0
        assert sums(root) == undisturbed
    assert kills > 4


class Stop(BaseException):
    """As KeyboardInterrupt: nothing that the code expects."""


@pytest.mark.parametrize(
    "where", ["sums", "first name", "second name", "manifest", "forgetting", "interrupt"]
)
def test_stopped_at_the_end(
    tmp_path: Path, undisturbed: list[str], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    calls = [0]

    def stop_at(number: int, plain):  # type: ignore[no-untyped-def]
        def stopping(*args, **kwargs):  # type: ignore[no-untyped-def]
            calls[0] += 1
            if calls[0] == number:
                raise Stop
            return plain(*args, **kwargs)

        return stopping

    with monkeypatch.context() as patch:
        if where == "sums":
            patch.setattr(pieces, "sha256_file", stop_at(2, pieces.sha256_file))
        elif where.endswith("name"):
            plain = array_file.ArrayFile.finish
            patch.setattr(array_file.ArrayFile, "finish", stop_at(1 + ("sec" in where), plain))
        elif where == "manifest":
            patch.setattr(module, "write_record", stop_at(1, module.write_record))
        elif where == "forgetting":
            patch.setattr(pieces.Filling, "forget", stop_at(1, pieces.Filling.forget))
        else:
            patch.setattr(pieces, "wait", stop_at(9, pieces.wait))
        with pytest.raises(Stop):
            prepare_maps("made", made(tmp_path, COUNT), tmp_path, workers=2)
    read: list[str] = []
    plain_read = MadeReader.read
    monkeypatch.setattr(
        MadeReader, "read", lambda self, piece: (read.append(piece.key), plain_read(self, piece))[1]
    )
    prepare_maps("made", made(tmp_path, COUNT), tmp_path, workers=2)
    assert sums(tmp_path) == undisturbed
    assert len(read) < 25 if where == "interrupt" else not read


def begun(root: Path, monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    """Prepare up to a piece that cannot be read."""
    plain = MadeReader.read

    def read(self: MadeReader, piece):  # type: ignore[no-untyped-def]
        if piece.key == "piece 20":
            raise DataError("piece 20")
        return plain(self, piece)

    with monkeypatch.context() as patch:
        patch.setattr(MadeReader, "read", read)
        with pytest.raises(DataError, match="piece 20"):
            prepare_maps("made", made(root, COUNT, **changes), root, fingerprint="before")
    state = noted(root)
    assert state is not None and len(state.pieces) == 20


@pytest.mark.parametrize("what", ["same", "code", "settings", "notes", "array", "other size"])
def test_what_was_begun_is_only_gone_on_with_when_it_fits(
    tmp_path: Path,
    undisturbed: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    what: str,
) -> None:
    before = {"maps": {"scale": 0.5, "least_side": 1}} if what == "settings" else {}
    begun(tmp_path, monkeypatch, **before)
    if what == "notes":
        (tmp_path / FOLDER / "progress.json").write_text('{"identity": "cut sho')
    elif what == "array":
        (tmp_path / FOLDER / "labels.npy.part").unlink()
    elif what == "other size":
        with (tmp_path / FOLDER / "images.npy.part").open("ab") as file:
            file.write(b"x")
    log = tmp_path / "log"
    monkeypatch.setenv("MADE_LOG", str(log))
    with caplog.at_level("INFO"):
        prepare_maps(
            "made",
            made(tmp_path, COUNT),
            tmp_path,
            fingerprint="after" if what == "code" else "before",
        )
    assert len(log.read_text().splitlines()) == (10 if what == "same" else 30)
    assert ("goes on after 80 of 120 images" in caplog.text) == (what == "same")
    assert ("done again" in caplog.text) == (what != "same")
    assert sums(tmp_path) == undisturbed


def test_array_that_was_changed_after_its_end(
    tmp_path: Path, undisturbed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_record", lambda *args: (_ for _ in ()).throw(Stop))
        with pytest.raises(Stop):
            prepare_maps("made", made(tmp_path, COUNT), tmp_path)
    with (tmp_path / FOLDER / "images.npy").open("r+b") as file:
        file.seek(1000)
        file.write(b"\xff\xff\xff")
    prepare_maps("made", made(tmp_path, COUNT), tmp_path)
    assert sums(tmp_path) == undisturbed


def test_a_second_preparation_replaces_the_first(tmp_path: Path, undisturbed: list[str]) -> None:
    (tmp_path / FOLDER).mkdir(parents=True)
    for name in ("images.npy", "labels.npy", "data.json", "images.npy.part"):
        (tmp_path / FOLDER / name).write_bytes(b"from before")
    prepare_maps("made", made(tmp_path, COUNT), tmp_path)
    assert sums(tmp_path) == undisturbed
