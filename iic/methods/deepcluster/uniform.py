"""Sampling of images uniformly over clusters, so that large ones do not outvote small ones."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def uniform_over_clusters(labels: Tensor, draw: torch.Generator) -> Tensor:
    """As many images as there are, the same number from each cluster that has any.

    A cluster that is too small for its share gives images more than once; the last shares are cut
    where they do not come out even.

    Args:
        labels: Cluster of each image, (n,), on the host.
        draw: Source of the choice, on the host.

    Returns:
        Places in `labels`, (n,), shuffled.
    """
    present = torch.unique(labels).tolist()
    share = math.ceil(len(labels) / len(present))
    chosen = []
    for cluster in present:
        members = (labels == cluster).nonzero().flatten()
        if len(members) >= share:
            positions = torch.randperm(len(members), generator=draw)[:share]
        else:
            positions = torch.randint(len(members), (share,), generator=draw)
        chosen.append(members[positions])
    positions = torch.cat(chosen)
    return positions[torch.randperm(len(positions), generator=draw)][: len(labels)]
