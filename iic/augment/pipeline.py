"""The random transforms g as the engine sees them (docs/spec/images.md#transforms)."""

from __future__ import annotations

from typing import Any, TypeAlias

from iic.augment import augmentation
from iic.augment.colour import ColourPipeline
from iic.augment.grey import GreyPipeline
from iic.augment.warp import WarpPipeline
from iic.params.augmentation import ColourAugmentation, GreyAugmentation, WarpAugmentation

Augmentation: TypeAlias = augmentation.Augmentation[Any, Any]
"""Transforms of any family: `original`, `transformed` and `evaluation`."""


def build(settings: GreyAugmentation | ColourAugmentation | WarpAugmentation) -> Augmentation:
    """The transforms that `settings` describe."""
    if isinstance(settings, GreyAugmentation):
        return GreyPipeline(settings)
    if isinstance(settings, WarpAugmentation):
        return WarpPipeline(settings)
    return ColourPipeline(settings)
