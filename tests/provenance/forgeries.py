"""Tampering by somebody who knows the code: receipts sealed again, files exchanged, clones edited.

Importing this module adds its cases to those of `tampering_cases`.
"""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from typing import Any

from iic.provenance import fingerprint
from iic.records.files import sha256_json
from tests.conftest import SCALE
from tests.provenance.audit_helpers import (
    ARTIFACTS,
    RESULTS,
    RUNS,
    TABLE,
    edit_json,
    flip,
    forge,
    replace,
    swap,
    vouch,
)
from tests.provenance.tampering_cases import (
    FIGURE,
    IIC,
    KMEANS,
    OTHER,
    PREPARED,
    RAW,
    SOURCES,
    case,
    receipt,
)

EVALUATED = IIC / "evaluation.run.json"
STL10 = RESULTS / "runs/stl10_standin"
LAST = "checkpoints", "last"


def better(content: dict[str, Any]) -> None:
    content["selections"]["label_free"]["acc"] = 99.0


def edit_cell() -> None:
    lines = TABLE.read_text().splitlines(keepends=True)
    row = next(index for index, line in enumerate(lines) if ",measured," in line)
    fields = lines[row].split(",")
    fields[lines[0].split(",").index("ours_mean")] = "99.90"
    lines[row] = ",".join(fields)
    TABLE.write_text("".join(lines))


@case("a cell edited", TABLE, "rebuild", "99.90", part="rebuild")
def _() -> None:
    edit_cell()


@case("a cell edited, its receipt forged to match", TABLE, "rebuild", "99.90", part="all")
def _() -> None:
    edit_cell()
    vouch(TABLE)


@case("a cell of the md edited, its receipt forged", TABLE.with_suffix(".md"), "rebuild",
      part="rebuild")  # fmt: skip
def _() -> None:
    replace(TABLE.with_suffix(".md"), "1", "7")
    vouch(TABLE.with_suffix(".md"))


@case("a cell of the tex edited, its receipt forged", TABLE.with_suffix(".tex"), "rebuild",
      part="rebuild")  # fmt: skip
def _() -> None:
    replace(TABLE.with_suffix(".tex"), "1", "7")
    vouch(TABLE.with_suffix(".tex"))


@case("a csv with a column renamed, its receipt forged", TABLE, "schema", "columns")
def _() -> None:
    replace(TABLE, "ours_mean", "our_mean")
    vouch(TABLE)


@case("an evaluation edited, its receipt forged", KMEANS / "evaluation.json", "metrics",
      "selections.label_free.acc: 99.0 written", part="metrics")  # fmt: skip
def _() -> None:
    edit_json(KMEANS / "evaluation.json", better)
    vouch(KMEANS / "evaluation.json")


@case("an evaluation edited, receipt forged: the table knows", SOURCES, "chain",
      "was made from another")  # fmt: skip
def _() -> None:
    edit_json(KMEANS / "evaluation.json", better)
    vouch(KMEANS / "evaluation.json")


@case("assignments cut short, their receipt forged", IIC / "evaluation.json", "metrics",
      "cannot be recomputed", part="metrics")  # fmt: skip
def _() -> None:
    path = IIC / "assignments.parquet"
    path.write_bytes(path.read_bytes()[:1000])
    vouch(path)


@case("assignments of another seed, their receipt forged", EVALUATED.parents[2] /
      "kmeans/seed0/evaluation.run.json", "chain", "was made from another")  # fmt: skip
def _() -> None:
    shutil.copy(OTHER / "assignments.parquet", KMEANS / "assignments.parquet")
    vouch(KMEANS / "assignments.parquet")


@case("weights edited, their receipt forged", EVALUATED, "chain", "was made from another")
def _() -> None:
    flip(ARTIFACTS / "iic/seed0/weights.safetensors")
    vouch(ARTIFACTS / "iic/seed0/weights.safetensors")


@case("a history with a field missing, its receipt forged", IIC / "history.jsonl", "schema",
      "line 1: steps", also=((EVALUATED, "chain"),))  # fmt: skip
def _() -> None:
    path = IIC / "history.jsonl"
    first, _, rest = path.read_text().partition("\n")
    entry = json.loads(first)
    del entry["steps"]
    path.write_text(f"{json.dumps(entry)}\n{rest}")
    vouch(path)


@case("losses in a receipt edited, sealed again", EVALUATED, "chain", "was made from another")
def _() -> None:
    outcome = receipt(IIC / "run.json").outcome
    outcome[LAST[0]][LAST[1]]["losses"] = [0.0]
    forge(IIC / "run.json", outcome=outcome)


@case("an outcome of no schema, sealed again", IIC / "run.json", "schema", "outcome: steps")
def _() -> None:
    outcome = receipt(IIC / "run.json").outcome
    forge(IIC / "run.json", outcome=outcome | {"steps": "many"})


@case("settings in a receipt edited, sealed again", IIC / "run.json", "altered",
      "not the hash of its parts", "not the hash of the settings",
      also=((EVALUATED, "chain"),))  # fmt: skip
def _() -> None:
    recorded = receipt(IIC / "run.json").fingerprint
    settings = recorded.settings | {"sub_heads": 50}
    forge(IIC / "run.json", fingerprint=recorded.model_copy(update={"settings": settings}))


@case("settings in a receipt edited, all hashes forged", IIC / "run.json", "stale",
      "settings sub_heads: 50 ->", part="drift", level="drift")  # fmt: skip
def _() -> None:
    recorded = receipt(IIC / "run.json").fingerprint
    settings = recorded.settings | {"sub_heads": 50}
    value = fingerprint.value_of("train", recorded.code, settings, recorded.data, None)
    forge(
        IIC / "run.json",
        fingerprint=recorded.model_copy(update={"settings": settings, "value": value}),
        settings_sha256=sha256_json(settings),
    )


@case("checksums of raw data in a receipt edited, all hashes forged", IIC / "run.json", "chain",
      "was made from another data/raw/digits/digits.csv.gz")  # fmt: skip
def _() -> None:
    recorded = receipt(IIC / "run.json").fingerprint
    data = dict.fromkeys(recorded.data, "1" * 64)
    value = fingerprint.value_of("train", recorded.code, recorded.settings, data, None)
    forge(IIC / "run.json", fingerprint=recorded.model_copy(update={"data": data, "value": value}))


@case("a receipt that names no raw data, all hashes forged", IIC / "run.json", "chain",
      "names no raw data")  # fmt: skip
def _() -> None:
    recorded = receipt(IIC / "run.json").fingerprint
    value = fingerprint.value_of("train", recorded.code, recorded.settings, {}, None)
    forge(IIC / "run.json", fingerprint=recorded.model_copy(update={"data": {}, "value": value}))


@case("the seed in a receipt edited, sealed again", IIC / "run.json", "altered", "seed is 5")
def _() -> None:
    forge(IIC / "run.json", seed=5)


for _name, _path, _parent in (
    ("training", IIC / "run.json", "data/prepared/digits/data.run.json"),
    ("evaluation", EVALUATED, str(IIC / "run.json")),
    ("table", TABLE.with_suffix(".run.json"), str(EVALUATED)),
    ("figure", FIGURE.with_suffix(".run.json"), str(EVALUATED)),
    ("preparation", PREPARED / "data.run.json", "data/raw/digits/files.run.json"),
):
    case(f"receipt without parents ({_name}), sealed again", _path, "chain",
         f"does not name its parent {_parent}")(
        lambda path=_path: forge(path, parents=[])  # type: ignore[misc]
    )  # fmt: skip
    case(f"receipt without inputs ({_name}), sealed again", _path, "chain",
         "but read none of its files")(
        lambda path=_path: forge(path, inputs=[])  # type: ignore[misc]
    )  # fmt: skip

for _name, _file in (("assignments", IIC / "assignments.parquet"), ("picture", FIGURE),
                     ("table", TABLE.with_suffix(".md"))):  # fmt: skip
    _beside = IIC / "run.json" if _name == "assignments" else _file.with_suffix(".run.json")
    case(f"{_name} that its receipt, sealed again, does not name", _file, "altered",
         "nothing vouches for it")(
        lambda path=_beside: forge(path, outputs=[])  # type: ignore[misc]
    )  # fmt: skip


@case("two seeds exchanged", KMEANS / "run.json", "misplaced",
      f"train {SCALE} digits/kmeans 1", f"train {SCALE} digits/kmeans 0",
      also=((OTHER / "run.json", "misplaced"),))  # fmt: skip
def _() -> None:
    for room in (RUNS, ARTIFACTS):
        swap(room / "kmeans/seed0", room / "kmeans/seed1")


@case("two runs exchanged, receipts rewritten for their new places", EVALUATED, "chain",
      "was made from another")  # fmt: skip
def _() -> None:
    first, other = IIC / "run.json", KMEANS / "run.json"
    wildcards = receipt(first).wildcards, receipt(other).wildcards
    swap(first, other)
    forge(first, wildcards=wildcards[0])
    forge(other, wildcards=wildcards[1])


@case("the run that a finetuning starts from, taken away", STL10 / "finetune/seed0/run.json",
      "chain", "iic_star-features/seed0/run.json is missing")  # fmt: skip
def _() -> None:
    (STL10 / "iic_star-features/seed0/run.json").unlink()


@case("other images under a receipt that vouches for them", IIC / "run.json", "chain",
      "was made from another")  # fmt: skip
def _() -> None:
    flip(PREPARED / "images.npy")
    vouch(PREPARED / "images.npy")


@case("other raw data under a receipt that vouches for them", RAW / "files.run.json", "chain",
      "is not the file of the catalogue")  # fmt: skip
def _() -> None:
    flip(RAW / "digits.csv.gz")
    vouch(RAW / "digits.csv.gz")


@case("a manifest of no schema, its receipt forged", PREPARED / "data.json", "schema", "count")
def _() -> None:
    edit_json(PREPARED / "data.json", lambda content: content.pop("count"))
    vouch(PREPARED / "data.json")


@case("a cell's sources led to another seed, receipt forged", SOURCES, "chain",
      "is of digits/kmeans seed 1, not of digits/kmeans seed 0")  # fmt: skip
def _() -> None:
    text = SOURCES.read_text()
    for name in ("evaluation.json", "evaluation.run.json"):
        text = text.replace(str(KMEANS / name), str(OTHER / name))
    SOURCES.write_text(text)
    vouch(SOURCES)


@case("sources of another table, receipt forged", SOURCES, "misplaced", "sources of table_2")
def _() -> None:
    shutil.copy(SOURCES.with_name("table_2.sources.json"), SOURCES)
    vouch(SOURCES)


@case("sources of no schema, receipt forged", SOURCES, "schema", "cells")
def _() -> None:
    edit_json(SOURCES, lambda content: content.update(cells="none"))
    vouch(SOURCES)


@case("a figure's sources led to another run, receipt forged", FIGURE.with_suffix(".sources.json"),
      "chain")  # fmt: skip
def _() -> None:
    path = FIGURE.with_suffix(".sources.json")
    path.write_text(path.read_text().replace("digits/iic/", "digits/kmeans/"))
    vouch(path)


@case("seconds of a receipt negative", IIC / "run.json", "schema", "no job takes negative time")
def _() -> None:
    timing = receipt(IIC / "run.json").timing
    forge(IIC / "run.json", timing=timing.model_copy(update={"seconds": -5.0}))


@case("end of a receipt before its start", KMEANS / "run.json", "schema", "before timing.start")
def _() -> None:
    timing = receipt(KMEANS / "run.json").timing
    backwards = {"start": timing.end, "end": timing.start - timedelta(seconds=1)}
    forge(KMEANS / "run.json", timing=timing.model_copy(update=backwards))


@case("a session that ends before it starts", IIC / "run.json", "schema", "sessions.0 took -")
def _() -> None:
    (session,) = receipt(IIC / "run.json").sessions
    ended = session.start - timedelta(minutes=1)
    forge(IIC / "run.json", sessions=[session.model_copy(update={"end": ended})])


@case("a time without a zone", IIC / "run.json", "schema", "timing.start")
def _() -> None:
    start = receipt(IIC / "run.json").timing.start.replace(tzinfo=None).isoformat()
    edit_json(IIC / "run.json", lambda content: content["timing"].update(start=start))
