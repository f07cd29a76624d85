"""Whether a job may go on with what it finds: against the plan, and against an acceptance."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from iic.params.errors import IICError
from iic.records.receipt import Receipt


class PlanChanged(IICError):
    """Code, settings or data are not those that the workflow was planned with."""


def accepted_as(receipt: Path, current: str) -> str:
    """The fingerprint that the receipt was written with, if it accepts `current`; else `current`.

    A receipt that is absent or damaged accepts nothing; it is the audit's task to say so.
    """
    try:
        content = json.loads(receipt.read_bytes())
        accepted = {acceptance["fingerprint"] for acceptance in content["acceptances"]}
        written = str(content["fingerprint"]["value"])
    except (OSError, ValueError, KeyError, TypeError):
        return current
    return written if current in accepted else current


def check_plan(
    planned: str | None, current: str, job: str, earlier: Iterable[Receipt] = ()
) -> None:
    """Compare what the workflow was planned with and what the job finds.

    Args:
        planned: The workflow's ``fp``; None when a user runs a verb by hand.
        current: The job's fingerprint now.
        job: The job, for the message.
        earlier: Its earlier receipts, of which one may accept `current`.

    Raises:
        PlanChanged: They differ, and no acceptance says that they stand for each other.
    """
    if planned is None or planned == current:
        return
    for receipt in earlier:
        accepted = {acceptance.fingerprint for acceptance in receipt.acceptances}
        if planned == receipt.fingerprint.value and current in accepted:
            return
    # Snakemake deletes a job's outputs before it starts it: without git the acceptance went too
    raise PlanChanged(
        f"{job}: code, settings or data changed after the workflow was planned "
        f"(fingerprint {planned[:12]} then, {current[:12]} now). Nothing was written; "
        "run the same command again, and leave the files alone while it runs"
        + (
            ".\nIf this run had been accepted (iic accept) and is made again, its acceptance went "
            "with its old files: the same command, run again, will train anew with the code as "
            "it is"
            if not tuple(earlier)
            else ""
        )
    )
