"""The report page as a file: every number with its chain, nothing loaded, nothing run."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from iic.cli.report import NothingToReport, reads
from iic.params.runs import load_plan
from iic.provenance.audit.page import of_results
from iic.provenance.audit.report import Finding
from iic.records.files import RecordError, read_record, write_record
from iic.records.receipt import Acceptance, Receipt
from iic.records.sources import Sources
from iic.records.table import read_table
from tests.pages.pages_helpers import HOSTILE, ROOT, Element, an_audit, built, parse

LAPTOP = load_plan("laptop", ROOT / "params")
TABLE = Path("results/laptop/tables/table_1.csv")
RUN = Path("results/laptop/runs/mnist/iic/seed0")


@pytest.fixture(scope="module")
def shown(page: bytes) -> Element:
    return parse(page)


def cells(table: Element) -> list[Element]:
    return [link for td in table.all("td", class_="ours") for link in td.all("a", class_="open")]


def test_every_measured_cell_of_the_csv_stands_in_the_page_in_its_order(shown: Element) -> None:
    (table,) = shown.all("table", class_="results")
    measured = [line for line in read_table(ROOT / TABLE) if line.ours_mean is not None]
    assert [link.text for link in cells(table)] == [
        str(line.ours_mean) if line.ours_std is None else f"{line.ours_mean} ± {line.ours_std}"
        for line in measured
    ]
    for link, line in zip(cells(table), measured, strict=True):
        for said in (line.row, line.paper_column, line.selection):
            assert said is not None and said in link.attributes["data-heading"]
    shown_cells = [td for td in table.all("td", class_="ours") if [*td.all("a", class_="open")]]
    verdicts = [[chip.text for chip in td.all(class_="chip")] for td in shown_cells]
    # the fast recipe is none of the paper's, so there is nothing to judge it by
    assert verdicts == [[line.verdict] if line.verdict else [] for line in measured]
    assert {line.row for line in measured if not line.verdict} == {
        "IIC, fast recipe (lowest loss sub-head)",
        "IIC, fast recipe (avg sub-head ± STD)",
    }


def test_every_table_and_figure_stands_in_the_page_with_its_whole_caption(shown: Element) -> None:
    page = " ".join(shown.text.split())
    displays = [*LAPTOP.tables.values(), *LAPTOP.listings.values(), *LAPTOP.figures.values()]
    assert len(displays) > 4
    for display in displays:
        assert display.title in page and " ".join(display.caption.split()) in page


def test_a_cells_chain_is_the_one_in_its_sources_and_closes_on_raw_files(shown: Element) -> None:
    sources = read_record((ROOT / TABLE).with_suffix(".sources.json"), Sources)
    measured = [cell for cell in sources.cells if cell.seeds]
    links = cells(shown.only("table", class_="results"))
    for link, cell in zip(links, measured, strict=True):
        made, *runs = link.attributes["data-chain"].split()
        assert shown.only("details", id=made).children[0].text.startswith("Table 1.")
        assert link.attributes["href"] == f"#{runs[-1]}"
        for run, seed in zip(runs, cell.seeds, strict=True):
            chain = shown.only("details", id=run)
            assert chain.children[0].text == f"{seed.run}, seed {seed.seed}"
            steps = [step.text for step in chain.all(class_="step")]
            assert steps == ["Evaluation", "Training", "Prepared data", "Raw files"]
            folder = ROOT / f"results/laptop/runs/{seed.run}/seed{seed.seed}"
            training = read_record(folder / "run.json", Receipt)
            told = [
                seed.receipt.path,
                seed.receipt.digest,
                seed.file.path,
                seed.file.sha256,
                training.digest,
                training.code.commit,
                training.settings_sha256,
                training.environment.cpu,
                training.environment.lock,
                " ".join(training.command),
                *(text for file in training.inputs for text in (file.path, file.sha256)),
                *(
                    text.removeprefix("md5:")
                    for pair in training.fingerprint.data.items()
                    for text in pair
                ),
            ]
            for text in told:
                assert text is not None and text in chain.text


def test_settings_of_a_training_are_shown_whole(shown: Element) -> None:
    training = read_record(ROOT / RUN / "run.json", Receipt)
    chain = shown.only("details", id="run-mnist.iic.seed0")
    texts = ["".join(pre.words) for pre in chain.all("pre")]
    assert training.fingerprint.settings in [json.loads(text) for text in texts]


def test_nothing_is_loaded_from_anywhere(page: bytes, shown: Element) -> None:
    for element in shown.all():
        for name in ("src", "srcset", "poster", "data", "action", "xlink:href"):
            assert element.attributes.get(name, "data:").startswith("data:"), element
        assert element.tag not in {"link", "iframe", "object", "embed", "base"}
        assert not any(name.startswith("on") or name == "style" for name in element.attributes)
        if (target := element.attributes.get("href")) is not None:
            assert re.fullmatch(r"#[\w.-]+|(tables|figures)/[\w.]+|[\w.]+\.(html|json)", target)
    (policy,) = shown.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy.attributes["content"].startswith("default-src 'none'; img-src data:; ")
    style = "".join(shown.only("style").words)
    assert "url(" not in style and "@import" not in style


def test_ids_are_unique_and_every_link_inside_the_page_arrives(shown: Element) -> None:
    ids = Counter(element.attributes["id"] for element in shown.all() if "id" in element.attributes)
    assert max(ids.values()) == 1
    named = {
        word
        for element in shown.all()
        for word in (
            *element.attributes.get("data-chain", "").split(),
            *element.attributes.get("aria-labelledby", "").split(),
            *re.findall(r"^#(.+)", element.attributes.get("href", "")),
        )
    }
    assert len(named) > 30 and named <= set(ids)


def test_a_reader_without_eyes_finds_the_way(shown: Element) -> None:
    html = shown.only("html")
    assert html.attributes["lang"] == "en"
    assert (
        shown.only("meta", name="viewport").attributes["content"].startswith("width=device-width")
    )
    for picture in shown.all("img"):
        assert len(picture.attributes["alt"]) > 40
    for chart in shown.all("svg"):
        assert chart.attributes["role"] == "img" and chart.attributes["aria-label"]
    for table in shown.all("table"):
        for head in table.all("th"):
            assert head.attributes.get("scope") in {"row", "col", "colgroup"}
    ranks = [int(heading.tag[1]) for heading in shown.all() if re.fullmatch("h[1-6]", heading.tag)]
    assert ranks[0] == 1 and ranks.count(1) == 1
    for link in shown.all("a", class_="open"):
        assert link.text in link.attributes["aria-label"]


def test_every_display_and_every_training_of_the_plan_is_there(shown: Element) -> None:
    for name in (*LAPTOP.tables, *LAPTOP.listings, *LAPTOP.figures):
        assert shown.only("h3", id=name).text
        assert len([link for link in shown.all("a") if link.attributes["href"] == f"#{name}"]) == 1
    assert len(list(shown.all("img"))) == len(LAPTOP.figures)
    rows = list(shown.only("table", class_="timings").only("tbody").all("tr"))
    assert len(rows) == sum(len(run.seeds) for run in LAPTOP.runs.values())
    training = read_record(ROOT / RUN / "run.json", Receipt)
    (row,) = [row for row in rows if row.text.startswith("mnist/iic, seed 0")]
    assert f"{training.timing.seconds:,.1f}" in row.text and "AMD EPYC, 2 threads" in row.text
    assert len(list(shown.all("figure", class_="chart"))) == 7


def test_notes_of_the_table_what_was_not_run_and_references_are_there(shown: Element) -> None:
    text = shown.text
    for line in (ROOT / TABLE).with_suffix(".md").read_text().splitlines():
        if match := re.match(r"- <sup>([a-z])</sup> (.+)", line):
            assert f"{match[1]} {match[2]}" in text
    absent = shown.only("dl", class_="absent").text
    assert "It would take another two hours or more" in absent and "SWWAE, GAN, JULE" in absent
    assert "Reference" in text and "@inproceedings" in text


def test_fidelity_notes_are_those_of_what_is_shown(shown: Element) -> None:
    titles = [element.only("summary").text for element in shown.all("details", class_="difference")]
    assert titles[0] == "D1. Auxiliary overclustering on MNIST"
    assert "D12. ± in Table 1" in titles and "D7. Selection without labels" in titles
    # neither a table of fewer labels nor a finetuning nor a segmentation is shown at this scale
    assert not any(title.startswith(("D3", "D5", "D6", "D9", "D11")) for title in titles)
    assert not any("segmentation" in title for title in titles)


def test_the_same_results_give_the_same_bytes_and_a_small_file(page: bytes, laptop: Path) -> None:
    assert built(LAPTOP, an_audit(), laptop) == page
    assert len(page) < 2_000_000


def test_a_page_without_an_audit_or_with_an_older_one_says_so(laptop: Path) -> None:
    assert "Not audited" in parse(built(LAPTOP, None, laptop)).text
    old = an_audit(at=datetime(2026, 11, 1, tzinfo=UTC))
    assert "newer than this audit" in parse(built(LAPTOP, old, laptop)).text


def test_a_failed_audit_is_the_first_thing_that_the_page_says(laptop: Path) -> None:
    failure = Finding(level="failure", kind="altered", path=str(TABLE), message="was altered")
    shown = parse(built(LAPTOP, an_audit(failure), laptop))
    assert "Audit: failed." in shown.only("header").only("div", class_="bad").text
    assert "was altered" in shown.text


def test_what_an_audit_found_of_an_earlier_page_is_not_on_the_next() -> None:
    own = Finding(
        level="failure", kind="altered", path="results/laptop/report.html", message="altered"
    )
    note = Finding(level="note", kind="uncommitted", path=".", message="x")
    assert an_audit(own, note).verdict == "failed"
    seen = of_results(an_audit(own, note))
    assert (seen.verdict, seen.exit_status, seen.findings) == ("verified", 0, [note])


def test_a_table_that_is_not_what_its_evaluations_give_is_refused(own_laptop: Path) -> None:
    table = own_laptop / TABLE
    table.write_text(table.read_text().replace("97.61", "98.61", 1))
    with pytest.raises(RecordError, match=r"table_1\.csv: not what .*\n  remedy: iic run"):
        built(LAPTOP, None, own_laptop)


@pytest.mark.parametrize("receipt", ["run.json", "evaluation.run.json"])
def test_a_chain_with_an_edited_receipt_is_not_shown_as_closed(
    own_laptop: Path, receipt: str
) -> None:
    path = own_laptop / RUN / receipt
    path.write_text(path.read_text().replace('"cpu_count": 2', '"cpu_count": 64'))
    shown = parse(built(LAPTOP, None, own_laptop))
    chain = shown.only("details", id="run-mnist.iic.seed0")
    assert "This chain is not closed" in chain.text and "edited after it was written" in chain.text
    assert "chains are not closed" in shown.only("header").text
    marked = [td for td in shown.all("td", class_="broken")]
    assert len(marked) == (4 if receipt == "evaluation.run.json" else 0)


def test_a_training_made_anew_breaks_the_chain_of_what_was_made_from_the_old_one(
    own_laptop: Path,
) -> None:
    path = own_laptop / RUN / "run.json"
    receipt = read_record(path, Receipt)
    write_record(path, receipt.model_copy(update={"command": ["iic", "again"]}).sealed())
    chain = parse(built(LAPTOP, None, own_laptop)).only("details", id="run-mnist.iic.seed0")
    assert f"was made from another {RUN}/run.json" in chain.text


def test_hostile_text_is_shown_and_never_markup(own_laptop: Path, page: bytes) -> None:
    path = own_laptop / RUN / "run.json"
    receipt = read_record(path, Receipt)
    accepted = Acceptance(
        fingerprint="0" * 64, because=HOSTILE, changed=[], commit=None, at=receipt.timing.end
    )
    settings = {**receipt.fingerprint.settings, HOSTILE: HOSTILE}
    changed = {
        "command": ["iic", HOSTILE],
        "acceptances": [accepted],
        "environment": receipt.environment.model_copy(update={"cpu": HOSTILE}),
        "fingerprint": receipt.fingerprint.model_copy(update={"settings": settings}),
    }
    write_record(path, receipt.model_copy(update=changed))
    hostile = replace(
        LAPTOP,
        scale=LAPTOP.scale.model_copy(update={"description": HOSTILE, "machine": HOSTILE}),
    )
    finding = Finding(level="note", kind="stale", path=HOSTILE, message=HOSTILE, remedy=HOSTILE)
    made = built(hostile, an_audit(finding), own_laptop)
    shown = parse(made)  # which fails where a tag was closed by text
    before = parse(page)
    for tag in ("script", "style", "img"):
        assert len(list(shown.all(tag))) == len(list(before.all(tag)))
    assert not any(
        "onfocus" in element.attributes or "onerror" in element.attributes
        for element in shown.all()
    )
    assert made.decode().count("&lt;script&gt;window.hostile") > 8
    assert "{{ 7 * 7 }}" in shown.text


def test_markdown_of_listings_keeps_no_foreign_tag(own_laptop: Path) -> None:
    listing = own_laptop / "results/laptop/tables/supp_table_2.md"
    listing.write_text(
        listing.read_text() + f"\n\n{HOSTILE}\n\n[x](javascript:alert(1))\n\nH<sub>2</sub>O\n"
    )
    shown = parse(built(LAPTOP, None, own_laptop))
    assert len(list(shown.all("script"))) == 1 and "window.hostile = 1" in shown.text
    assert not any("javascript" in link.attributes["href"] for link in shown.all("a"))
    assert "2" in [element.text for element in shown.all("sub")]


def test_a_scale_without_results_has_nothing_to_report(tmp_path: Path) -> None:
    with pytest.raises(NothingToReport, match=r"'laptop' has no results here.*\n  remedy: iic run"):
        reads(LAPTOP, tmp_path)


def test_a_partial_scale_has_a_page_that_says_what_is_missing(own_laptop: Path) -> None:
    for path in (own_laptop / "results/laptop/figures").glob("figure_3.*"):
        path.unlink()
    shown = parse(built(LAPTOP, None, own_laptop))
    assert len(list(shown.all("img"))) == len(LAPTOP.figures) - 1
    assert "Figure 3. Predictions during training" in shown.only("dl", class_="absent").text
