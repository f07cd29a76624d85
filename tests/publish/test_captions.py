from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import pytest

from iic.params.runs import plan

CLONE = Path(__file__).parents[2]
PLAN = plan("mini", CLONE / "params")
CASES = [
    *(("table", name) for name in (*PLAN.tables, *PLAN.listings)),
    *(("figure", name) for name in PLAN.figures),
    ("workflow", ""),
    ("audit", ""),
]


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize(("file", "name"), CASES)
def test_captions_of_the_snakemake_report_are_plain_paragraphs(file: str, name: str) -> None:
    jinja2 = pytest.importorskip("jinja2")
    core = pytest.importorskip("docutils.core")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    text = environment.from_string(
        (CLONE / f"workflow/report/{file}.rst").read_text(encoding="utf-8")
    ).render(
        snakemake=SimpleNamespace(
            config={"scale": "mini", "captions": PLAN.captions},
            wildcards=SimpleNamespace(name=name),
        )
    )
    html = core.publish_parts(text, writer_name="html", settings_overrides={"halt_level": 2})
    body = html["body"]
    assert "mini" in body
    # a line indented by accident becomes a definition list or a quotation
    assert "<dl" not in body and "<blockquote" not in body
    # the whole caption, with its own signs
    if name:
        display = (PLAN.tables | PLAN.listings | PLAN.figures)[name]
        shown = unescape(re.sub(r"<[^>]+>", "", body))
        assert f"{display.title}. {display.caption}" in " ".join(shown.split())
