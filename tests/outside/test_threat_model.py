from __future__ import annotations

import re

from tests.data.standin_helpers import ROOT
from tests.outside.test_escaping import FORMULAS, TEXTS
from tests.outside.test_fuzz import FORMATS
from tests.outside.test_hostile_files import CASES
from tests.outside.test_hostile_servers import ANSWERS, FOLDERS
from tests.provenance.test_git import LIES, TRICKS
from tests.provenance.test_signing import CASES as SIGNATURES
from tests.provenance.test_unreadable import ROWS


def test_the_page_counts_what_is_tested() -> None:
    text = (ROOT / "docs/threat-model.md").read_text(encoding="utf-8")
    counts = [int(number) for number in re.findall(r"\| (\d+) \| `tests/", text)]
    outside = (CASES, ANSWERS, FOLDERS, [*TEXTS, *FORMULAS], FORMATS)
    tables = (*outside, TRICKS, LIES, ROWS, SIGNATURES)
    assert counts == [len(table) for table in tables]
