"""The entities of one crate, each added once; the only module that knows the library's classes."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

# the library has no types
from rocrate.model import ComputationalWorkflow, ContextEntity  # type: ignore[import-untyped]
from rocrate.rocrate import ROCrate  # type: ignore[import-untyped]

VERSION = "1.1"
"""Of RO-Crate: the one that the profiles of workflow runs, 0.5, extend."""
RUN_TERMS = "https://w3id.org/ro/terms/workflow-run/context"
BUILD_INSTRUCTIONS = "https://codemeta.github.io/terms/buildInstructions"
WORKFLOW_PROFILE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    WORKFLOW_PROFILE: ("Workflow RO-Crate", "1.0"),
}

Reference = dict[str, str]
"""``{"@id": ...}``."""


def reference(identifier: str) -> Reference:
    """A property's value that names another entity."""
    return {"@id": identifier}


def references(identifiers: Iterable[str]) -> Any:
    """One reference, or several in their order without repetition; None where there are none."""
    listed = [reference(identifier) for identifier in dict.fromkeys(identifiers)]
    return listed[0] if len(listed) == 1 else listed or None


class Graph:
    """A crate being described."""

    def __init__(self) -> None:
        self.crate = ROCrate(version=VERSION)
        self.crate.metadata.extra_contexts.append(RUN_TERMS)
        self.crate.metadata.extra_terms["buildInstructions"] = BUILD_INSTRUCTIONS
        for identifier, (name, version) in PROFILES.items():
            self.add(identifier, "CreativeWork", name=name, version=version)
        self.set_root(conformsTo=references(PROFILES))

    def __contains__(self, identifier: str) -> bool:
        return identifier in self.crate

    def add(self, identifier: str, kind: str | list[str], **properties: Any) -> str:
        """Add an entity that is no file of the crate; properties that are None are left out.

        Returns:
            `identifier`.
        """
        present = {name: value for name, value in properties.items() if value is not None}
        entity = ContextEntity(self.crate, identifier, {"@type": kind, **present})
        self.crate.add(entity)
        return identifier

    def add_file(self, path: str, source: Path | bytes, **properties: Any) -> str:
        """Add a file that goes into the crate as `path`.

        Args:
            path: Relative to the root of the crate.
            source: The file to copy, or the content.
            properties: Those that are None are left out.

        Returns:
            `path`.
        """
        content = BytesIO(source) if isinstance(source, bytes) else source
        present = {name: value for name, value in properties.items() if value is not None}
        self.crate.add_file(content, path, properties=present)
        return path

    def add_workflow(self, path: str, source: Path, **properties: Any) -> str:
        """Add the main workflow, in Snakemake's language."""
        self.crate.add_workflow(
            source,
            path,
            main=True,
            lang="snakemake",
            cls=SteppedWorkflow,
            properties={name: value for name, value in properties.items() if value is not None},
        )
        return path

    def set_root(self, **properties: Any) -> None:
        """Properties of the crate itself."""
        for name, value in properties.items():
            if value is not None:
                self.crate.root_dataset[name] = value


class SteppedWorkflow(ComputationalWorkflow):  # type: ignore[misc]
    """A workflow whose steps are told."""

    TYPES = ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"]
