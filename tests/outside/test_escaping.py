"""Text from outside where it is shown: nothing in it is obeyed."""

from __future__ import annotations

import csv
import io
import json
import logging
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from rich.text import Text

from iic.cli.logs import VisibleFormatter
from iic.own.answers import write_table
from iic.own.items import Skipped
from iic.own.reading import write_skipped
from iic.params.escaping import cell, of_cell, quoted, visible
from iic.provenance.terminal import Terminal
from iic.publish.latex_text import escape
from iic.publish.pages.audit_view import AuditView, FindingView
from iic.publish.pages.render import render

TEXTS = {
    "a title": "\x1b]0;owned\x07",
    "a cleared screen": "\x1b[2J\x1b[H",
    "one byte for two": "\x9b2J",
    "a line written over": "bad\rgood",
    "letters taken back": "bad\b\b\bok",
    "from right to left": "run\u202egnp.exe",
    "isolated": "\u2066a\u2069",
    "another line": "a\u2028b",
    "invisible": "a\u200bb\ufeff",
    "tags": "a\U000e0041b",
    "half a letter": "a\ud800b",
    "nothing": "a\0b",
    "deleted": "a\x7fb",
    "a link": "\x1b]8;;file:///etc/passwd\x1b\\click\x1b]8;;\x1b\\",
}
FORMULAS = ("=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", "=cmd|' /C calc'!A0", "'=1", "''=1")


def harmless(text: str) -> bool:
    return all(sign.isprintable() or sign == "\n" for sign in text)


@pytest.mark.parametrize("name", TEXTS)
def test_in_every_form(name: str) -> None:
    text = TEXTS[name]
    assert harmless(visible(text)) and harmless(quoted(text))
    assert visible(visible(text)) == visible(text)
    # a terminal, by a log and by rich
    record = logging.LogRecord("iic", logging.ERROR, "", 0, "error: %s", (text,), None)
    assert VisibleFormatter("%(message)s").format(record) == f"error: {visible(text)}"
    shown = io.StringIO()
    console = Terminal(file=shown, force_terminal=True, soft_wrap=True, highlight=False)
    console.print(Text("first ", style="red").append(text))
    assert "\x1b[31mfirst" in shown.getvalue()
    assert harmless(shown.getvalue().replace("\x1b[31m", "").replace("\x1b[0m", ""))
    # LaTeX
    assert escape(text).isascii() and harmless(escape(text))
    # HTML
    page = render("audit.html.j2", audit=audit(f"<b>{text}")).decode()
    assert "<b>" not in page.partition("<main")[2]
    assert harmless(page.replace("\t", ""))


def audit(text: str) -> AuditView:
    finding = FindingView("failure", "schema", text, text, text)
    return AuditView(
        scale="smoke",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        verdict="failed",
        sentence=text,
        tone="bad",
        commit=text,
        dirty=False,
        checked={},
        findings=(finding,),
        more={text: text},
    )  # type: ignore[arg-type]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_computed(tmp_path: Path, text: str) -> None:
    assert cell(text).startswith("'") and of_cell(cell(text)) == text
    write_table(tmp_path / "a.csv", pd.DataFrame({"path": [text], "cluster": [-1]}))
    (row,) = csv.DictReader(io.StringIO((tmp_path / "a.csv").read_bytes().decode(), newline=""))
    assert row == {"path": cell(text), "cluster": "-1"}
    write_skipped(tmp_path / "b.csv", [Skipped(text, text)])
    (row,) = csv.DictReader((tmp_path / "b.csv").open(newline=""))
    assert row == {"path": cell(text), "reason": cell(text)}


def test_no_cell_begins_a_line(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", pd.DataFrame({"path": ["a\r=1", "b\n=1"]}))
    assert (tmp_path / "a.csv").read_bytes() == b'path\na\\r=1\n"b\n=1"\n'


def test_what_is_harmless_stays() -> None:
    for text in ("Größe: 5 µm → 日本語 🎉\n\tok", "'quoted'", "a-b", ""):
        assert visible(text) == of_cell(cell(text)) == cell(text) == text


def test_json_stays_json() -> None:
    content = {name: text for name, text in TEXTS.items() if name not in ("tags", "half a letter")}
    assert json.loads(visible(json.dumps(content, ensure_ascii=False))) == content


def test_a_quotation_is_one_line_and_short() -> None:
    assert quoted("a\nb\tc") == r"a\nb\tc"
    assert len(quoted("x" * 10_000_000)) == 500
