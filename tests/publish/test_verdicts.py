from __future__ import annotations

from decimal import Decimal

import pytest

from iic.publish.verdicts import verdict


def judged(
    mean: str, std: str | None, n: int, *, published: str = "61.7", tolerance: str = "2.0"
) -> str | None:
    spread = None if std is None else Decimal(std)
    return verdict(Decimal(published), Decimal(tolerance), Decimal(mean), spread, n, real=True)


@pytest.mark.parametrize(
    ("mean", "std", "n", "expected"),
    [
        ("61.7", "0.00", 3, "reproduced"),
        ("63.70", "0.00", 3, "reproduced"),  # exactly the tolerance
        ("63.71", "0.00", 3, "above"),
        ("59.70", "0.00", 3, "reproduced"),
        ("59.69", "0.00", 3, "below"),
        ("65.70", "4.00", 4, "reproduced"),  # exactly 2 * 4 / sqrt(4)
        ("65.71", "4.00", 4, "above"),
        ("57.69", "4.00", 4, "below"),
        ("61.7", "5.00", 3, "reproduced"),  # a std of 5 points still counts
        ("61.7", "5.01", 3, "inconclusive"),
        ("61.7", "0.10", 2, "inconclusive"),
        ("99.0", None, 1, "inconclusive"),
    ],
)
def test_rule_and_its_edges(mean: str, std: str | None, n: int, expected: str) -> None:
    assert judged(mean, std, n) == expected


def test_stand_in_data_gets_no_verdict() -> None:
    assert verdict(Decimal(50), Decimal(2), Decimal(50), Decimal(1), 3, real=False) is None


def test_nothing_to_compare_gives_no_verdict() -> None:
    assert verdict(None, Decimal(2), Decimal(50), Decimal(1), 3, real=True) is None
    assert verdict(Decimal(50), Decimal(2), None, None, None, real=True) is None
