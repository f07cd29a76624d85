"""Who made the results, under which licence, and what to cite: from ``CITATION.cff``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from iic.params.loading import read_yaml
from iic.provenance.crate.errors import CrateError
from iic.provenance.crate.graph import Graph, references

FILE = "CITATION.cff"
LICENCES = "https://spdx.org/licenses/"


class Citation:
    """What ``CITATION.cff`` says.

    Raises:
        SettingsError: The file is absent or no YAML.
        CrateError: It lacks a key that a crate needs.
    """

    def __init__(self, root: Path) -> None:
        content = read_yaml(root / FILE)
        if not isinstance(content, Mapping):
            raise CrateError(f"{FILE}: holds no keys; allowed: a citation file as its format says")
        self._content = content
        self.version = str(self._need("version"))
        self.title = str(self._need("title"))
        self.url: str | None = content.get("repository-code") or content.get("url")

    def describe(self, graph: Graph) -> dict[str, Any]:
        """Add authors, licence and the paper.

        Returns:
            The properties of the crate that name them.
        """
        licence = str(self._need("license"))
        graph.add(
            f"{LICENCES}{licence}",
            "CreativeWork",
            name=licence,
            description=f"Licence {licence}, for the code and what was made with it. Datasets have "
            "terms of their own, which stand with them.",
        )
        paper = self._need("preferred-citation")
        authors = [_author(graph, person) for person in _list(paper, "authors")]
        graph.add(
            "#paper",
            "ScholarlyArticle",
            name=paper.get("title"),
            author=references(authors),
            datePublished=str(paper.get("year")),
            pagination="-".join(str(paper[key]) for key in ("start", "end") if key in paper)
            or None,
            description=paper.get("collection-title"),
        )
        own = [_author(graph, person, self.url) for person in _list(self._content, "authors")]
        return {
            "license": references([f"{LICENCES}{licence}"]),
            "author": references(own),
            "citation": references(["#paper"]),
        }

    def _need(self, key: str) -> Any:
        if not self._content.get(key):
            raise CrateError(f"{FILE}: {key}: missing; a crate has to say it")
        return self._content[key]


def _list(content: Any, key: str) -> list[Mapping[str, str]]:
    entries = content.get(key) if isinstance(content, Mapping) else None
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise CrateError(f"{FILE}: {key}: {entries!r} is no list of persons or entities")
    return entries


def _author(graph: Graph, entry: Mapping[str, str], url: str | None = None) -> str:
    if "name" in entry:
        name, kind = entry["name"], "Organization"
    else:
        parts = (entry.get("given-names"), entry.get("family-names"))
        name, kind = " ".join(part for part in parts if part), "Person"
    if not name:
        raise CrateError(f"{FILE}: authors: {dict(entry)!r} has no name")
    slug = quote("-".join(name.lower().split()))
    identifier = entry.get("orcid") or f"#{kind.lower()}/{slug}"
    website = (entry.get("website") or url) if kind == "Organization" else None
    return graph.add(identifier, kind, name=name, url=website)
