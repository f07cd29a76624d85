"""The order in which a pass goes through its images."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from iic.data.load import PreparedData
from iic.params.splits import UNLABELLED
from iic.params.training import PairSettings


def training_order(
    data: PreparedData, splits: tuple[str, ...], pairs: PairSettings
) -> torch.Tensor:
    """Indices of the images of `splits` in the order of an unshuffled pass, (n,) int64.

    Args:
        data: The dataset.
        splits: Splits of one head, in order; empty for the whole dataset.
        pairs: Whether labelled and unlabelled images are interleaved.
    """
    if pairs.order != "interleaved" or UNLABELLED not in splits[:2] or len(splits) < 2:
        return torch.from_numpy(data.indices(splits))
    first = [name for name in splits[:2] if name != UNLABELLED]
    mixed = interleaved(data.indices(first), data.indices([UNLABELLED]))
    rest = [data.indices([name]) for name in splits[2:]]
    return torch.from_numpy(np.concatenate([mixed, *rest]))


def interleaved(few: NDArray[np.int64], many: NDArray[np.int64]) -> NDArray[np.int64]:
    """One of `few`, then as many of `many` as fit evenly, and so on; what is left comes last.

    For STL10's 5,000 labelled and 100,000 unlabelled images: 0, 5000 to 5019, 1, 5020 to 5039.
    """
    run = len(many) // len(few)
    block = np.concatenate([few[:, None], many[: run * len(few)].reshape(len(few), run)], axis=1)
    return np.concatenate([block.ravel(), many[run * len(few) :]])
