"""What the workflow checks of its files when it is planned, beyond what `params` checks itself."""

from __future__ import annotations

from pathlib import Path

from iic.params.runs import Plan
from iic.publish.published import check_published


def check_planned(plan: Plan, root: Path = Path()) -> None:
    """Check what else would fail only once everything is trained: the printed numbers.

    Raises:
        SettingsError: They are malformed, or do not fit the tables of `plan`.
    """
    defined = [path.stem for path in (root / "params/experiments").glob("*.yaml")]
    check_published(plan.tables, defined, root)
