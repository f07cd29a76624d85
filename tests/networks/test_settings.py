from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from iic.params.networks import NetworkSettings


def test_defaults_are_the_paper() -> None:
    settings = NetworkSettings(family="A", input_size=64, in_channels=2)
    assert settings.stage_channels == (64, 128, 256, 512)
    assert settings.stage_blocks == (3, 4, 6, 3)
    assert settings.batchnorm_running_statistics


def test_lists_as_yaml_has_them_and_round_trip() -> None:
    content = {
        "family": "A",
        "input_size": 16,
        "in_channels": 1,
        "channels": [8, 9],
        "blocks": [1, 2],
    }
    settings = NetworkSettings.model_validate(content)
    assert settings.stage_channels == (8, 9) and settings.stage_blocks == (1, 2)
    assert NetworkSettings.model_validate_json(settings.model_dump_json()) == settings
    hash(settings)


def test_width_scales_the_paper_channels() -> None:
    settings = NetworkSettings(family="B", input_size=24, in_channels=1, width=0.25)
    assert settings.stage_channels == (16, 32, 64, 128)


@pytest.mark.parametrize("size", [32, 64, 96])
def test_paper_sizes_of_a(size: int) -> None:
    NetworkSettings(family="A", input_size=size, in_channels=2)


@pytest.mark.parametrize("size", [8, 16, 24, 64])
def test_sizes_of_b(size: int) -> None:
    NetworkSettings(family="B", input_size=size, in_channels=1)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"family": "C"}, "'A' or 'B'"),
        ({"family": "B", "input_size": 20}, "multiple of 8 is needed, such as 16 or 24"),
        ({"family": "B", "input_size": 4}, "such as 8"),
        ({"input_size": 4}, "too small for family A: at least 8"),
        ({"input_size": 32.0}, "valid integer"),
        ({"in_channels": 0}, "greater than or equal to 1"),
        ({"width": 0.0}, "greater than 0"),
        ({"width": float("inf")}, "finite"),
        ({"width": 0.5, "channels": [8, 8, 8, 8]}, "exclude each other"),
        ({"channels": [8, 8]}, "blocks has 4 entries for 2 stages"),
        ({"blocks": [1, 1]}, "blocks has 2 entries for 4 stages"),
        ({"channels": [8]}, "at least 2 items"),
        ({"channels": [8, 0, 8, 8]}, "channels.1"),
        ({"family": "B", "blocks": [1, 1, 1, 1]}, "family A only"),
        ({"batchnorm_running_statistics": "yes"}, "valid boolean"),
        ({"batchnorm_track": True}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_settings_are_named(changes: dict[str, Any], says: str) -> None:
    base: dict[str, Any] = {"family": "A", "input_size": 32, "in_channels": 2}
    with pytest.raises(ValidationError, match=says):
        NetworkSettings.model_validate(base | changes)
