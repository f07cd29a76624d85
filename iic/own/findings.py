"""What a clustering is worth, said plainly, from what a fit leaves behind."""

from __future__ import annotations

from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iic.evaluate.metrics import ari
from iic.own.model import Stability

SHUFFLES = 20
LEAST_STABILITY = 0.1
"""Adjusted Rand index between seeds below which clusters are no property of the images, even where
it is above chance: noise too has a mean brightness that two trainings may both see."""
EMPTY_SHARE = 0.1
"""A cluster with fewer than this share of n / k images is as good as empty."""
UNEVEN = 2.0
"""The largest cluster has so many times n / k images, where sizes are uneven."""

UNEVEN_RIVAL = 1.5
"""The largest cluster of k-means is so many times IIC's, where the images may be uneven."""


class Finding(NamedTuple):
    """One thing to know about a clustering."""

    level: Literal["good", "warn", "bad"]
    text: str


def stability(by_seed: NDArray[np.int64], agreement: float) -> Stability:
    """How far seeds agree.

    Args:
        by_seed: Clusters of each image by seed, (n, seeds).
        agreement: Mean agreement of sub-heads.
    """
    pairs = list(combinations(range(by_seed.shape[1]), 2))
    if not pairs:
        return Stability(ari=None, shuffled=None, agreement=agreement)
    draw = np.random.default_rng(0)
    scores = [ari(by_seed[:, one], by_seed[:, other]) / 100 for one, other in pairs]
    shuffled = [
        ari(by_seed[:, one], draw.permutation(by_seed[:, other])) / 100
        for one, other in pairs
        for _ in range(SHUFFLES // len(pairs) + 1)
    ]
    return Stability(
        ari=float(np.mean(scores)),
        pairs=tuple(scores),
        shuffled=max(shuffled),
        agreement=agreement,
    )


def stable(measured: Stability) -> bool:
    """Whether other seeds find the same clusters, as far as that was asked."""
    if measured.ari is None or measured.shuffled is None:
        return True
    return measured.ari > max(measured.shuffled, LEAST_STABILITY)


def findings(
    clusters: NDArray[np.int64],
    k: int,
    measured: Stability,
    rival: NDArray[np.int64],
    distinct: int,
) -> list[Finding]:
    """What is to be said; any of level ``bad`` means that there is no stable clustering.

    Args:
        clusters: Of each image, (n,).
        k: Clusters asked for.
        measured: `stability`.
        rival: k-means' clusters, (n,).
        distinct: Images of different content.
    """
    count = len(clusters)
    sizes = np.sort(np.bincount(clusters, minlength=k))[::-1]
    found = _collapse(sizes, k)
    if not any(finding.level == "bad" for finding in found):
        # where all images are in one cluster, so are shuffled ones, and an index says nothing
        found.insert(0, stability_finding(measured))
    largest, rivals = sizes[0] / count, np.bincount(rival).max() / count
    if largest * k > UNEVEN:
        found.append(
            Finding("warn", f"Sizes are uneven: the largest cluster holds {largest:.0%} of all.")
        )
    elif rivals > UNEVEN_RIVAL * largest:
        found.append(
            Finding(
                "warn",
                f"k-means puts {rivals:.0%} of the images into one cluster, IIC at most "
                f"{largest:.0%}. The objective prefers clusters of equal size: where the real "
                "groups are uneven (90 to 10, say), it splits the large ones.",
            )
        )
    if distinct < count:
        found.append(
            Finding("warn", f"{count - distinct:,} of {count:,} images are copies of another one.")
        )
    if count < 20 * k:
        found.append(
            Finding("warn", f"{count:,} images are few for {k} clusters: less than 20 for each.")
        )
    return found


def stability_finding(measured: Stability) -> Finding:
    """What is to be said of how far seeds agree."""
    if measured.ari is None:
        return Finding("warn", "One seed only: whether another finds the same was not asked.")
    text = (
        f"Trainings from other seeds agree by an adjusted Rand index of {measured.ari:.2f} "
        f"(1 is the same clusters; shuffled images give at most {measured.shuffled:.2f})."
    )
    if not stable(measured):
        return Finding("bad", f"No stable clustering. {text} What is shown is chance.")
    if measured.ari < 0.5:
        return Finding("warn", f"{text} Read the clusters with care: another seed draws others.")
    return Finding("good", text)


def _collapse(sizes: NDArray[np.int64], k: int) -> list[Finding]:
    count = int(sizes.sum())
    full = int((sizes >= max(1, EMPTY_SHARE * count / k)).sum())
    if full == k:
        return []
    if full == 1:
        return [Finding("bad", "Collapsed: nearly all images are in one cluster.")]
    return [
        Finding("warn", f"Only {full} of {k} clusters are filled: a smaller k may suit the images.")
    ]
