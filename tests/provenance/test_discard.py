"""What an audit clears away before it looks."""

from __future__ import annotations

import fcntl
from pathlib import Path

from iic.provenance.audit.run import discard
from iic.records.paths import audit_page, audit_report


def test_what_killed_audits_left_goes_before_it_is_found_among_the_results(tmp_path: Path) -> None:
    report, page = tmp_path / audit_report("smoke"), tmp_path / audit_page("smoke")
    report.parent.mkdir(parents=True)
    left = [path.with_name(f".{path.name}.0123abcd.part") for path in (report, page)]
    # of an audit that is being written just now, and of another file
    living = report.with_name(f".{report.name}.89abcdef.part")
    other = report.with_name(".report.html.0123abcd.part")
    for path in (report, page, *left, living, other):
        path.touch()
    with living.open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        discard("smoke", tmp_path)
        assert sorted(report.parent.iterdir()) == sorted([living, other])
