"""Names of splits in settings, compared with those that the dataset has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from iic.params.base import Problem
from iic.params.datasets import Dataset

UNLABELLED = "unlabeled"
"""Name of the split without labels, as STL-10 spells it."""
FOLD_SHARE = 0.2
"""Part of the labelled images in a predefined fold: 1,000 of 5,000 in STL10, the one that has any;
the catalogue does not say."""


def split_problems(key: str, splits: Sequence[str], dataset: Dataset) -> Iterator[Problem]:
    """Whether `dataset` has each of `splits`, and none stands twice.

    Args:
        key: Dotted key of the setting.
        splits: Names; none stands for the whole dataset.
        dataset: The dataset.
    """
    names = ", ".join(dataset.splits)
    for name in splits:
        if name not in dataset.splits:
            yield Problem(key, f"{dataset.title} has no split {name!r}", names)
    if len(set(splits)) < len(splits):
        yield Problem(key, f"{list(splits)} names a split twice", f"each of {names} once")


def image_count(splits: Sequence[str], dataset: Dataset) -> int:
    """Number of images in `splits`; of the whole dataset where there are none."""
    return sum(dataset.splits.get(name, 0) for name in splits or dataset.splits)
