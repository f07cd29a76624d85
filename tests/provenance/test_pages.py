"""The report page as a job, the audit of it, and the audit's own page, on a finished smoke tree."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from typer.testing import CliRunner

from iic.cli.app import app
from iic.params.runs import load_plan
from iic.provenance import fingerprint, jobs
from iic.provenance.audit import page
from iic.provenance.audit.page import view, write_page
from iic.provenance.audit.report import AuditReport, Checked, Finding, Verdict, conclude
from iic.provenance.audit.run import audit
from iic.provenance.audit.tree import Tree
from iic.provenance.code import roots
from iic.provenance.why import why
from iic.publish.pages.render import render
from iic.records import paths
from iic.records.files import read_record, sha256_file
from iic.records.receipt import Code, Receipt
from iic.records.table import read_table
from tests.conftest import SCALE
from tests.pages.pages_helpers import HOSTILE, Element, parse

PAGE = Path(f"results/{SCALE}/report.html")
RECEIPT = PAGE.with_suffix(".run.json")
AUDIT = paths.audit_page(SCALE)
TABLE = paths.table(SCALE, "table_1")
SETTINGS = Path(f"params/scales/{SCALE}.yaml")
LOCK = Path("requirements.lock")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ALTERED = (
    PAGE,
    RECEIPT,
    AUDIT,
    AUDIT.with_suffix(".json"),
    SETTINGS,
    LOCK,
    *(TABLE.with_suffix(end) for end in (".csv", ".md", ".tex", ".sources.json", ".run.json")),
)


def call(*arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, [arguments[0], "--scale", SCALE, *arguments[1:]])
    assert done.exit_code == status, (done.output, done.exception)
    return done.output


@pytest.fixture(scope="module")
def audited(finished_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with its page. Change it through `reported` alone."""
    clone = Path(shutil.copytree(finished_tree, tmp_path_factory.mktemp("pages") / "clone"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(clone)
        patch.setattr(roots, "SOURCE", clone)
        fingerprint.forget()
        call("audit", "--no-infer")
        call("report")
        fingerprint.forget()
    return clone


@pytest.fixture
def reported(audited: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The same as the working directory; what a test alters of `ALTERED` is put back."""
    monkeypatch.chdir(audited)
    monkeypatch.setattr(roots, "SOURCE", audited)
    fingerprint.forget()
    before = {path: path.read_bytes() for path in ALTERED}
    yield audited
    for path, content in before.items():
        path.write_bytes(content)
    fingerprint.forget()


def about_the_page(report: AuditReport) -> list[tuple[str, str, str]]:
    own = {str(PAGE), str(RECEIPT)}
    return [
        (finding.level, finding.kind, finding.message)
        for finding in report.findings
        if finding.path in own
    ]


def test_the_page_has_a_receipt_that_names_all_that_it_shows(reported: Path) -> None:
    receipt = read_record(RECEIPT, Receipt)
    assert (receipt.rule, receipt.wildcards) == ("report", {"scale": SCALE})
    assert [output.path for output in receipt.outputs] == [str(PAGE)]
    assert receipt.outputs[0].sha256 == sha256_file(PAGE)
    assert receipt.seal == receipt.digest and receipt.stand_in
    read = {one.path for one in receipt.inputs}
    above = {parent.path for parent in receipt.parents}
    for job in jobs.all_jobs(load_plan(SCALE)):
        if job.rule not in ("download", "prepare"):
            assert str(job.receipt) in above
        if job.rule == "tabulate":
            assert str(job.receipt.with_name(f"{job.wildcards['name']}.csv")) in read
    assert str(paths.audit_report(SCALE)) in read
    assert receipt.fingerprint.data["docs/fidelity.md"] == "absent"  # tests clone no docs
    assert any(name.endswith("page.css") for name in receipt.fingerprint.data)
    answer = why(jobs.report(SCALE))
    assert answer.fresh, answer
    assert [job.rule for job in jobs.find(load_plan(SCALE), "report")] == ["report"]


def test_an_audit_after_the_page_is_as_clean_and_the_page_comes_out_the_same(
    reported: Path,
) -> None:
    report = audit(load_plan(SCALE))
    assert report.verdict == "verified" and about_the_page(report) == []
    first = PAGE.read_bytes()
    call("report")
    assert PAGE.read_bytes() == first and len(first) < 10_000_000


def test_the_page_is_never_demanded(reported: Path) -> None:
    PAGE.unlink()
    RECEIPT.unlink()
    assert list(page.check(Tree(load_plan(SCALE)), ())) == []


def test_every_measured_cell_of_every_table_stands_in_the_page_with_a_closed_chain(
    reported: Path,
) -> None:
    shown = parse(PAGE.read_bytes())
    chains = {element.attributes["id"]: element for element in shown.all("details", class_="chain")}
    tables = {
        article.attributes["aria-labelledby"]: article
        for article in shown.all("article", class_="display")
    }
    measured = 0
    for name in load_plan(SCALE).tables:
        lines = [
            line for line in read_table(paths.table(SCALE, name)) if line.ours_mean is not None
        ]
        cells = [td for td in tables[name].all("td", class_="ours") if td.children[:1]]
        links = [link for td in cells for link in td.all("a", class_="open")]
        numbers = [link.text.split(" ")[0] for link in links]
        assert sorted(numbers) == sorted(str(line.ours_mean) for line in lines), name
        for link in links:
            made, *runs = link.attributes["data-chain"].split()
            assert made == f"made-{name}" and runs
            for identifier in (made, *runs):
                assert "This chain is not closed" not in chains[identifier].text
            for run in runs:
                assert "Raw files data/raw/" in chains[run].text
        measured += len(lines)
    assert measured > 50
    assert f"{measured} cells measured" in shown.text


def test_stand_in_data_is_labelled_wherever_it_shows(reported: Path) -> None:
    shown = parse(PAGE.read_bytes())
    assert "Stand-in data." in shown.only("header").text
    plan = load_plan(SCALE)
    stand_in = {name for name, one in plan.datasets.items() if one.stand_in}
    assert len(stand_in) > 3 and "digits" not in stand_in

    def labelled(element: Element) -> bool:
        return "stand-in data" in [chip.text for chip in element.all(class_="chip")]

    for chain in shown.all("details", class_="chain"):
        title = chain.children[0]
        if chain.attributes["id"].startswith("run-"):
            assert labelled(title) == (title.text.split("/")[0] in stand_in)
    for chart in shown.all("figure", class_="chart"):
        assert labelled(chart) == (chart.only(class_="run").text.split("/")[0] in stand_in)
    for row in shown.only("table", class_="timings").only("tbody").all("tr"):
        assert labelled(row) == (row.text.split("/")[0] in stand_in)
    heads = [
        head.text for table in shown.all("table", class_="results") for head in table.all("th")
    ]
    for dataset in stand_in:
        named = [head for head in heads if head.startswith(f"{dataset}, in place of")]
        assert all("stand-in data" in head for head in named)
    for name, figure in plan.figures.items():
        shows = {run.dataset for run in plan.figure_runs(figure)}
        assert labelled(shown.only("h3", id=name)) == bool(shows & stand_in), name


@pytest.mark.parametrize(
    ("tamper", "path", "kind", "says"),
    [
        ("flip", PAGE, "altered", "altered after report report wrote it"),
        ("delete receipt", RECEIPT, "missing", "nothing vouches for that file"),
        ("edit receipt", RECEIPT, "altered", "edited after it was written"),
        ("cut receipt", RECEIPT, "schema", "the receipt cannot be read"),
        ("delete page", PAGE, "missing", "says that it was written"),
    ],
)
def test_a_page_that_is_not_what_was_written_fails_the_audit(
    reported: Path, tamper: str, path: Path, kind: str, says: str
) -> None:
    content = path.read_bytes()
    if tamper.startswith("delete"):
        path.unlink()
    elif tamper == "flip":
        path.write_bytes(content.replace(b"cells measured", b"cells Measured", 1))
    elif tamper == "edit receipt":
        path.write_bytes(re.sub(rb'"cpu_count": \d+', b'"cpu_count": 999', content))
    else:
        path.write_bytes(content[:300])
    (finding,) = page.check(Tree(load_plan(SCALE)), ())
    assert (finding.level, finding.path, finding.kind) == ("failure", str(path), kind)
    assert says in finding.message


@pytest.mark.long
def test_the_next_page_after_a_bad_one_is_good_again(reported: Path) -> None:
    PAGE.write_bytes(PAGE.read_bytes().replace(b"cells measured", b"cells Measured", 1))
    call("audit", "--no-infer", status=1)
    assert "Failed." in parse(AUDIT.read_bytes()).only("header").text
    call("report")
    assert "Audit: verified." in parse(PAGE.read_bytes()).only("header").text
    report = audit(load_plan(SCALE))
    assert report.verdict == "verified" and about_the_page(report) == []


def test_a_page_of_earlier_results_is_noted_by_hand_and_not_where_it_is_made_next(
    reported: Path,
) -> None:
    SETTINGS.write_text(SETTINGS.read_text().replace("machine: ", "machine: another, ", 1))
    fingerprint.forget()
    call("tabulate", "--name", "table_1")
    (finding,) = page.check(Tree(load_plan(SCALE)), ())
    assert (finding.level, finding.kind) == ("note", "stale") and "table_1" in finding.message
    assert list(page.check(Tree(load_plan(SCALE)), (), follows=True)) == []


def test_a_page_with_another_verdict_than_this_audits_is_noted(reported: Path) -> None:
    with LOCK.open("a") as file:
        file.write("# edited\n")
    ((_, kind, message),) = about_the_page(audit(load_plan(SCALE)))
    assert kind == "stale" and "says verified, where this audit says drifted" in message


def test_the_audit_writes_a_page_that_says_what_its_json_says(reported: Path) -> None:
    TABLE.write_bytes(TABLE.read_bytes() + b"x")
    call("audit", "--no-infer", status=1)
    report = read_record(paths.audit_report(SCALE), AuditReport)
    shown = parse(AUDIT.read_bytes())
    assert "Failed." in shown.only("header").text
    assert next(shown.only("main").all("h3")).text.startswith("failure ")
    for finding in report.findings:
        text = " ".join(finding.message.split())
        assert finding.path in shown.text and text in shown.text
        assert finding.remedy is None or " ".join(finding.remedy.split()) in shown.text
    for number in report.checked.model_dump().values():
        assert f"{number:,} " in shown.text


def test_what_a_later_audit_adds_is_on_its_page(tmp_path: Path) -> None:
    class Longer(AuditReport):
        """A report with a part that this version of the page does not know."""

        reruns: list[dict[str, Any]]

    base = {
        "scale": "smoke", "at": datetime(2026, 1, 1, tzinfo=UTC), "verdict": "verified",
        "exit_status": 0, "code": {"commit": None, "dirty": None}, "findings": [],
        "checked": {"jobs": 1, "files": 2, "cells": 3, "evaluations": 4, "tables": 5},
    }  # fmt: skip
    reruns = [{"run": "digits/iic", "same": True, "spread": HOSTILE}, {"run": "x", "same": False}]
    shown = parse(render("audit.html.j2", audit=view(Longer(**base, reruns=reruns))))
    assert "Reruns" in [element.text for element in shown.all("h2")]
    rows = [[element.text for element in row.all("td")] for row in shown.only("tbody").all("tr")]
    assert rows == [["digits/iic", "yes", " ".join(HOSTILE.split())], ["x", "no", "–"]]
    write_page(AuditReport(**base), tmp_path / AUDIT)
    assert "Every number follows from the raw data." in (tmp_path / AUDIT).read_text()


def test_every_verdict_has_a_sentence_and_a_colour() -> None:
    assert set(page.TONES) == set(get_args(Verdict))
    checked = Checked(jobs=1, files=2, cells=3, evaluations=4, tables=5)
    for verdict in get_args(Verdict):
        report = conclude("smoke", NOW, Code(commit=None, dirty=None), checked, [])
        assert report.model_copy(update={"verdict": verdict}).sentence


def test_what_was_not_looked_at_is_not_called_verified() -> None:
    absent = [
        Finding(level="note", kind="to be restored", path=path, message="not here")
        for path in ("data/raw/mnist", "data/prepared/mnist", "results/smoke/artifacts/x")
    ]
    drift = Finding(level="drift", kind="stale", path="x", message="x")
    checked = Checked(jobs=1, files=2, cells=3, evaluations=4, tables=5)

    def said(*findings: Finding) -> str:
        code = Code(commit=None, dirty=None)
        return conclude("smoke", NOW, code, checked, list(findings)).sentence

    sentence = "every number follows from the raw data"
    assert said() == said(absent[2]) == sentence
    assert said(drift) == f"{sentence}; but code, settings or software are other than today's"
    for reported in (absent, [*absent, drift]):
        assert sentence not in said(*reported)
        assert said(*reported).endswith("Not verified, since they are not here: the data of mnist")
