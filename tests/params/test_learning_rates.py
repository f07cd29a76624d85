"""A learning rate that changes: warm-up, milestones, cosine, each against its formula."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from pydantic import ValidationError

from iic.params.learning_rates import LearningRateSettings


def test_the_default_is_constant() -> None:
    settings = LearningRateSettings()
    assert {settings.factor(step, step // 7, 100) for step in range(100)} == {1.0}


def test_warm_up_rises_linearly_to_the_full_rate() -> None:
    settings = LearningRateSettings(warm_up_steps=4)
    assert [settings.factor(step, 0, 9) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]


def test_milestones_count_epochs_and_multiply() -> None:
    settings = LearningRateSettings(milestones=(2, 3), decay=0.4)
    factors = [settings.factor(0, epoch, 9) for epoch in range(5)]
    assert factors == pytest.approx([1, 1, 0.4, 0.16, 0.16])


def test_the_cosine_begins_at_its_share_and_ends_one_step_after_the_last() -> None:
    settings = LearningRateSettings(cosine_from=0.4, cosine_to=0.1)
    factors = [settings.factor(step, 0, 100) for step in range(101)]
    assert factors[:41] == [1.0] * 41
    assert factors[70] == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 2)) / 2)
    assert factors[100] == pytest.approx(0.1)
    assert all(later < earlier for earlier, later in pairwise(factors[40:]))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"milestones": [3, 3]}, "must ascend"),
        ({"milestones": [0]}, "greater than or equal to 1"),
        ({"cosine_from": 1.0}, "less than 1"),
        ({"decay": 0.0}, "greater than 0"),
    ],
)
def test_what_cannot_be_a_schedule_is_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        LearningRateSettings.model_validate(wrong)
