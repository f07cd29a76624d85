"""A trained network whose answer for an image no longer depends on the other images.

The fast recipe trains with the statistics of each batch. Here BatchNorm gets those of all images,
once, and keeps them; predictions are float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.swa_utils import update_bn

from iic.augment.pipeline import Augmentation
from iic.augment.pipeline import build as build_augmentation
from iic.methods.iic.method import Settings
from iic.networks.build import build
from iic.networks.two_head import ClusteringNetwork
from iic.own.network import TrainedNetwork

Pixels = NDArray[np.uint8]


class Frozen(TrainedNetwork):
    """A network on images.

    Args:
        settings: Of the training.
        tensors: All weights and running statistics, by name.
    """

    BATCH = 500

    def __init__(self, settings: Settings, tensors: Mapping[str, NDArray[Any]]) -> None:
        super().__init__(lambda: _empty(settings), tensors)
        self.settings = settings

    @cached_property
    def augmentation(self) -> Augmentation:
        """Transforms, of which only the central crop is used."""
        return build_augmentation(self.settings.augmentation)

    def inputs(self, points: Pixels) -> Tensor:
        """What the network sees of images (n, C, S, S)."""
        return self.augmentation.evaluation(super().inputs(points))


def freeze(settings: Settings, weights: Mapping[str, NDArray[Any]], pixels: Pixels) -> Frozen:
    """A trained network with the statistics of all images in its BatchNorm layers.

    Args:
        settings: Of the training.
        weights: Of the training, without running statistics.
        pixels: All images, (n, C, S, S).
    """
    with torch.random.fork_rng(devices=[]):
        empty = {name: tensor.numpy() for name, tensor in _empty(settings).state_dict().items()}
    frozen = Frozen(settings, {**empty, **weights})
    parts = np.array_split(np.arange(len(pixels)), -(-len(pixels) // Frozen.BATCH))
    # each part counts the same, so they are of one size
    update_bn((frozen.inputs(pixels[part]) for part in parts), frozen.network.trunk)
    frozen.network.eval()
    return frozen


def _empty(settings: Settings) -> ClusteringNetwork:
    network = settings.network.model_copy(update={"batchnorm_running_statistics": True})
    clusters = {name: head.k for name, head in settings.heads.items()}
    return build(network, clusters, settings.sub_heads)
