"""Codes of images, scaled as the settings say and clustered by the house's k-means."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from iic.engine.clustering.kmeans import Clustering, kmeans
from iic.methods.autoencoders.settings import CodeClusterSettings

Codes = npt.NDArray[np.float32]
SMALLEST = 1e-12
"""Deviation or length below which a number of the code, or a code, is left unscaled."""


def scaled(codes: Codes, scaling: str) -> Codes:
    """Codes (n, d) as they are clustered: see `CodeClusterSettings.scaling`."""
    if scaling == "none":
        return codes
    wide = codes.astype(np.float64)
    if scaling == "standardise":
        wide -= wide.mean(axis=0)
        size = wide.std(axis=0)
    else:
        size = np.linalg.norm(wide, axis=1, keepdims=True)
    return (wide / np.where(size > SMALLEST, size, 1)).astype(np.float32)


def cluster_codes(
    codes: Codes, k: int, settings: CodeClusterSettings, *, restarts: int, seed: int, threads: int
) -> Clustering:
    """Cluster the codes; same arguments, same bytes.

    Args:
        codes: (n, d).
        k: Clusters.
        settings: How codes are scaled, and the most iterations.
        restarts: Starts, of which the one of lowest inertia is kept.
        seed: Seed of the starts, any whole number of at least 0.
        threads: CPU threads allowed.

    Returns:
        Clusters and, in the scaled codes' units, centres and inertia.

    Raises:
        IICError: There are fewer codes than clusters, or one is not finite.
    """
    return kmeans(
        scaled(codes, settings.scaling),
        k,
        seed=seed,
        threads=threads,
        restarts=restarts,
        max_iterations=settings.max_iterations,
    )
