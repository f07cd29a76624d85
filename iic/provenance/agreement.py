"""Whether a job finds what the workflow was planned with."""

from __future__ import annotations

from iic.params.errors import IICError


class PlanChanged(IICError):
    """Code, settings or data are not those that the workflow was planned with."""


def check_plan(planned: str | None, current: str, job: str) -> None:
    """Compare what the workflow was planned with and what the job finds.

    Args:
        planned: The workflow's ``fp``; None when a user runs a verb by hand.
        current: The job's fingerprint now.
        job: The job, for the message.

    Raises:
        PlanChanged: They differ.
    """
    if planned not in (None, current):
        raise PlanChanged(
            f"{job}: code, settings or data changed after the workflow was planned "
            f"(fingerprint {planned[:12]} then, {current[:12]} now). Nothing was written; "
            "run the same command again, and leave the files alone while it runs"
        )
