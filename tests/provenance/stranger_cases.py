"""Files that no job makes, and receipts that name what is not theirs to name.

Importing this module adds its cases to those of `tampering_cases`.
"""

from __future__ import annotations

import shutil

from iic.records.files import sha256_file
from iic.records.receipt import FileRecord
from tests.provenance.audit_helpers import (
    ARTIFACTS,
    RUNS,
    TABLE,
    edit_json,
    forge,
    replace,
)
from tests.provenance.tampering_cases import (
    FIGURE,
    IIC,
    case,
    receipt,
)


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
