"""Network of DeepCluster for segmentation: a trunk that is trained, and the one that labels.

Pseudo-labels of an epoch are those of the trunk as it was before the epoch, of its features'
whitening and of the clusters found then. All of that is in the module, and so in every checkpoint.
"""

from __future__ import annotations

import copy
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from iic.networks.segmentation import build_segmentation_trunk
from iic.params.segmentation import SegmentationNetworkSettings

WEIGHT_STD = 0.01
"""Of the top layer at its start, as in DeepCluster's official code."""
SMALLEST = 1e-12
"""Length below which a whitened feature is left as it is."""


class PseudoLabelledMaps(nn.Module):
    """Network C's trunk with a 1x1 convolution on top, and the teacher.

    All randomness comes from torch's global generator: seed it before.

    Args:
        settings: The trunk; its heads' padding is of no account.
        components: Principal directions of the teacher's features.
        clusters: Classes of the top layer.

    Attributes:
        trunk: Maps images (N, channels, H, W) to features (N, d, h, w); trained.
        top: Maps features to logits (N, clusters, h, w); trained, and forgotten before each epoch.
        teacher: The trunk as it was before the epoch; never trained, always in evaluation mode.
        mean: Of the teacher's features, (d,).
        projection: Principal directions, each divided by its deviation, (d, components).
        centres: Of the clusters of whitened features, (clusters, components).
    """

    mean: Tensor
    projection: Tensor
    centres: Tensor

    def __init__(
        self, settings: SegmentationNetworkSettings, *, components: int, clusters: int
    ) -> None:
        super().__init__()
        self.trunk = build_segmentation_trunk(settings)
        width = self.trunk.out_features
        self.top = nn.Conv2d(width, clusters, 1)
        self.reset_top(None)
        self.teacher = copy.deepcopy(self.trunk).requires_grad_(False).eval()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("projection", torch.zeros(width, components))
        self.register_buffer("centres", torch.zeros(clusters, components))

    def train(self, mode: bool = True) -> Self:
        """Training or evaluation mode of all but the teacher."""
        super().train(mode)
        self.teacher.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, clusters, h, w) of images (N, channels, H, W)."""
        logits: Tensor = self.top(self.trunk(x))
        return logits

    def labels(self, x: Tensor) -> Tensor:
        """Pseudo-labels of the map's positions, (N, h, w) int64, of images (N, channels, H, W)."""
        with torch.no_grad():
            features = self.teacher(x)
            # the nearest of many centres is not to be told in half precision
            with torch.autocast(x.device.type, enabled=False):
                return self._nearest(whiten(features.float(), self.mean, self.projection))

    def _nearest(self, whitened: Tensor) -> Tensor:
        """Cluster of the nearest centre, (N, h, w), of features (N, components, h, w)."""
        products = torch.einsum("nchw,kc->nkhw", whitened, self.centres)
        # |f - c|^2 up to |f|^2
        far = self.centres.square().sum(dim=1)[:, None, None] - 2 * products
        return far.argmin(dim=1)

    def new_teacher(self) -> None:
        """The trunk as it is now gives the labels from here on."""
        self.teacher.load_state_dict(self.trunk.state_dict())

    def set_clusters(
        self,
        mean: NDArray[np.float32],
        projection: NDArray[np.float32],
        centres: NDArray[np.float32],
    ) -> None:
        """New whitening and clusters; directions that could not be found stay zero.

        Args:
            mean: (d,).
            projection: (d, c), c at most the number of components.
            centres: (clusters, c).
        """
        directions = projection.shape[1]
        with torch.no_grad():
            self.mean.copy_(torch.from_numpy(mean))
            self.projection.zero_()
            self.projection[:, :directions] = torch.from_numpy(projection).to(self.mean.device)
            self.centres.zero_()
            self.centres[:, :directions] = torch.from_numpy(centres).to(self.mean.device)

    def reset_top(self, draw: torch.Generator | None) -> None:
        """Forget the top layer: clusters of one epoch are not those of the next.

        Args:
            draw: Source of its weights, on the CPU; None for torch's global generator.
        """
        assert self.top.bias is not None
        with torch.no_grad():
            # drawn on the host, so that a GPU starts from the same weights
            weight = torch.empty(self.top.weight.shape).normal_(std=WEIGHT_STD, generator=draw)
            self.top.weight.copy_(weight)
            self.top.bias.zero_()


def whiten(features: Tensor, mean: Tensor, projection: Tensor) -> Tensor:
    """Whitened features of length 1, as `iic.engine.clustering.whitening` has them, of maps.

    Args:
        features: (N, d, h, w).
        mean: (d,).
        projection: (d, c).

    Returns:
        (N, c, h, w).
    """
    whitened = torch.einsum("ndhw,dc->nchw", features - mean[:, None, None], projection)
    scaled: Tensor = whitened / whitened.norm(dim=1, keepdim=True).clamp(min=SMALLEST)
    return scaled
