"""The verdict on a reproduced number: the one place where the rule stands."""

from __future__ import annotations

from decimal import Decimal

from iic.records.table import Verdict

SEEDS_NEEDED = 3
LARGEST_STD = Decimal(5)
"""Percentage points over seeds, beyond which a mean says too little."""


def verdict(
    published: Decimal | None,
    tolerance: Decimal | None,
    ours_mean: Decimal | None,
    ours_std: Decimal | None,
    n_seeds: int | None,
    *,
    real: bool,
) -> Verdict | None:
    """Compare our mean with the published number; all scores in percent, as the table prints them.

    Args:
        published: The paper's number; None where there is none, or another dataset ran.
        tolerance: Difference that counts as reproduced whatever the spread over seeds.
        ours_mean: Mean over seeds.
        ours_std: Standard deviation over seeds (ddof 1); None for one seed.
        n_seeds: Number of seeds.
        real: Whether the data that ran is real; stand-in data gets no verdict.

    Returns:
        None without real data or without a number on either side; ``inconclusive`` for fewer than
        3 seeds or a std above 5 points; ``reproduced`` where the difference is at most
        max(tolerance, 2 std / sqrt(n)); else ``above`` or ``below``, ours being so.
    """
    if not real or published is None or ours_mean is None or n_seeds is None:
        return None
    if n_seeds < SEEDS_NEEDED or ours_std is None or ours_std > LARGEST_STD:
        return "inconclusive"
    if tolerance is None:
        raise ValueError("a published number cannot be judged without a tolerance")
    difference = ours_mean - published
    if abs(difference) <= max(tolerance, 2 * ours_std / Decimal(n_seeds).sqrt()):
        return "reproduced"
    return "above" if difference > 0 else "below"
