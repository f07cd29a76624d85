"""k-means on frozen features from a file: a reference row beside IMC-SwAV.

Features come from a file that has a row for each image of the dataset, in its order, or from a
torchvision model whose weights are in a local file. So "DINO and k-means" is one setting away, and
nothing is downloaded. Files are known by SHA-256, which is part of the settings.

Our choices: features of length 1 (`normalise`), k-means++ starts, the one of lowest inertia kept.
Of a model the features are what its last part takes (`fc`, `classifier`, `heads` or `head`); images
are resized with antialiasing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iic.methods.frozen_features.settings import FrozenFeatureSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(FrozenFeatureSettings):
    """Settings of k-means on frozen features."""


def train(context: RunContext[Settings]) -> Outcome:
    """Cluster the features; the one "sub-head" has the inertia as its loss.

    Raises:
        IICError: A file is absent, damaged, another than its SHA-256 says, or does not have a
            finite row for each image.
    """
    import numpy as np

    from iic.engine.clustering.kmeans import kmeans
    from iic.engine.context import Checkpoint, Outcome
    from iic.methods.frozen_features.features import features_of

    settings = context.settings
    points = features_of(context)
    if settings.normalise:
        lengths = np.linalg.norm(points, axis=1, keepdims=True)
        points = points / np.maximum(lengths, np.finfo(np.float32).tiny)
    clustering = kmeans(
        points,
        settings.k,
        seed=context.seed,
        threads=settings.threads,
        restarts=settings.restarts,
        max_iterations=settings.max_iterations,
    )
    checkpoint = Checkpoint(0, clustering.clusters[:, None], (clustering.inertia,))
    return Outcome(
        last=checkpoint,
        best_label=None if context.data.labels is None else checkpoint,
        k=settings.k,
        precision="float32",
        tensors={"centres": clustering.centres},
    )
