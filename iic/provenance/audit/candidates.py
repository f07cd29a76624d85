"""Which trainings can be repeated here, and why others cannot.

No receipt says what a training costs: the cost model does, which stands in git.
"""

from __future__ import annotations

from collections.abc import Callable

from iic.provenance.audit.preparation import raw_here
from iic.provenance.audit.tree import Tree
from iic.provenance.jobs import Job
from iic.provenance.runtime import seconds_estimated
from iic.records.links import standing
from iic.records.paths import DATA
from iic.records.receipt import Receipt


def obstacle(
    tree: Tree, job: Job, receipt: Receipt, most_seconds: float, gpus: Callable[[], int]
) -> str | None:
    """Why a training cannot be repeated; None where it can.

    Args:
        tree: The clone.
        job: A job of the rule ``train``.
        receipt: Its receipt.
        most_seconds: What it may cost.
        gpus: Counts the GPUs that are here.
    """
    changed, acceptance = tree.drift(job, receipt)
    if changed and (acceptance is None or not all(change.acceptable for change in changed)):
        return "they are stale, so today's code or settings give other numbers"
    run = tree.plan.run(job.wildcards["run"])
    seconds = seconds_estimated(tree.plan, run)
    if seconds is None:
        return "nobody has counted what they cost"
    if seconds > most_seconds:
        return f"they are thought to take more than {most_seconds:g} s"
    if run.settings.gpu and not gpus():
        return "they need a GPU, and there is none here"
    if not raw_here(tree.root, run.dataset, tree.plan.datasets[run.dataset]):
        return f"the raw data of {run.dataset} are not here (iic restore)"
    # data are prepared again; what else they start from is another run
    for link in receipt.parents:
        if link.path.startswith(f"{DATA}/"):
            continue
        state = standing(receipt, link, tree.receipts)
        if state == "another":
            return f"{_whose(link.path)} other than those which they were made from"
        if state != "holds":
            return f"{_whose(link.path)} not here (iic restore)"
    for read in receipt.inputs:
        if read.path.startswith(f"{DATA}/"):
            continue
        sha256 = tree.sha256(read.path)
        if sha256 is None:
            return f"{_whose(read.path)} not here (iic restore)"
        if sha256 != read.sha256:
            return f"{_whose(read.path)} other than those which they were made from"
    return None


def _whose(path: str) -> str:
    """The folder of another run whose files are meant."""
    return f"the files in {path.rsplit('/', 1)[0]}, which they start from, are"
