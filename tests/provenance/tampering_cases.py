"""Every way of tampering that the audit has to see: what is done, and what has to be named.

The first half is generated: each kind of file, spoilt in each way. The second half are the acts of
somebody who knows the code: receipts that are sealed again, files that are exchanged.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from iic.records.files import read_record
from iic.records.receipt import Receipt
from tests.conftest import SCALE
from tests.provenance.audit_helpers import (
    ARTIFACTS,
    RESULTS,
    RUNS,
    TABLE,
    edit_json,
    flip,
)

Part = Literal["files", "metrics", "rebuild", "drift", "cross", "inference", "all"]


@dataclass(frozen=True)
class Case:
    """One act of tampering.

    Args:
        name: What is done.
        act: Does it, in the working directory.
        path: What has to be named.
        kinds: Any of these is right.
        words: What the message has to say.
        part: Which part of the audit sees it; the quick one wherever that is enough.
        level: Of the finding.
        also: Others that have to be named, by path and kind.
        alone: Whether no other file may be named.
    """

    name: str
    act: Callable[[], object]
    path: Path
    kinds: tuple[str, ...]
    words: tuple[str, ...] = ()
    part: Part = "files"
    level: str = "failure"
    also: tuple[tuple[Path, str], ...] = ()
    alone: bool = False


IIC, KMEANS = RUNS / "iic/seed0", RUNS / "kmeans/seed0"
OTHER = RUNS / "kmeans/seed1"
FIGURE = RESULTS / "figures/figure_3.svg"
RAW, PREPARED = Path("data/raw/digits"), Path("data/prepared/digits")
SOURCES = TABLE.with_suffix(".sources.json")

# kind of file -> one of it, and another of the same kind that may be put in its place
FILES: dict[str, tuple[Path, Path]] = {
    "assignments": (IIC / "assignments.parquet", KMEANS / "assignments.parquet"),
    "history": (IIC / "history.jsonl", KMEANS / "history.jsonl"),
    "evaluation": (IIC / "evaluation.json", KMEANS / "evaluation.json"),
    "weights": (ARTIFACTS / "iic/seed0/weights.safetensors",
                ARTIFACTS / "random/seed0/weights.safetensors"),
    "probabilities": (ARTIFACTS / "iic/seed0/probabilities.parquet",
                      ARTIFACTS / "random/seed0/probabilities.parquet"),
    "snapshots": (ARTIFACTS / "iic/seed0/snapshots.parquet",
                  ARTIFACTS / "iic/seed0/probabilities.parquet"),
    "pixel counts": (RESULTS / "runs/potsdam3_standin/iic/seed0/assignments.parquet",
                     RESULTS / "runs/cocostuff3_standin/iic/seed0/assignments.parquet"),
    "csv": (TABLE, TABLE.with_name("table_2.csv")),
    "md": (TABLE.with_suffix(".md"), TABLE.with_name("table_2.md")),
    "tex": (TABLE.with_suffix(".tex"), TABLE.with_name("table_2.tex")),
    "sources of cells": (SOURCES, TABLE.with_name("table_2.sources.json")),
    "listing": (TABLE.with_name("supp_table_1.csv"), TABLE.with_name("supp_table_2.csv")),
    "svg": (FIGURE, FIGURE.with_name("figure_2.svg")),
    "png": (FIGURE.with_suffix(".png"), FIGURE.with_name("figure_2.png")),
    "sources of series": (FIGURE.with_suffix(".sources.json"),
                          FIGURE.with_name("figure_2.sources.json")),
    "raw data": (RAW / "digits.csv.gz", Path("data/raw/stl10_standin/files.json")),
    "raw manifest": (RAW / "files.json", Path("data/raw/stl10_standin/files.json")),
    "images": (PREPARED / "images.npy", PREPARED / "labels.npy"),
    "labels": (PREPARED / "labels.npy", PREPARED / "images.npy"),
    "prepared manifest": (PREPARED / "data.json", Path("data/prepared/stl10_standin/data.json")),
}  # fmt: skip
RECEIPTS: dict[str, tuple[Path, Path]] = {
    "training": (IIC / "run.json", OTHER / "run.json"),
    "evaluation": (IIC / "evaluation.run.json", OTHER / "evaluation.run.json"),
    "table": (TABLE.with_suffix(".run.json"), TABLE.with_name("table_2.run.json")),
    "figure": (FIGURE.with_suffix(".run.json"), FIGURE.with_name("figure_2.run.json")),
    "download": (RAW / "files.run.json", Path("data/raw/stl10_standin/files.run.json")),
    "preparation": (PREPARED / "data.run.json",
                    Path("data/prepared/stl10_standin/data.run.json")),
}  # fmt: skip
HANG_ON_IT = {
    "training": ((RECEIPTS["evaluation"][0], "chain"),),
    "evaluation": ((SOURCES, "chain"), (RECEIPTS["table"][0], "chain")),
}
"""Receipts that are themselves broken where one is missing."""
EDITED: dict[str, Any] = {
    "rule": "draw", "wildcards": {"scale": SCALE}, "command": ["iic"], "inputs": [], "parents": [],
    "outputs": [], "seed": 5, "precision": "float16", "deterministic": False, "stand_in": True,
    "outcome": {}, "sessions": [], "settings_sha256": "0" * 64, "seal": "",
}  # fmt: skip


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def extend(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def generated() -> Iterator[Case]:
    """Each kind of file and receipt, spoilt in each way."""
    spoil: dict[str, Callable[[Path], object]] = {
        "with a bit flipped": flip, "cut to half": cut, "with a byte too many": extend,
        "emptied": lambda path: path.write_bytes(b""),
    }  # fmt: skip
    ways = list(spoil.items())
    for number, (what, (path, twin)) in enumerate(FILES.items()):
        # every way for some, two ways for each: a hash does not know one from the other
        for how, act in (ways[0], ways[1 + number % 3]):
            yield Case(f"{what} {how}", _on(act, path), path, ("altered",), alone=True)
        words = () if twin.parent == path.parent == PREPARED else ("it has the content of",)
        yield Case(f"{what} replaced by another", _copy(twin, path), path, ("altered",), words)
        # what lies outside git may be absent: that is a note, and no tampering
        if path.is_relative_to(RESULTS) and not path.is_relative_to(RESULTS / "artifacts"):
            yield Case(f"{what} deleted", path.unlink, path, ("missing",))
    for what, (path, twin) in RECEIPTS.items():
        for how, act in spoil.items():
            yield Case(f"receipt of a {what} {how}", _on(act, path), path, ("altered", "schema"))
        yield Case(f"receipt of a {what} replaced by another", _copy(twin, path), path,
                   ("misplaced",))  # fmt: skip
        yield Case(f"receipt of a {what} deleted", path.unlink, path, ("missing",),
                   ("nothing vouches for",), also=HANG_ON_IT.get(what, ()))  # fmt: skip
    for key, value in EDITED.items():
        path = RECEIPTS["training"][0]
        yield Case(f"{key} of a receipt edited", _set(path, key, value), path, ("altered",),
                   ("edited after it was written",))  # fmt: skip
    inner = {
        ("environment", "python"): "3.99.0", ("timing", "seconds"): 1e6,
        ("code", "commit"): "0" * 40,
    }  # fmt: skip
    for (key, part), value in inner.items():
        path = RECEIPTS["training"][0]
        yield Case(f"{key}.{part} of a receipt edited", _set_in(path, key, part, value), path,
                   ("altered",), ("does not match its seal",))  # fmt: skip


def _on(act: Callable[[Path], object], path: Path) -> Callable[[], object]:
    return lambda: act(path)


def _copy(source: Path, target: Path) -> Callable[[], object]:
    return lambda: shutil.copy(source, target)


def _set(path: Path, key: str, value: Any) -> Callable[[], object]:
    return lambda: edit_json(path, lambda content: content.update({key: value}))


def _set_in(path: Path, key: str, part: str, value: Any) -> Callable[[], object]:
    return lambda: edit_json(path, lambda content: content[key].update({part: value}))


CASES: list[Case] = list(generated())


def case(
    name: str, path: Path, kind: str, *words: str, part: Part = "files", level: str = "failure",
    also: tuple[tuple[Path, str], ...] = (),
) -> Callable[[Callable[[], object]], Callable[[], object]]:  # fmt: skip
    """Add the decorated act to the cases."""

    def add(act: Callable[[], object]) -> Callable[[], object]:
        CASES.append(Case(name, act, path, (kind,), words, part, level, also, kind == "orphan"))
        return act

    return add


def receipt(path: Path) -> Receipt:
    return read_record(path, Receipt)
