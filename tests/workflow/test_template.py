"""What docs/extending.md promises: a copy of the template and one row give a cell of a table."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from iic.params.errors import SettingsError
from iic.params.runs import load_plan
from tests.workflow.workflow_helpers import ROOT, append, dvc, edit, iic, planned, run, snakemake

TEXT = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
(COMMANDS,) = re.findall(r"```bash\n(.*?)```", TEXT, flags=re.DOTALL)
ROW, OWN_TABLE, FIGURE, OWN_SCALE, _ = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)
(MODULE,) = re.findall(r"method: (\S+)", ROW)
TABLE = Path("params/experiments/table_1.yaml")


def cell(clone: Path, table: str) -> dict[str, str]:
    """The new row's cell, of the model that is picked without labels."""
    with (clone / f"results/smoke/tables/{table}.csv").open(encoding="utf-8") as file:
        (found,) = (
            line
            for line in csv.DictReader(file)
            if (line["row"], line["column"], line["selection"])
            == ("Agreement", "digits", "label_free")
        )
    return found


def test_a_copy_and_a_row_are_a_cell_that_the_audit_follows(smoke_copy: Path) -> None:
    """And so are a table and a figure of the same run, with no line in any scale."""
    run(smoke_copy, "bash", "-ec", COMMANDS)
    append(smoke_copy / TABLE, f"\n{ROW}")
    (smoke_copy / "params/experiments/own_table.yaml").write_text(OWN_TABLE, encoding="utf-8")
    edit(smoke_copy / "params/figures.yaml", "\nfigures:\n", f"\nfigures:\n{FIGURE}\n")
    said = snakemake(smoke_copy, scale="smoke").said
    # nobody else's training is touched
    trained = set(re.findall(r"left\] (\S+): trained", said))
    assert trained == {"digits/agreement/seed0"}
    for name in ("table_1", "own_table"):
        found = cell(smoke_copy, name)
        assert found["status"] == "measured" and 10 <= float(found["ours_mean"]) <= 100
    assert (smoke_copy / "results/smoke/figures/own_curves.svg").is_file()
    assert iic(smoke_copy, "audit", "--scale", "smoke").status == 0


def test_a_scale_of_its_own_is_one_file(clone: Path) -> None:
    run(clone, "bash", "-ec", COMMANDS)
    append(clone / TABLE, f"\n{ROW}")
    (clone / "params/experiments/own_table.yaml").write_text(OWN_TABLE, encoding="utf-8")
    edit(clone / "params/figures.yaml", "\nfigures:\n", f"\nfigures:\n{FIGURE}\n")
    (clone / "params/scales/own_scale.yaml").write_text(OWN_SCALE, encoding="utf-8")
    iic(clone, "dvc", "sync")
    assert "tables@own_scale" in dvc(clone, "stage", "list", "--name-only").said
    jobs = planned(clone, scale="own_scale")
    for seed in (0, 1):
        assert f"Training agreement on digits with seed {seed}." in jobs


def test_its_settings_are_checked_as_all_others(clone: Path) -> None:
    run(clone, "bash", "-ec", COMMANDS)
    append(clone / TABLE, "\n" + ROW.replace("k: 10", "kk: 10"))
    done = iic(clone, "status", "--scale", "smoke", expect=None)
    assert done.status == 1 and "unknown key 'kk'" in done.said


def test_without_the_folder_the_row_is_refused(clone: Path) -> None:
    append(clone / TABLE, f"\n{ROW}")
    with pytest.raises(SettingsError, match=f"there is no module '{MODULE}'"):
        load_plan("smoke", clone / "params")
