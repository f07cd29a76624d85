"""Changes of code, settings, catalogue and lock file, and acceptances that nobody can give.

Importing this module adds its cases to those of `tampering_cases`.
"""

from __future__ import annotations

from pathlib import Path

from iic.provenance import fingerprint, jobs
from tests.conftest import SCALE
from tests.edits import change
from tests.provenance.audit_helpers import (
    TABLE,
    forge_acceptance,
    replace,
)
from tests.provenance.tampering_cases import (
    IIC,
    KMEANS,
    RAW,
    case,
)

PUBLISHED = Path("params/published/table_1.csv")


def change_restarts() -> None:
    replace(Path(f"params/scales/{SCALE}.yaml"), "restarts: 1", "restarts: 2")
    fingerprint.forget()


@case("a setting in params changed", KMEANS / "run.json", "stale", "settings restarts: 1 -> 2",
      part="drift", level="drift")  # fmt: skip
def _() -> None:
    change_restarts()


@case("an acceptance forged across a change of settings", KMEANS / "run.json", "accepted",
      "no person can give", "settings restarts: 1 -> 2", part="drift")  # fmt: skip
def _() -> None:
    change_restarts()
    job = jobs.train(SCALE, "digits/kmeans", 0)
    forge_acceptance(KMEANS / "run.json", job, ["code iic.methods.kmeans.train changed"])


@case("the lock file edited", Path("requirements.lock"), "environment", part="drift",
      level="drift")  # fmt: skip
def _() -> None:
    with Path("requirements.lock").open("a") as file:
        file.write("# edited\n")


@case("code of the engine edited", IIC / "run.json", "stale",
      "code iic.engine.loop.Loop.run changed", part="drift", level="drift")  # fmt: skip
def _() -> None:
    change(Path("iic/engine/loop.py"), "Loop.run")


@case("published numbers edited", TABLE.with_suffix(".run.json"), "stale", str(PUBLISHED),
      part="drift", level="drift")  # fmt: skip
def _() -> None:
    replace(PUBLISHED, "99.2", "99.3")


@case("the catalogue's checksum edited", RAW / "files.run.json", "stale", "digits.csv.gz",
      part="drift", level="drift")  # fmt: skip
def _() -> None:
    known = "09f66e6d"
    replace(Path("params/datasets.yaml"), known, "00000000")


@case("a code change of a table accepted by hand", TABLE.with_suffix(".run.json"), "stale",
      "iic.publish.markdown.to_markdown changed", part="drift", level="drift")  # fmt: skip
def _() -> None:
    change(Path("iic/publish/markdown.py"), "to_markdown")
    fingerprint.forget()
    job = jobs.tabulate(SCALE, "table_1")
    forge_acceptance(
        TABLE.with_suffix(".run.json"), job, ["code iic.publish.markdown.to_markdown changed"]
    )
