"""The README tells the truth: its picture is today's, its links and commands exist."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import yaml

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


def test_the_picture_of_the_workflow_is_what_snakemake_draws(generator: ModuleType) -> None:
    text = (ROOT / "README.md").read_text()
    assert generator.replaced(text, "workflow", generator.workflow_picture()) == text, (
        "run make readme"
    )


@pytest.mark.parametrize("part", ["reference", "photographs"])
def test_measured_tables_are_what_the_results_in_git_say(generator: ModuleType, part: str) -> None:
    text = (ROOT / "README.md").read_text()
    content = getattr(generator, part)()
    assert generator.replaced(text, part, content) == text, "run make readme"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_resolve(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing


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
