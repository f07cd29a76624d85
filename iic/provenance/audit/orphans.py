"""Files in the results that no job of the plan makes: what is left of a removed run or seed."""

from __future__ import annotations

from collections.abc import Iterator

from iic.provenance.audit.report import Finding
from iic.provenance.audit.tree import Tree
from iic.records import paths

ROOMS = ("runs", "artifacts", "tables", "figures")
TEMPORARY = ".part"


def strangers(tree: Tree) -> list[str]:
    """Files in the results of the scale that no job of its plan makes, relative to the root.

    `iic prune` deletes this very list, so that nothing of it is left for the audit to find.
    """
    expected = {str(path(tree.scale)) for path in (paths.audit_report, paths.audit_page)}
    for job in tree.jobs:
        expected |= {str(job.receipt), *map(str, job.outputs)}
    names = []
    for room in ROOMS:
        for path in sorted((tree.root / paths.RESULTS / tree.scale / room).rglob("*")):
            name = path.relative_to(tree.root).as_posix()
            # hidden files are the tools' own: .gitignore, .snakemake_timestamp, .DS_Store
            left_over = path.name.endswith(TEMPORARY)
            if path.is_file() and name not in expected and (left_over or path.name[0] != "."):
                names.append(name)
    return names


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
        listed = ", ".join(name.rsplit("/", 1)[1] for name in names[:4])
        yield Finding(
            level="failure",
            kind="orphan",
            path=folder if len(names) > 1 else names[0],
            message=f"no job of scale {tree.scale!r} makes {len(names)} of the files here: {listed}"
            + (", ..." if len(names) > 4 else ""),
            remedy=f"list them with iic prune --scale {tree.scale}, and delete them with --delete; "
            "or bring back the run, seed, table or figure in params/ that they belong to",
        )
