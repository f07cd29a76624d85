"""Files in the results that no job of the plan makes: what is left of a removed run or seed.

An excerpt of weights is made by hand; it belongs to its training.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from iic.provenance import jobs
from iic.provenance.audit.excerpts import run_paths
from iic.provenance.audit.report import Finding
from iic.provenance.audit.tree import Tree
from iic.records import paths

TEMPORARY = ".part"
OF_TOOLS = frozenset({".gitignore", ".snakemake_timestamp"})
"""Hidden files that DVC and Snakemake write into folders of results."""


def strangers(tree: Tree) -> list[str]:
    """Files in the results of the scale that no job of its plan makes, relative to the root.

    A link to a folder counts as a file. `iic prune` deletes this very list, so that nothing of it
    is left for the audit to find; partial tables are its own business.
    """
    scale = tree.scale
    report = jobs.report(scale)
    expected = {str(path(scale)) for path in (paths.audit_report, paths.audit_page)}
    for job in (*tree.jobs, report):
        expected |= {str(job.receipt), *map(str, job.outputs)}
        if job.rule == "train":
            expected.add(str(run_paths(job).excerpt))
    partial = paths.partial_table(scale, "").parent
    return [
        name
        for name in _entries(tree)
        if name not in expected
        and Path(name).name not in OF_TOOLS
        and not Path(name).is_relative_to(partial)
    ]


def _entries(tree: Tree) -> list[str]:
    """Files, and links to folders, anywhere in the results of the scale."""
    names = []
    top = tree.root / paths.RESULTS / tree.scale
    for folder, folders, files in os.walk(top):
        linked = [name for name in folders if Path(folder, name).is_symlink()]
        names += [Path(folder, name).relative_to(tree.root).as_posix() for name in files + linked]
    return sorted(names)


def check(tree: Tree) -> Iterator[Finding]:
    """One finding a folder that holds files of no job; a note on partial tables."""
    partial = paths.partial_table(tree.scale, "").parent
    if (tree.root / partial).is_dir():
        yield Finding(
            level="note",
            kind="not run",
            path=str(partial),
            message="tables of a run in which jobs failed: nothing is made from them, and nothing "
            "here was verified",
            remedy=f"run the workflow again, or: iic tabulate --allow-missing --scale {tree.scale}",
        )
    folders: dict[str, list[str]] = {}
    for name in strangers(tree):
        folders.setdefault(name.rsplit("/", 1)[0], []).append(name)
    for folder, names in folders.items():
        listed = ", ".join(_shown(name.rsplit("/", 1)[1]) for name in names[:4])
        yield Finding(
            level="failure",
            kind="orphan",
            path=folder if len(names) > 1 else names[0],
            message=f"no job of scale {tree.scale!r} makes {len(names)} of the files here: {listed}"
            + (", ..." if len(names) > 4 else ""),
            remedy=f"list them with iic prune --scale {tree.scale}, and delete them with --delete; "
            "or bring back the run, seed, table or figure in params/ that they belong to",
        )


def _shown(name: str) -> str:
    """A name, and what it is made of where a reader may take it for another."""
    if name.isascii():
        return f"{name} (hidden)" if name.startswith(".") else name
    return f"{name} (not all of it ASCII: {name.encode('ascii', 'backslashreplace').decode()})"
