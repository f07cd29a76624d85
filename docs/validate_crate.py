"""Validate an RO-Crate of this project without a network: `make crate` calls this.

By hand: .venv/rocrate/bin/python docs/validate_crate.py scratch/rocrate/laptop

The validator asks the web for two JSON-LD contexts. Here it finds them in its cache, cut down to
the terms that a crate of ours has: a term that comes in anew is unknown to the validator until it
is written here. Terms and their addresses are those of RO-Crate 1.1 (CC0) and of the terms for
workflow runs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

PROFILE = "provenance-run-crate"
"""What crates of ours claim to follow."""
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


def fill(cache: Path) -> None:
    """Write both contexts into a cache of the validator, as `cache warm` does with a network."""
    from requests_cache import CachedResponse, CachedSession
    from requests_cache.models import CachedRequest

    session = CachedSession(str(cache), backend="sqlite", expire_after=-1)
    for url, terms in CONTEXTS.items():
        request = CachedRequest(method="GET", url=url, headers={})
        headers = {"Content-Type": "application/ld+json"}
        answer = CachedResponse(status_code=200, url=url, headers=headers, request=request)
        answer._content = json.dumps({"@context": terms}).encode()
        session.cache.save_response(answer)


def validate(crate: str, *options: str) -> int:
    """Validate a crate by the validator of this Python; its exit status.

    Args:
        crate: A folder or a zip file.
        options: Of ``rocrate-validator validate``, e.g. ``--requirement-severity recommended``.
    """
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "contexts"
        fill(cache)
        command = [
            Path(sys.executable).parent / "rocrate-validator",
            "--no-interactive",
            "validate",
            "--offline",
            "--cache-path",
            cache,
            "--profile-identifier",
            PROFILE,
            "--verbose",
            "--no-paging",
            *options,
            crate,
        ]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(validate(*sys.argv[1:]))
