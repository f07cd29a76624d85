"""What docs/extending.md promises: a copy of the template and one row give a cell of a table."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from iic.params.errors import SettingsError
from iic.params.runs import plan
from tests.workflow.workflow_helpers import ROOT, append, iic, run, snakemake

TEXT = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
SECTION = TEXT.split("\n## A method")[1].split("\n## ")[0]
(COMMANDS,) = re.findall(r"```bash\n(.*?)```", SECTION, flags=re.DOTALL)
(ROW,) = re.findall(r"```yaml\n(.*?)```", SECTION, flags=re.DOTALL)
(MODULE,) = re.findall(r"method: (\S+)", ROW)
TABLE = Path("params/experiments/table_1.yaml")
RUN = "digits/agreement"


def cell(clone: Path) -> dict[str, str]:
    """The new row's cell at the paper's selection."""
    with (clone / "results/smoke/tables/table_1.csv").open(encoding="utf-8") as file:
        (found,) = (
            line
            for line in csv.DictReader(file)
            if (line["row"], line["column"], line["selection"])
            == ("Agreement", "digits", "as_published")
        )
    return found


def test_a_copy_and_a_row_are_a_cell_that_the_audit_follows(smoke_copy: Path) -> None:
    run(smoke_copy, "bash", "-ec", COMMANDS)
    append(smoke_copy / TABLE, f"\n{ROW}")
    said = snakemake(smoke_copy, "table_1", scale="smoke").said
    # nobody else's training is touched
    trained = set(re.findall(r"^Job \d+: (Training .+)\.$", said, flags=re.MULTILINE))
    assert trained == {"Training agreement on digits with seed 0"}
    found = cell(smoke_copy)
    assert found["status"] == "measured" and 10 <= float(found["ours_mean"]) <= 100
    folder = smoke_copy / "results/smoke/runs" / RUN / "seed0"
    assert {path.name for path in folder.iterdir()} > {"run.json", "history.jsonl"}
    snakemake(smoke_copy, scale="smoke")
    assert iic(smoke_copy, "audit", "--scale", "smoke").status == 0
    # dvc.yaml names no run
    iic(smoke_copy, "dvc", "sync", "--check")


def test_its_settings_are_checked_as_all_others(clone: Path) -> None:
    run(clone, "bash", "-ec", COMMANDS)
    append(clone / TABLE, "\n" + ROW.replace("k: 10", "kk: 10"))
    done = iic(clone, "status", "--scale", "smoke", expect=None)
    assert done.status == 1 and "unknown key 'kk'" in done.said


def test_without_the_folder_the_row_is_refused(clone: Path) -> None:
    append(clone / TABLE, f"\n{ROW}")
    with pytest.raises(SettingsError, match=f"there is no module '{MODULE}'"):
        plan("smoke", clone / "params")
