"""Crates to look at, and the tools of others that read and validate them, without a network.

The validator fetches two JSON-LD contexts. They are given to it through its cache, cut down to the
terms that a crate of ours has: a term that comes in anew is unknown to the validator until it is
written here. Terms and their addresses are those of RO-Crate 1.1 (CC0) and of the terms for
workflow runs.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

LAPTOP = Path("results/laptop")
TABLE = LAPTOP / "tables/table_1.csv"

TOOLS = ROOT / ".venv/rocrate/bin"
needs_tools = pytest.mark.skipif(
    not (TOOLS / "rocrate-validator").exists(),
    reason="no runcrate and roc-validator here: `make test` installs them into .venv/rocrate",
)

Entity = dict[str, Any]

SCHEMA = "http://schema.org/"
PLAIN_TERMS = """
ComputerLanguage ControlAction CreateAction CreativeWork Dataset HowTo HowToStep Organization
Person Place PropertyValue ScholarlyArticle SoftwareApplication SoftwareSourceCode about
actionStatus additionalProperty additionalType alternateName author citation codeRepository
contentSize contentUrl creativeWorkStatus datePublished description encodingFormat endTime
exampleOfWork hasPart identifier instrument isBasedOn isPartOf license location mainEntity mentions
name object pagination position programmingLanguage propertyID result softwareRequirements
softwareVersion startTime step subjectOf unitCode url value version workExample
"""
OTHER_TERMS = {
    "File": f"{SCHEMA}MediaObject",
    "conformsTo": "http://purl.org/dc/terms/conformsTo",
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "FormalParameter": "https://bioschemas.org/FormalParameter",
    "input": "https://bioschemas.org/ComputationalWorkflow#input",
    "output": "https://bioschemas.org/ComputationalWorkflow#output",
}
RUN_TERMS = ("md5", "resourceUsage", "sha256")
CONTEXTS = {
    "https://w3id.org/ro/crate/1.1/context": {
        **{term: f"{SCHEMA}{term}" for term in PLAIN_TERMS.split()},
        **OTHER_TERMS,
    },
    "https://w3id.org/ro/terms/workflow-run/context": {
        term: f"https://w3id.org/ro/terms/workflow-run#{term}" for term in RUN_TERMS
    },
}

# what `rocrate-validator cache warm` does with a network
WARM = """
import json, sys
from requests_cache import CachedResponse, CachedSession
from requests_cache.models import CachedRequest

session = CachedSession(sys.argv[1], backend="sqlite", expire_after=-1)
for url, terms in json.load(sys.stdin).items():
    request = CachedRequest(method="GET", url=url, headers={})
    answer = CachedResponse(
        status_code=200, url=url, headers={"Content-Type": "application/ld+json"}, request=request
    )
    answer._content = json.dumps({"@context": terms}).encode()
    session.cache.save_response(answer)
"""


def warm_cache(place: Path) -> Path:
    """A cache of the validator that holds both contexts."""
    subprocess.run(
        [TOOLS / "python", "-c", WARM, place],
        input=json.dumps(CONTEXTS),
        text=True,
        check=True,
        timeout=60,
    )
    return place


def validate(crate: Path, cache: Path, level: str = "required") -> subprocess.CompletedProcess[str]:
    """Run the validator with the profile that crates of ours claim."""
    return subprocess.run(
        [
            TOOLS / "rocrate-validator", "--no-interactive", "--disable-color", "validate",
            "--offline", "--cache-path", cache, "--profile-identifier", "provenance-run-crate",
            "--requirement-severity", level, "--verbose", "--no-paging", crate,
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )  # fmt: skip


def report(crate: Path) -> str:
    """What ``runcrate report`` reads in a crate."""
    done = subprocess.run(
        [TOOLS / "runcrate", "report", crate], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def entities(crate: Path) -> dict[str, Entity]:
    """The entities of a crate by their identifiers."""
    graph = json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]
    found = {entity["@id"]: entity for entity in graph}
    assert len(found) == len(graph), "an identifier stands twice"
    return found


def named(value: Any) -> list[str]:
    """The identifiers in a property's value."""
    values = value if isinstance(value, list) else [] if value is None else [value]
    return [one["@id"] for one in values]


def of_type(graph: dict[str, Entity], kind: str) -> Iterable[Entity]:
    """Entities of a type."""
    for one in graph.values():
        kinds = one["@type"] if isinstance(one["@type"], list) else [one["@type"]]
        if kind in kinds:
            yield one


def files_in(folder: Path) -> set[str]:
    """Every file below `folder`, relative to it."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
