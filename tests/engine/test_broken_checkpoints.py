"""What an unfinished run has left is used only as it was written: else the one before, or nothing.

One table of damage, and one of places where a bit flips.
"""

from __future__ import annotations

import logging
import random
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from iic.engine import checkpoints
from iic.engine.context import Interrupted, Outcome
from iic.methods.iic.method import train
from iic.records.checksums import BEFORE, CHECKPOINT, DAMAGED, SUMS, guarded
from iic.records.files import sha256_file
from iic.records.paths import RunPaths
from tests.engine.test_loop import same, signal_after
from tests.engine.tiny import context

SCHEDULE = {"snapshot_steps": [2, 35]}
LATER, EARLIER = 40, 30
"""Steps of the two checkpoints that are left: each epoch has 15."""
FIRST, SECOND = "snapshots/step00000002.npy", "snapshots/step00000035.npy"
FOLDER = RunPaths("test", "bars/iic", 0).scratch
PLACES = 16
"""Bits that are flipped of each file."""


@dataclass(frozen=True)
class Left:
    """A run that was stopped, and one that was not."""

    root: Path
    digests: dict[str, int]
    """Of the checkpoints left -> their steps."""
    undisturbed: Outcome


def trained(root: Path) -> Outcome:
    with guarded(root / FOLDER):
        return train(context(root, schedule=SCHEDULE))


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    """Do not change it."""
    root = tmp_path_factory.mktemp("left")
    with pytest.MonkeyPatch.context() as patch:
        signal_after(patch, LATER, signal.SIGTERM)
        with pytest.raises(Interrupted):
            trained(root)
    names = {CHECKPOINT: LATER, BEFORE: EARLIER}
    digests = {sha256_file(root / FOLDER / name): steps for name, steps in names.items()}
    assert len(digests) == 2
    return Left(root, digests, trained(tmp_path_factory.mktemp("undisturbed")))


@pytest.fixture
def root(left: Left, tmp_path: Path) -> Path:
    """A copy of what was left."""
    return Path(shutil.copytree(left.root, tmp_path / "root"))


def resumed_at(left: Left, root: Path, caplog: pytest.LogCaptureFixture) -> tuple[int, str]:
    """Steps of the checkpoint that the run would go on from, 0 for none; and the warnings."""
    caplog.clear()
    with caplog.at_level(logging.WARNING), guarded(root / FOLDER):
        state = checkpoints.load(root / FOLDER, "f" * 64, {})
    if state is None:
        assert not (root / FOLDER / CHECKPOINT).exists()
        return 0, caplog.text
    assert left.digests[sha256_file(root / FOLDER / CHECKPOINT)] == state.steps
    return state.steps, caplog.text


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def damage(*names: str) -> Callable[[Path], object]:
    return lambda folder: [flip(folder / name, 4001) for name in names]


def write(content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / CHECKPOINT).write_bytes(content)


def folder_in_place(folder: Path) -> None:
    (folder / CHECKPOINT).unlink()
    (folder / CHECKPOINT).mkdir()


NOT_WRITTEN = f"{CHECKPOINT}: not as it was written, by its SHA-256 in {SUMS}"
BELONGS = "which belongs to it, is missing or not as it was written"
DAMAGE: dict[str, tuple[Callable[[Path], object], int, str]] = {
    "nothing": (lambda folder: None, LATER, ""),
    "the checkpoint": (damage(CHECKPOINT), EARLIER, NOT_WRITTEN),
    "the one before": (damage(BEFORE), LATER, ""),
    "both": (damage(CHECKPOINT, BEFORE), 0, NOT_WRITTEN),
    "the second snapshot": (damage(SECOND), EARLIER, f"{CHECKPOINT}: '{SECOND}', {BELONGS}"),
    "the first snapshot": (damage(FIRST), 0, f"{CHECKPOINT}: '{FIRST}', {BELONGS}"),
    "a lost snapshot": (remove(SECOND), EARLIER, f"{CHECKPOINT}: '{SECOND}', {BELONGS}"),
    "a lost checkpoint": (remove(CHECKPOINT), EARLIER, f"{CHECKPOINT}: missing, as after a kill"),
    "a lost list": (remove(SUMS), 0, f"{CHECKPOINT}: without a checksum in {SUMS}"),
    "an empty checkpoint": (write(b""), EARLIER, NOT_WRITTEN),
    "another's file": (write(b"not a checkpoint"), EARLIER, NOT_WRITTEN),
    "a folder": (folder_in_place, EARLIER, NOT_WRITTEN),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_told_and_costs_the_steps_since_the_checkpoint_before(
    left: Left, root: Path, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    harm, steps, said = DAMAGE[case]
    harm(root / FOLDER)
    at, warned = resumed_at(left, root, caplog)
    assert at == steps and said in warned and bool(said) == bool(warned)
    assert ("starts anew" in warned) == (at == 0)
    # what was told once is mended: the next attempt finds nothing wrong
    assert resumed_at(left, root, caplog) == (at, "")


@pytest.mark.parametrize("case", ["nothing", "the checkpoint", "the second snapshot", "both"])
def test_whatever_was_damaged_the_run_ends_with_the_same_bytes(
    left: Left, root: Path, case: str
) -> None:
    harm, steps, _ = DAMAGE[case]
    harm(root / FOLDER)
    resumed = trained(root)
    same(left.undisturbed, resumed)
    assert resumed.sessions[-1].first_step == steps
    assert resumed.snapshots.keys() == left.undisturbed.snapshots.keys()
    for step, snapshot in resumed.snapshots.items():
        assert snapshot.tobytes() == left.undisturbed.snapshots[step].tobytes()


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        (CHECKPOINT, {EARLIER}),
        (BEFORE, {LATER}),
        (FIRST, {0}),
        (SECOND, {EARLIER}),
        (SUMS, {LATER, EARLIER, 0}),
    ],
)
def test_no_flipped_bit_is_trained_with(
    left: Left, root: Path, caplog: pytest.LogCaptureFixture, name: str, allowed: set[int]
) -> None:
    """Of the list, a bit may be of a line that nothing depends on any more."""
    bits = (root / FOLDER / name).stat().st_size * 8
    draw = random.Random(22)
    for bit in [0, bits - 1, *(draw.randrange(bits) for _ in range(PLACES))]:
        shutil.rmtree(root)
        shutil.copytree(left.root, root)
        flip(root / FOLDER / name, bit)
        at, warned = resumed_at(left, root, caplog)
        assert at in allowed, f"bit {bit}"
        assert (at == LATER) == (warned == ""), f"bit {bit}: {warned}"


def test_what_is_set_aside_is_kept_and_never_more_than_one_of_each(
    left: Left, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damage(CHECKPOINT)(root / FOLDER)
    broken = (root / FOLDER / CHECKPOINT).read_bytes()
    resumed_at(left, root, caplog)
    assert (root / FOLDER / (CHECKPOINT + DAMAGED)).read_bytes() == broken
    trained(root)
    expected = {CHECKPOINT, BEFORE, SUMS, CHECKPOINT + DAMAGED, "history.jsonl", "snapshots"}
    assert {path.name for path in (root / FOLDER).iterdir()} == expected
    assert len((root / FOLDER / SUMS).read_text().splitlines()) == 3 + len(
        SCHEDULE["snapshot_steps"]
    )


REPLACED = {
    "the list": (SUMS, CHECKPOINT),
    "the old checkpoint": (BEFORE, CHECKPOINT),
    "the new checkpoint": (CHECKPOINT, BEFORE),
}
"""What gets its name at that moment, and what must lie there: so it is the second checkpoint."""


@pytest.mark.parametrize("ended", [signal.SIGTERM, KeyboardInterrupt])
@pytest.mark.parametrize("moment", REPLACED)
def test_an_end_while_a_checkpoint_is_replaced(
    left: Left,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
    ended: signal.Signals | type[KeyboardInterrupt],
) -> None:
    """The exception stands for an abrupt end: nothing of the training goes on after it."""
    rename, (name, there) = Path.replace, REPLACED[moment]
    met = False

    def replace(self: Path, target: Path) -> Path:
        nonlocal met
        if not met and Path(target).name == name and (tmp_path / FOLDER / there).exists():
            met = True
            if not isinstance(ended, signal.Signals):
                raise ended
            signal.raise_signal(ended)
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        expected = Interrupted if isinstance(ended, signal.Signals) else ended
        with pytest.raises(expected):
            trained(tmp_path)
    assert met
    resumed = trained(tmp_path)
    same(left.undisturbed, resumed)
    assert resumed.sessions[-1].first_step == (31 if expected is Interrupted else 15)
