"""One audit: every check on one tree, one report."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from iic.params.runs import Plan
from iic.provenance import jobs
from iic.provenance.audit import (
    drift,
    excerpts,
    files,
    integrity,
    orphans,
    page,
    plausibility,
    schema_check,
    signed,
)
from iic.provenance.audit.chain import Chain
from iic.provenance.audit.contradictions import Contradictions
from iic.provenance.audit.inferences import InferenceRequest, Inferences
from iic.provenance.audit.marks import Marks
from iic.provenance.audit.metrics import Metrics
from iic.provenance.audit.packages import Packages
from iic.provenance.audit.past import Past
from iic.provenance.audit.rebuild import Rebuild
from iic.provenance.audit.redraw import Redraw
from iic.provenance.audit.report import AuditReport, Checked, Finding, conclude
from iic.provenance.audit.rerun import Repetitions, Request
from iic.provenance.audit.second_opinion import SecondOpinion
from iic.provenance.audit.signed import Signers
from iic.provenance.audit.tree import Tree
from iic.provenance.environment import code_state
from iic.provenance.fingerprint import CodeError, fingerprint
from iic.records.files import RecordError, clear_left_over, write_record
from iic.records.paths import audit_report, own_audit_report


def audit(
    plan: Plan,
    root: Path = Path(),
    *,
    rerun: Request | None = None,
    infer: InferenceRequest | None = None,
    signers: Signers | None = None,
    report_follows: bool = False,
    redraw: bool = False,
    own_code: bool = False,
    packages: Packages | None = None,
) -> AuditReport:
    """Verify the results of a scale, from the cells of its tables back to the raw data.

    Args:
        plan: What the scale holds.
        root: Root of the clone; settings are those of the working directory.
        rerun: Trainings to repeat, if any.
        infer: Whether to compute runs again from their weights, and how long.
        signers: Whose signatures count, if they are to be looked at.
        report_follows: Whether the report page is made next, so that it matters not what an
            earlier one shows.
        redraw: Whether to draw figures and the report page again.
        own_code: Whether results are compared with the code that lies in `root`, though another
            one does the audit.
        packages: The installed packages, if they are to be looked at.

    Raises:
        SettingsError: The settings are wrong, so nothing can be compared with them.
    """
    tree = Tree(plan, root, root.resolve() if own_code else None)
    code = code_state(root)
    if unreadable := list(files.check(tree)):
        nothing = Checked(jobs=0, files=0, cells=0, evaluations=0, tables=0)
        return conclude(plan.scale.name, datetime.now(UTC), code, nothing, unreadable)
    try:
        own = fingerprint(jobs.audit(plan.scale.name)).value
    except CodeError:
        own = None  # it is drift, and said below
    # code is read, and packages are loaded, before torch is: what lives by then is not collected at
    # the end of the process, and torch's compiler complains of that
    findings: list[Finding] = list(drift.stale(tree))
    findings += integrity.check(tree)
    findings += excerpts.check(tree)
    marks = Marks(tree)
    findings += marks.check(follows=report_follows or own_code)
    drawings = Redraw(tree)
    if redraw:
        findings += drawings.check()
    if packages is not None:
        findings += packages.check()
    chain, metrics, rebuild = Chain(tree), Metrics(tree), Rebuild(tree)
    parts = (chain, metrics, SecondOpinion(tree), rebuild, Contradictions(tree), Past(tree))
    for part in parts:
        findings += part.check()
    findings += plausibility.check(tree)
    findings += orphans.check(tree)
    findings += schema_check.check(tree)
    findings += schema_check.unverified(tree)
    findings += drift.environment(tree)
    findings += drift.uncommitted(tree, code)
    findings += drift.start_files()
    inferred = 0
    if infer is not None:
        inferences = Inferences(tree, infer)
        findings += inferences.check()
        inferred = inferences.inferred
    if signers is not None:
        findings += signed.check(tree, signers)
    reruns = None
    if rerun is not None:
        repetitions = Repetitions(tree, rerun)
        findings += repetitions.check()
        reruns = repetitions.report
    findings += page.check(tree, findings, follows=report_follows)
    checked = Checked(
        jobs=len(tree.present),
        files=tree.hashed,
        cells=chain.closed,
        evaluations=metrics.recomputed,
        tables=rebuild.rebuilt,
        inferred=inferred,
        drawn=drawings.drawn,
        marked=marks.written,
        packages=0 if packages is None else packages.compared,
    )
    return conclude(plan.scale.name, datetime.now(UTC), code, checked, findings, reruns, own)


def verify(plan: Plan, root: Path = Path()) -> list[Finding]:
    """The part of an audit that looks at files and receipts alone.

    Returns:
        The failures.
    """
    tree = Tree(plan, root)
    if unreadable := list(files.check(tree)):
        return unreadable
    findings = [*integrity.check(tree), *Chain(tree).check(), *excerpts.check(tree)]
    findings += [*orphans.check(tree), *schema_check.check(tree)]
    return [finding for finding in findings if finding.level == "failure"]


def write(report: AuditReport, root: Path = Path(), *, to_results: bool = True) -> Path:
    """Write ``audit.json``, and ``audit.html`` for a reader beside it.

    Args:
        report: What was found.
        root: Root of the clone.
        to_results: Into ``results/<scale>/``, where the report page and whoever gets the results
            read it; else into ``logs/<scale>/``, which is nobody's but this clone's.

    Returns:
        Path of the former, relative to `root`.

    Raises:
        RecordError: It cannot be written.
    """
    path = _place(report.scale, to_results)
    page.write_page(report, root / path.with_suffix(".html"))
    write_record(root / path, report)
    return path


def discard(scale: str, root: Path = Path(), *, to_results: bool = True) -> None:
    """Delete the report and the page that `write` would replace, and what killed audits left.

    Raises:
        RecordError: They cannot be deleted.
    """
    path = root / _place(scale, to_results)
    for old in (path, path.with_suffix(".html")):
        clear_left_over(old)  # else it would be found among the results
        try:
            old.unlink(missing_ok=True)
        except OSError as error:
            raise RecordError(
                f"{old}: an earlier audit is there and cannot be deleted: {error.strerror}; "
                "delete it, and audit again"
            ) from error


def _place(scale: str, to_results: bool) -> Path:
    return audit_report(scale) if to_results else own_audit_report(scale)
