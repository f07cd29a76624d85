"""What code, settings, tests and pages cite is in the repository: the page, and the section in it.

A citation is ``docs/PAGE.md`` or ``docs/spec/PAGE.md#section`` in any text, or a link of a page.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("iic", "params", "workflow", "docs", "tests", "benchmarks")
SUFFIXES = {".py", ".md", ".yaml", ".smk", ".toml", ".bib", ".csv", ".json", ".sh", ".html", ".css"}
FILES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*")
    if path.suffix in SUFFIXES and path != Path(__file__)
) + [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "Snakefile", "Makefile")]

CITATION = re.compile(r"\bdocs/((?:spec/)?\w+\.md)(?:#([\w-]*))?")
LINK = re.compile(r"\]\(([^)\s:#]*\.md)?(?:#([^)\s]*))?\)")
OUTSIDE = re.compile(
    r"(?<!docs/)(?<!]\()\bspec/[\w-]+(\.md)?"  # the notes from which docs/spec was written
    r"|\b[Ss]pec(ification)?,? (section |sections )?\d"
    r"|\(spec[,;: ]|\bfact[ -]sheet|\bdesign contract|\bdesign\.md|\.\./shared|/work/\w+",
    re.ASCII,
)


@cache
def sections(page: Path) -> frozenset[str]:
    """Anchors of a page's headings, as GitHub makes them: lower case, hyphens, no other signs."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ +(.+?) *$", text, flags=re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", line).lower().replace(" ", "-") for line in headings)


def broken(text: str, file: Path) -> list[str]:
    """Citations in a file's text that lead nowhere, or out of the repository."""
    targets = [(ROOT / "docs" / page, anchor) for page, anchor in CITATION.findall(text)]
    if file.suffix == ".md":
        targets += [
            (file.parent / page if page else file, anchor) for page, anchor in LINK.findall(text)
        ]
    wrong = [match.group() for match in OUTSIDE.finditer(text)]
    for page, anchor in targets:
        if not page.is_file() or (anchor and anchor not in sections(page)):
            wrong.append(f"{page.name}#{anchor}")
        elif page.parent.name == "spec" and file.suffix != ".md" and not anchor:
            wrong.append(f"{page.name}: of which section?")
    return wrong


def test_every_citation_leads_to_a_section_of_a_page() -> None:
    wrong = {str(path.relative_to(ROOT)): broken(path.read_text("utf-8"), path) for path in FILES}
    assert {name: citations for name, citations in wrong.items() if citations} == {}


def test_the_facts_are_cited() -> None:
    cited = {
        page
        for path in FILES
        if path.suffix != ".md"
        for page, _ in CITATION.findall(path.read_text("utf-8"))
    }
    pages = {f"spec/{path.name}" for path in (ROOT / "docs/spec").glob("*.md")}
    assert cited >= pages - {"spec/README.md"}


@pytest.mark.parametrize(
    "citation",
    [
        "docs/spec/images.md#network-d",
        "docs/spec/image.md#network-a",
        "docs/spec/images.md",
        "docs/auditing.md",
        "docs/audit.md#what-was-checked",
        "spec/iic.md, section 3.1",
        "(spec 0.1-6)",
        "spec section 3.0",
        "the design contract, section 4",
    ],
)
def test_a_broken_citation_is_noticed(citation: str) -> None:
    right = "As docs/spec/images.md#network-a and docs/audit.md#re-runs say."
    assert broken(right, ROOT / "iic/module.py") == []
    assert len(broken(f"{right} Source: {citation}.", ROOT / "iic/module.py")) == 1


@pytest.mark.parametrize("link", ["[a](images.md#network-d)", "[a](../images.md)", "[a](#network)"])
def test_a_broken_link_is_noticed(link: str) -> None:
    page = ROOT / "docs/spec/printed.md"
    assert broken("[a](images.md#network-a) [b](../audit.md) [c](#printed-table-1)", page) == []
    assert len(broken(link, page)) == 1
