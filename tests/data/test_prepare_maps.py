from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from iic.data import pieces
from iic.data.errors import DataError
from iic.data.load_maps import load_maps
from iic.data.maps import Maps, Piece
from iic.data.prepare_maps import prepare_maps
from iic.data.progress import PreparationProgress
from iic.records.files import RecordError, read_record, sha256_file
from iic.records.prepared_maps import MapManifest
from tests.data.made_maps import MadeReader, made

FOLDER = Path("data/prepared/made")


def test_arrays_and_manifest(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    manifest = prepare_maps(
        "made", made(tmp_path), tmp_path, progress=lambda *state: seen.append(state)
    )
    assert manifest == read_record(tmp_path / FOLDER / "data.json", MapManifest)
    assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == [
        "data.json",
        "images.npy",
        "labels.npy",
    ]
    assert (seen[0], seen[-1]) == ((0, 30), (30, 30)) and seen == sorted(seen)
    images, labels = (np.load(tmp_path / FOLDER / f"{one}.npy") for one in ("images", "labels"))
    assert (images.dtype, images.shape) == (np.uint8, (30, 2, 6, 7))
    assert (labels.dtype, labels.shape) == (np.uint8, (30, 6, 7))
    for place in range(30):
        noise = np.random.default_rng(place)
        assert np.array_equal(images[place, 1, :3, :5], noise.integers(1, 255, (1, 3, 5))[0])
    assert manifest.empty == (0, 5, 10, 15, 20, 25)
    assert (manifest.split("one"), manifest.split("two")) == (slice(0, 20), slice(20, 30))
    assert manifest.sizes == ((3, 5),) * 30 and manifest.names[29] == "made/29"
    for record, name in ((manifest.images, "images.npy"), (manifest.labels, "labels.npy")):
        assert record.path == (FOLDER / name).as_posix()
        assert record.sha256 == sha256_file(tmp_path / record.path)
        assert record.size == (tmp_path / record.path).stat().st_size


def test_number_of_threads_changes_nothing(tmp_path: Path) -> None:
    sums = set()
    for workers in (1, 4):
        root = tmp_path / str(workers)
        prepare_maps("made", made(root, 101), root, workers)
        sums.add(tuple(sha256_file(path) for path in sorted((root / FOLDER).iterdir())))
    assert len(sums) == 1


def test_no_more_pieces_at_once_than_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MADE_SECONDS", "0.01")
    lock, now, most = threading.Lock(), [0], [0]
    plain = MadeReader.read

    def read(self: MadeReader, piece: Piece) -> Maps:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        try:
            return plain(self, piece)
        finally:
            with lock:
                now[0] -= 1

    monkeypatch.setattr(MadeReader, "read", read)
    prepare_maps("made", made(tmp_path, 60), tmp_path, workers=3)
    assert most == [3]


MEMORY = """
import sys
from pathlib import Path
from iic.data.prepare_maps import prepare_maps
from tests.data.made_maps import made
root = Path(sys.argv[1])
prepare_maps("made", made(root, int(sys.argv[2]), side=160), root, workers=2)
# not getrusage, whose peak begins with that of the process that called this one
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def test_memory_does_not_grow_with_the_dataset(tmp_path: Path) -> None:
    peaks = []
    for count in (20, 1500):  # 1.5 and 115 MB of arrays
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(tmp_path / str(count)), str(count)],
            capture_output=True,
            text=True,
            check=True,
        )
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] - peaks[0] < 12


def changed(monkeypatch: pytest.MonkeyPatch, change: Callable[[Maps], Maps]) -> None:
    plain = MadeReader.read
    monkeypatch.setattr(MadeReader, "read", lambda self, piece: change(plain(self, piece)))


def with_label(maps: Maps) -> Maps:
    maps.labels[1, 2, 2] = 2
    return maps


def with_size(maps: Maps) -> Maps:
    maps.sizes[0] = 7, 5
    return maps


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda maps: maps._replace(images=maps.images[:, :1]), r"images are uint8 of shape"),
        (lambda maps: maps._replace(images=maps.images.astype(float)), "images are float64"),
        (lambda maps: maps._replace(labels=maps.labels[:, :5]), r"labels are uint8 of shape"),
        (lambda maps: maps._replace(sizes=maps.sizes[:1]), r"sizes are int64 of shape \(1, 2\)"),
        (with_label, "label 2 in image 8 is none of the 2 classes, 254 or 255"),
        (with_size, "image 0 has 7x5 pixels, the canvas 6x7"),
    ],
)
def test_reader_that_breaks_its_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Maps], Maps], problem: str
) -> None:
    changed(monkeypatch, change)
    with pytest.raises(DataError, match=problem) as caught:
        prepare_maps("made", made(tmp_path), tmp_path)
    assert "made: tests.data.made_maps: piece 0" in str(caught.value)
    assert not (tmp_path / FOLDER / "data.json").exists()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"names": ("a",) * 30}, "names 1 images, expected 30"),
        ({"pieces": (Piece("one", np.arange(29)),)}, "do not cover all 30 images once"),
        ({"pieces": (Piece("one", np.arange(31)),)}, "do not cover all 30 images once"),
        (
            {"pieces": (Piece("one", np.arange(10)), Piece("one", np.arange(10, 30)))},
            "do not cover all 30 images once",
        ),
    ],
)
def test_pieces_that_do_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict, problem: str
) -> None:
    plain = MadeReader.__init__

    def init(self: MadeReader, dataset: object) -> None:
        plain(self, dataset)  # type: ignore[arg-type]
        vars(self).update(changes)

    monkeypatch.setattr(MadeReader, "__init__", init)
    with pytest.raises(DataError, match=problem):
        prepare_maps("made", made(tmp_path), tmp_path)


@pytest.mark.parametrize("module", ["iic.data.mnist", "iic.data.nothing"])
def test_no_reader(tmp_path: Path, module: str) -> None:
    with pytest.raises(DataError, match=f"made.module: '{module}' has no function open_maps"):
        prepare_maps("made", made(tmp_path, module=module), tmp_path)


def test_full_disk(disk: Callable[..., Path]) -> None:
    small = disk("1m")
    dataset = made(small, 2000, side=30)  # 5.6 MB
    with pytest.raises(
        RecordError, match=r"images.npy: cannot be written: No space left"
    ) as caught:
        prepare_maps("made", dataset, small)
    assert "remedy: make room for 3,720,128 bytes" in str(caught.value)
    # no useless room is kept taken
    assert list((small / FOLDER).iterdir()) == []


def test_disk_that_fills_up_meanwhile(disk: Callable[..., Path]) -> None:
    small = disk("1m")
    dataset = made(small, 300, side=30)  # 840 kB, of which the labels do not fit beside the images
    (small / "other").write_bytes(b"x" * 300_000)
    with pytest.raises(RecordError, match=r"labels.npy: cannot be written: No space left"):
        prepare_maps("made", dataset, small)
    assert list((small / FOLDER).iterdir()) == []
    (small / "other").unlink()
    assert prepare_maps("made", dataset, small).count == 300


def test_read_only_folder(disk: Callable[..., Path], tmp_path: Path) -> None:
    locked = disk("1m", read_only="prepared")
    dataset = made(tmp_path)
    (tmp_path / "data/prepared").symlink_to(locked / "prepared")
    with pytest.raises(RecordError, match=r"images.npy: cannot be written: Read-only"):
        prepare_maps("made", dataset, tmp_path)


def test_progress_in_a_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iic.data.progress.LOGGED_EVERY", 0.0)
    with caplog.at_level("INFO"), PreparationProgress("made", live=False) as progress:
        prepare_maps("made", made(tmp_path), tmp_path, progress=progress)
    lines = [one for one in caplog.messages if "a second" in one]
    assert len(lines) == 8 and lines[-1].startswith("made: 30 of 30 images, ")


def test_progress_on_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with PreparationProgress("made", live=True) as progress:
        prepare_maps("made", made(tmp_path), tmp_path, progress=progress)
    assert "30/30" in capsys.readouterr().err


def test_notes_are_compact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # written every few seconds with the sizes of all images that are done
    monkeypatch.setattr(pieces, "NOTED_EVERY", 0.0)
    noted: list[int] = []
    plain = pieces.write_text
    monkeypatch.setattr(
        pieces, "write_text", lambda path, text: (noted.append(len(text)), plain(path, text))
    )
    prepare_maps("made", made(tmp_path, 400), tmp_path)
    assert len(noted) >= 100 and max(noted) < 400 * 30
    assert json.loads((tmp_path / FOLDER / "data.json").read_text())["count"] == 400
    assert load_maps("made", tmp_path).images.shape == (400, 2, 6, 7)
