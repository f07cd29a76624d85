"""``iic export rocrate``: from a folder of results to a crate."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from iic.params.runs import Plan, load_plan
from iic.provenance.audit.report import Finding
from iic.provenance.audit.run import verify
from iic.provenance.audit.tree import Tree
from iic.provenance.crate.build import build, newest
from iic.provenance.crate.errors import CrateError
from iic.provenance.crate.write import check_place, write_folder, write_zip
from iic.records.paths import RESULTS, SCRATCH

KEPT = ("results", "data", "iic", "params", "workflow", "tests", "docs", ".git", ".dvc")
"""Folders of a clone that a crate may not be written into: audit, DVC or the crate itself look
there."""
NAMED = 3


@dataclass(frozen=True)
class Exported:
    """What was written."""

    out: Path
    jobs: int
    failures: int
    """Checks that failed; above 0 only where the results were exported unverified."""


def scale_of(folder: Path) -> str:
    """The scale whose results lie in `folder`.

    Raises:
        CrateError: It is no folder right below ``results/``.
    """
    # as written, links not followed: results/ may well be a link to a large disk
    path = Path(os.path.abspath(folder))
    if path.parent != Path(os.path.abspath(RESULTS)):
        raise CrateError(
            f"{folder}: is no folder of results; allowed: results/<scale>, e.g. results/mini"
        )
    scale = path.name
    load_plan(scale)  # before the folder: a name that is misspelt gets its suggestion
    if not path.is_dir():
        raise CrateError(
            f"{folder}: no such folder; run the workflow (iic run --scale {scale} all) or iic "
            "restore first"
        )
    return scale


def default_place(scale: str, zipped: bool) -> Path:
    """Where a crate goes when nobody says: neither git, DVC nor the audit look there."""
    return SCRATCH / "rocrate" / (f"{scale}.zip" if zipped else scale)


def export(
    folder: Path,
    out: Path | None = None,
    *,
    zipped: bool = False,
    artifacts: bool = False,
    unverified: bool = False,
    force: bool = False,
) -> Exported:
    """Write the results in `folder` as a Workflow Run RO-Crate.

    Args:
        folder: ``results/<scale>``.
        out: Folder, or zip file, to write.
        zipped: A zip file in place of a folder.
        artifacts: Weights and probabilities go in as well.
        unverified: Export results that do not verify; the crate says so.
        force: Replace an earlier crate at `out`.

    Raises:
        CrateError: The folder is none of results, the results do not verify, or the crate cannot
            be written. Nothing is left half-written.
        SettingsError: There is no such scale, or the settings are wrong.
    """
    plan = load_plan(scale_of(folder))
    target = default_place(plan.scale.name, zipped) if out is None else out
    if Path(os.path.abspath(target)).is_relative_to(Path.cwd()):
        first = Path(os.path.abspath(target)).relative_to(Path.cwd()).parts[:1]
        if not first or first[0] in KEPT:
            raise CrateError(
                f"{target}: a crate does not go there, where other files of the clone are kept; "
                f"allowed: any other place, e.g. {default_place(plan.scale.name, zipped)}"
            )
    check_place(target, zipped, force)
    failures = verify(plan)
    if failures and not unverified:
        raise CrateError(_refusal(folder, plan, failures))
    tree = Tree(plan)
    graph = build(tree, failures, artifacts)
    if zipped:
        write_zip(graph, target, newest([receipt for _, receipt in tree.present]))
    else:
        write_folder(graph, target)
    return Exported(target, len(tree.present), len(failures))


def _refusal(folder: Path, plan: Plan, failures: list[Finding]) -> str:
    named = [f"  {failure.kind}: {failure.path}: {failure.message}" for failure in failures[:NAMED]]
    more = len(failures) - len(named)
    return "\n".join(
        [
            f"{folder}: the results do not verify ({len(failures)} failures), so they are not "
            "exported",
            *named,
            *([f"  and {more} more"] if more else []),
            f"  -> iic audit --scale {plan.scale.name} names all and what to do; --unverified "
            "exports them all the same, and the crate says so",
        ]
    )
