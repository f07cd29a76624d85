"""docs/faults.md cannot rot: the tests and verbs that it names exist."""

from __future__ import annotations

import re
from pathlib import Path

from iic.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/faults.md").read_text(encoding="utf-8")


def test_the_tests_that_the_page_names_exist_and_those_called_long_are() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", PAGE))
    assert len(named) >= 10
    for name in named:
        assert (ROOT / name).is_file(), name
    for line in PAGE.splitlines():
        if "*long*)" in line:
            (name,) = re.findall(r"`(tests/[\w/]+\.py)` \([^)]*\*long\*\)", line)
            assert "@pytest.mark.long" in (ROOT / name).read_text(), name


def test_every_fault_has_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")][2:]
    assert f"The table has {len(rows)} faults" in PAGE
    for row in rows:
        assert re.search(r"`tests/[\w/]+\.py`", row.rstrip("| ").split(" | ")[-1]), row


def test_the_verbs_that_the_page_names_exist() -> None:
    verbs = {(one.name or one.callback.__name__) for one in app.registered_commands if one.callback}
    named = set(re.findall(r"`iic (\w+)", PAGE))
    assert {"tabulate", "status"} <= named <= verbs
