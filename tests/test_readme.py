"""README and docs tell the truth: generated parts are today's, links and commands exist."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest
import yaml

from iic.params.experiments import Fidelity, Selection
from iic.params.runs import load_plan
from iic.publish.marked import HEADS, PARTS, replaced
from iic.records.table import Status, Verdict
from tests.test_dvc_doc import parse_iic, words

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.chdir(ROOT)
    spec = importlib.util.spec_from_file_location("readme", ROOT / "docs" / "readme.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("part", ["workflow", "reference", "fast", "curve", "photographs"])
def test_generated_parts_are_what_the_workflow_and_results_in_git_say(
    generator: ModuleType, part: str
) -> None:
    page, content = ROOT / "docs/architecture.md", generator.workflow
    if part in PARTS:
        page, content = ROOT / PARTS[part].page, lambda: PARTS[part].write(ROOT)
    text = page.read_text(encoding="utf-8")
    assert f"<!-- {part}: begin" in text
    assert replaced(text, part, content()) == text, "run make readme"


def test_tables_of_mini_have_the_columns_that_are_generated() -> None:
    page = ROOT / PARTS["measured"].page
    assert page.read_text(encoding="utf-8").count(f"\n{HEADS} ") == 2, "run make readme"


def test_the_front_page_is_short_and_explains_its_table() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 120
    table, legend = text.split("<!-- reference: end -->")
    terms = set(re.findall(r"\| `(\w+)` \|", table))
    assert terms >= {"label_free", "mean_head"}
    assert terms <= set(re.findall(r"`(\w+)`", legend.split("\n## ")[0]))


def test_the_glossary_has_every_word_of_the_tables() -> None:
    glossary = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    words = [get_args(kind) for kind in (Selection, Fidelity, Verdict, Status)]
    assert {word for names in words for word in names} <= set(re.findall(r"`(\w+)`", glossary))
    for term in ("sub-head", "IIC\\*", "570", "685", "trunk", "stand-in", "receipt"):
        assert re.search(rf"^\| .*\*\*.*{re.escape(term)}", glossary, re.MULTILINE), term


def test_the_pages_count_the_trainings_of_mini() -> None:
    number = sum(len(run.seeds) for run in load_plan("mini").runs.values())
    for page in ("README.md", "docs/quickstart.md"):
        counts = re.findall(r"mini`?: (\d+) trainings", (ROOT / page).read_text(encoding="utf-8"))
        assert counts == [str(number)], page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_resolve(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)|src=\"([^\"]+)\"", page.read_text(encoding="utf-8"))
    missing = [link for link in map("".join, links) if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_verbs_in_blocks_of_commands_parse(page: Path) -> None:
    blocks = re.findall(r"```\w*\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    for line in "\n".join(blocks).splitlines():
        if line.startswith("iic "):
            parse_iic(words(line.split(" #")[0])[1:])


def test_make_targets_and_files_that_the_readme_names_exist() -> None:
    text = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w[\w-]*)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for path in re.findall(r"`((?:iic|params|workflow|docs|benchmarks)/[\w./]*)`", text):
        assert (ROOT / path).exists(), path


def test_citation_names_the_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    paper = citation["preferred-citation"]
    assert paper["year"] == 2019
    assert [author["family-names"] for author in paper["authors"]] == ["Ji", "Henriques", "Vedaldi"]
