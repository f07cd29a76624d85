"""HTML as the tests look at it, and an audit of their own making."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

from iic.cli.report import reads
from iic.params.runs import Plan
from iic.provenance.audit.page import view
from iic.provenance.audit.report import AuditReport, Checked, Finding, conclude
from iic.publish.report.page import build
from iic.records.receipt import Code

ROOT = Path(__file__).resolve().parents[2]
VOID = {"meta", "img", "br", "hr", "input", "link"}
HOSTILE = (
    "<script>window.hostile = 1</script><img src=x onerror='window.hostile = 1'>"
    '"\' onfocus="window.hostile = 1" autofocus=" {{ 7 * 7 }} </style></details></script>'
    "<a href='javascript:window.hostile = 1'>x</a> [x](javascript:window.hostile=1) ]]> -->"
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'><base href='http://127.0.0.1:9/'>"
)
"""What would run, load or break out if any page took text for markup."""
AT = datetime(2026, 11, 29, tzinfo=UTC)


@dataclass
class Element:
    """One element of a page."""

    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    """Its own text and its children's, in order."""

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def all(self, tag: str = "", **attributes: str) -> Iterator[Element]:
        """Elements below this one; `class_` is one of an element's classes."""
        for child in self.children:
            if child.fits(tag, attributes):
                yield child
            yield from child.all(tag, **attributes)

    def only(self, tag: str = "", **attributes: str) -> Element:
        (found,) = self.all(tag, **attributes)
        return found

    def fits(self, tag: str, attributes: dict[str, str]) -> bool:
        left = dict(attributes)
        kind = left.pop("class_", "")
        return (
            (not tag or self.tag == tag)
            and (not kind or kind in self.attributes.get("class", "").split())
            and all(self.attributes.get(name) == value for name, value in left.items())
        )


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element("", {})]
        self.never_closed: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)

    def handle_endtag(self, tag: str) -> None:
        closed = self.open.pop()
        assert closed.tag == tag, f"</{tag}> closes <{closed.tag} {closed.attributes}>"

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.words.append(data)


def parse(page: bytes) -> Element:
    """The page, every element of which must be closed where it was opened."""
    reader = _Reader()
    reader.feed(page.decode())
    reader.close()
    assert len(reader.open) == 1, reader.open[-1].tag
    return reader.open[0]


def laptop_clone(folder: Path) -> Path:
    """What the page of scale laptop is made from."""
    shutil.copytree(
        ROOT / "results/laptop",
        folder / "results/laptop",
        ignore=shutil.ignore_patterns("report.*", "audit.*"),
    )
    shutil.copytree(ROOT / "params", folder / "params")
    (folder / "docs").mkdir()
    shutil.copy2(ROOT / "docs/fidelity.md", folder / "docs")
    return folder


def built(plan: Plan, audit: AuditReport | None, root: Path) -> bytes:
    """The page of what lies at `root`."""
    return build(plan, None if audit is None else view(audit), reads(plan, root)[1], root)


def an_audit(*findings: Finding, at: datetime = AT) -> AuditReport:
    """A report of an audit that found `findings`."""
    checked = Checked(jobs=27, files=72, cells=20, evaluations=9, tables=3)
    return conclude("laptop", at, Code(commit="a" * 40, dirty=False), checked, list(findings))
