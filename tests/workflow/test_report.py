"""Snakemake's own report: every table, every figure and the audit, each with its caption."""

from __future__ import annotations

import html
import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest

from iic.params.runs import Plan, plan
from iic.records import paths
from tests.workflow.workflow_helpers import Finished, iic, snakemake


def captions(page: str) -> dict[str, str]:
    """Path of each result in the report -> its caption, as plain text."""
    found = re.search(r"^\s*var results = (\{.*\});?$", page, re.MULTILINE)
    assert found is not None
    plain = {}
    for path, one in json.loads(found[1]).items():
        text = html.unescape(re.sub(r"<[^>]+>", "", one["caption"] or ""))
        plain[path] = " ".join(text.split())
    return plain


def assert_everything_has_its_caption(found: dict[str, str], whole: Plan) -> None:
    scale = whole.scale.name
    displays = {**whole.tables, **whole.listings, **whole.figures}
    places = {name: str(paths.table(scale, name)) for name in (*whole.tables, *whole.listings)}
    places |= {name: str(paths.figure(scale, name)) for name in whole.figures}
    assert set(found) == {*places.values(), str(paths.audit_report(scale))}
    for name, display in displays.items():
        caption = found[places[name]]
        assert caption.startswith(display.title), name
        assert " ".join(display.caption.split()[-4:]).rstrip(".") in caption, name
        assert f"Scale {scale}." in caption and f"{name}.sources.json" in caption
    assert f"The last audit of scale {scale}" in found[str(paths.audit_report(scale))]


def test_the_report_of_a_finished_scale_has_every_caption(smoke: Finished, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    snakemake(smoke.path, f"--report={page}", scale="smoke")
    text = page.read_text()
    assert_everything_has_its_caption(captions(text), plan("smoke"))
    plain = " ".join(re.sub(r"<[^>]+>", "", text).replace("\\n", " ").split())
    assert "Reproduction of Invariant Information Clustering for Unsupervised" in plain
    assert "at scale smoke" in plain and "iic audit --scale smoke follows them" in plain


@pytest.mark.long
def test_a_restored_clone_can_be_reported_on_as_an_archive(tiny_copy: Path, tmp_path: Path) -> None:
    shutil.rmtree(tiny_copy / ".snakemake")
    iic(tiny_copy, "restore", "--scale", "tiny")
    archive = tmp_path / "report.zip"
    snakemake(tiny_copy, f"--report={archive}", scale="tiny")
    with zipfile.ZipFile(archive) as zipped:
        (page,) = [name for name in zipped.namelist() if name.endswith(".html")]
        found = captions(zipped.read(page).decode())
    table = str(paths.table("tiny", "table_1"))
    assert set(found) == {table, str(paths.audit_report("tiny"))}
    assert "Unsupervised image clustering" in found[table] and "Scale tiny." in found[table]
