"""Labels that train: which images have them, and what they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iic.engine.context import RunContext
from iic.params.errors import IICError


def labelled_images(context: RunContext[Any], splits: Sequence[str], fold: int | None) -> Tensor:
    """Images of the splits, or of one predefined fold in their place, int64 on the host, (n,).

    Raises:
        IICError: The dataset has no such fold, or an image has no label.
    """
    manifest, labels = context.data.manifest, context.data.labels
    if fold is None:
        images = torch.from_numpy(context.data.indices(splits))
    else:
        folds = manifest.folds or ()
        if fold >= len(folds):
            raise IICError(
                f"{context.name}: fold: {fold}, but {manifest.dataset} has {len(folds)} "
                "predefined folds"
            )
        images = torch.tensor(folds[fold], dtype=torch.int64)
    if labels is None or (labels[images.numpy()] < 0).any():
        raise IICError(
            f"{context.name}: trains on labels, and some of its {len(images):,} training "
            f"images have none: name labelled splits under `splits`"
        )
    return images


def class_labels(context: RunContext[Any], device: torch.device) -> Tensor:
    """Class of every image of the dataset, -1 without one, on the device, (N,).

    Call `labelled_images` first, which refuses a dataset without labels.
    """
    return torch.from_numpy(np.asarray(context.data.labels)).to(device)
