"""Numbers that README and docs quote are those of the results."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from iic.params.runs import load_plan
from iic.provenance.audit.marks import Marks, differences
from iic.provenance.audit.report import Finding
from iic.provenance.audit.tree import Tree
from iic.publish.marked import PARTS
from tests.conftest import ROOT
from tests.provenance.audit_helpers import named

HEADS = "| method | ours | verdict |\n|---|---:|---|\n"
README = Path("README.md")


@pytest.mark.parametrize(
    ("quoted", "said"),
    [
        (HEADS + "| IIC | **97.61** | inconclusive |\n\nof 9 trainings\n", []),
        (
            HEADS + "| IIC | **99.27** | reproduced |\n\nof 9 trainings\n",
            [
                "row IIC, column ours: **99.27** there, **97.61** by the results",
                "row IIC, column verdict: reproduced there, inconclusive by the results",
            ],
        ),
        (
            HEADS + "| IIC | **97.61** | inconclusive |\n\nof 99 trainings\n",
            ["'of 99 trainings' there, 'of 9 trainings' by the results"],
        ),
        (
            HEADS + "| IIC | **97.61** |\n\nof 9 trainings\n",
            ["'| IIC | **97.61** |' there, '| IIC | **97.61** | inconclusive |' by the results"],
        ),
    ],
)
def test_a_difference_is_named_by_row_and_column(quoted: str, said: list[str]) -> None:
    written = HEADS + "| IIC | **97.61** | inconclusive |\n\nof 9 trainings\n"
    assert list(differences(quoted, written)) == said


def test_a_number_edited_by_hand_is_a_failure(laptop: Path) -> None:
    def found(*, follows: bool = False) -> tuple[list[Finding], int]:
        marks = Marks(Tree(load_plan("laptop")))
        return list(marks.check(follows=follows)), marks.written

    assert found() == ([], 0)  # no pages
    for page in {part.page for part in PARTS.values()}:
        page.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / page, page)
    assert found() == ([], sum(part.scale == "laptop" for part in PARTS.values()))
    text = README.read_text(encoding="utf-8")
    number = text.split("| AE | ")[1].split("**")[1]
    README.write_text(text.replace(f"**{number}**", "**99.99**", 1), encoding="utf-8")
    words = ("part reference", "row AE, column ours", f"**99.99** there, **{number}** by")
    named(found()[0], README, "rebuild", *words)
    named(found(follows=True)[0], README, "rebuild", *words, level="drift")
    Path("results/laptop/tables/table_1.csv").write_text("nothing\n")
    named(found()[0], README, "rebuild", "was not written again", level="note")
