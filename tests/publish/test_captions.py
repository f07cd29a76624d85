from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from iic.params.experiments import Displays
from iic.params.loading import read_yaml, validate

CLONE = Path(__file__).parents[2]
FILE = CLONE / "params/figures.yaml"
DISPLAYS = validate(Displays, read_yaml(FILE), str(FILE))
TABLES = [path.stem for path in (CLONE / "params/experiments").glob("*.yaml")]
CASES = [
    *(("table", name) for name in (*TABLES, *DISPLAYS.listings)),
    *(("figure", name) for name in DISPLAYS.figures),
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
        snakemake=SimpleNamespace(config={"scale": "mini"}, wildcards=SimpleNamespace(name=name))
    )
    html = core.publish_parts(text, writer_name="html", settings_overrides={"halt_level": 2})
    body = html["body"]
    assert "mini" in body
    # a line indented by accident becomes a definition list or a quotation
    assert "<dl" not in body and "<blockquote" not in body
    # the fallback for a display without a caption of its own is its bare name
    assert not name or f"<p>{name}</p>" not in body
