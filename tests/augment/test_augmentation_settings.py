from __future__ import annotations

import json

import pytest
from pydantic import TypeAdapter, ValidationError

from iic.params.augmentation import (
    Affine,
    AugmentationSettings,
    ColourAugmentation,
    Cutout,
    GreyAugmentation,
)

adapter: TypeAdapter[GreyAugmentation | ColourAugmentation] = TypeAdapter(AugmentationSettings)


def test_defaults_are_the_papers() -> None:
    grey = GreyAugmentation()
    assert (grey.crop, grey.crops, grey.input_size) == (20, (16, 20, 24), 24)
    assert (grey.rotation_degrees, grey.rotation_probability) == (25, 0.5)
    assert (grey.brightness, grey.contrast, grey.centre_probability) == (0.4, 0.4, 0.5)
    colour = ColourAugmentation()
    assert (colour.crop, colour.input_size, colour.flip_probability) == (64, 64, 0.5)
    assert (colour.brightness, colour.contrast, colour.saturation) == (0.4, 0.4, 0.4)
    assert (colour.hue, colour.affine, colour.cutout) == (0.125, None, None)
    assert (Affine().rotation_degrees, Affine().scale, Affine().shear_degrees) == (
        18,
        (0.9, 1.1),
        10,
    )
    assert Cutout().side == (12, 44)


@pytest.mark.parametrize(
    ("channels", "sobel", "expected"),
    [("grey", True, 2), ("grey", False, 1), ("rgb+grey", True, 5), ("rgb+grey", False, 4)],
)
def test_output_channels(channels: str, sobel: bool, expected: int) -> None:
    text = json.dumps({"kind": "colour", "channels": channels, "sobel": sobel})
    assert adapter.validate_json(text).output_channels == expected


def test_kind_tells_the_families_apart() -> None:
    assert isinstance(adapter.validate_json('{"kind": "grey", "crops": [5, 7]}'), GreyAugmentation)
    assert isinstance(
        adapter.validate_json('{"kind": "colour", "cutout": {"side": [2, 6]}}'), ColourAugmentation
    )


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "sepia"}',
        '{"kind": "grey", "hue": 0.1}',
        '{"kind": "grey", "crops": []}',
        '{"kind": "grey", "crop": 0}',
        '{"kind": "grey", "rotation_probability": 1.5}',
        '{"kind": "grey", "brightness": -0.1}',
        '{"kind": "colour", "hue": 0.6}',
        '{"kind": "colour", "channels": "rgb"}',
        '{"kind": "colour", "cutout": {"side": [9, 3]}}',
        '{"kind": "colour", "affine": {"scale": [1.1, 0.9]}}',
        '{"kind": "colour", "crop": 20, "input_size": 32, "cutout": {"side": [4, 21]}}',
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        adapter.validate_json(text)


def test_crop_must_fit_the_images() -> None:
    GreyAugmentation().check(24)
    with pytest.raises(ValueError, match=r"^crops: a crop of side 24 .* images of side 23"):
        GreyAugmentation().check(23)
    with pytest.raises(ValueError, match=r"^crop: a crop of side 20 .* images of side 8"):
        GreyAugmentation(crops=(6, 8)).check(8)
    ColourAugmentation().check(96)
    with pytest.raises(ValueError, match=r"^crop: a crop of side 64 .* images of side 32"):
        ColourAugmentation().check(32)
