"""Files that no job makes, and receipts that name what is not theirs to name.

Importing this module adds its cases to those of `tampering_cases`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from iic.records.files import sha256_file
from iic.records.receipt import FileRecord
from tests.provenance.audit_helpers import (
    ARTIFACTS,
    RESULTS,
    RUNS,
    TABLE,
    edit_json,
    forge,
    replace,
    vouch,
)
from tests.provenance.tampering_cases import (
    FIGURE,
    IIC,
    case,
    receipt,
)

LOOK_ALIKE = "t\u0430ble_1.csv"
"""With a Cyrillic letter."""


@case("results of a seed that the scale does not have", RUNS / "iic/seed9", "orphan",
      "no job of scale 'smoke' makes")  # fmt: skip
def _() -> None:
    shutil.copytree(IIC, RUNS / "iic/seed9")


@case("a table that the scale does not have", TABLE.with_name("table_9.csv"), "orphan")
def _() -> None:
    shutil.copy(TABLE, TABLE.with_name("table_9.csv"))


@case("weights that no run made", ARTIFACTS / "iic/seed0/more.safetensors", "orphan")
def _() -> None:
    (ARTIFACTS / "iic/seed0/more.safetensors").write_bytes(b"x")


@case("a file left half-written", RUNS / "iic/seed0/.history.jsonl.x.part", "orphan")
def _() -> None:
    (RUNS / "iic/seed0/.history.jsonl.x.part").write_bytes(b"x")


@case("a stranger's file that a receipt vouches for", FIGURE.with_name("evil.bin"), "orphan",
      "makes no such file")  # fmt: skip
def _() -> None:
    stranger = FIGURE.with_name("evil.bin")
    stranger.write_bytes(b"anything")
    place = FIGURE.with_suffix(".run.json")
    own = receipt(place).outputs
    digest = sha256_file(stranger)
    forge(place, outputs=[*own, FileRecord(path=str(stranger), sha256=digest, size=8)])


@case("an output outside the clone", FIGURE.with_suffix(".run.json"), "schema",
      "leads out of the clone")  # fmt: skip
def _() -> None:
    place = FIGURE.with_suffix(".run.json")
    replace(place, f'"path": "{FIGURE}"', '"path": "results/../../../dev/zero"')


@case("an option in place of a commit", FIGURE.with_suffix(".run.json"), "schema", "commit")
def _() -> None:
    place = FIGURE.with_suffix(".run.json")
    edit_json(place, lambda content: content["code"].update(commit="--output=canary"))


@case("a table in a folder of no room", RESULTS / "tabels/table_1.csv", "orphan")
def _() -> None:
    (RESULTS / "tabels").mkdir()
    shutil.copy(TABLE, RESULTS / "tabels/table_1.csv")


@case("a hidden file", TABLE.with_name(".table_1.csv"), "orphan", "(hidden)")
def _() -> None:
    shutil.copy(TABLE, TABLE.with_name(".table_1.csv"))


@case("a name that looks like another", TABLE.with_name(LOOK_ALIKE), "orphan", r"t\u0430ble_1.csv")
def _() -> None:
    shutil.copy(TABLE, TABLE.with_name(LOOK_ALIKE))


@case(
    "a result that is a link out of the clone", IIC / "history.jsonl", "unreadable", "is a link to"
)
def _() -> None:
    content = (IIC / "history.jsonl").read_bytes()
    outside = Path("..").resolve() / "history.jsonl"
    outside.write_bytes(content)
    (IIC / "history.jsonl").unlink()
    (IIC / "history.jsonl").symlink_to(outside)


@case("a folder that is a link", RESULTS / "tables/more", "unreadable", "is a link to")
def _() -> None:
    (RESULTS / "tables/more").symlink_to(RUNS.resolve())


@case("a key of a receipt given twice", IIC / "run.json", "schema", "key 'rule' is given twice")
def _() -> None:
    replace(IIC / "run.json", '"rule": "train"', '"rule": "draw",\n  "rule": "train"')


@case("a number of a receipt that is none", IIC / "run.json", "schema", "NaN is no number")
def _() -> None:
    edit_json(IIC / "run.json", lambda content: content["outcome"].update(steps=float("nan")))


@case("something after the end of a receipt", IIC / "run.json", "schema", "trailing characters")
def _() -> None:
    path = IIC / "run.json"
    path.write_text(path.read_text() + "{}")


@case(
    "a key of a history given twice", IIC / "history.jsonl", "schema", "key 'epoch' is given twice"
)
def _() -> None:
    replace(IIC / "history.jsonl", '"epoch": 0', '"epoch": 7, "epoch": 0')
    vouch(IIC / "history.jsonl")
