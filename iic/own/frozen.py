"""A trained network whose answer for an image no longer depends on the other images.

The fast recipe trains with the statistics of each batch. Here BatchNorm gets those of all images,
once, and keeps them; predictions are float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from iic.methods.iic.pair_task import REPORTED
from iic.networks.build import build
from iic.networks.two_head import ClusteringNetwork

BATCH = 500
Pixels = NDArray[np.uint8]


class Frozen:
    """A network in evaluation mode, on the CPU.

    Args:
        settings: Of the training.
        tensors: All weights and running statistics, by name.
    """

    def __init__(self, settings: Settings, tensors: Mapping[str, NDArray[Any]]) -> None:
        self.settings = settings
        self.network = _empty(settings)
        self.network.load_state_dict({name: _tensor(own) for name, own in tensors.items()})
        self.network.eval()

    @cached_property
    def augmentation(self) -> Augmentation:
        """Transforms, of which only the central crop is used."""
        return build_augmentation(self.settings.augmentation)

    @property
    def tensors(self) -> dict[str, NDArray[Any]]:
        """Weights and statistics by name."""
        state = self.network.state_dict()
        return {name: tensor.numpy().copy() for name, tensor in state.items()}

    def inputs(self, pixels: Pixels) -> Tensor:
        """What the network sees of images (n, C, S, S)."""
        return self.augmentation.evaluation(torch.from_numpy(np.array(pixels)))

    def probabilities(self, pixels: Pixels) -> NDArray[np.float32]:
        """Cluster probabilities by each sub-head of the main head, (n, h, k)."""
        with torch.inference_mode():
            parts = [self.network(part, REPORTED).numpy() for part in self._batches(pixels)]
        return np.concatenate(parts)

    def features(self, pixels: Pixels) -> NDArray[np.float32]:
        """Features of the trunk, (n, d)."""
        with torch.inference_mode():
            parts = [self.network.features(part).numpy() for part in self._batches(pixels)]
        return np.concatenate(parts)

    def _batches(self, pixels: Pixels) -> Iterator[Tensor]:
        for start in range(0, len(pixels), BATCH):
            yield self.inputs(pixels[start : start + BATCH])


def freeze(settings: Settings, weights: Mapping[str, NDArray[Any]], pixels: Pixels) -> Frozen:
    """A trained network with the statistics of all images in its BatchNorm layers.

    Args:
        settings: Of the training.
        weights: Of the training, without running statistics.
        pixels: All images, (n, C, S, S).
    """
    empty = {name: tensor.numpy() for name, tensor in _empty(settings).state_dict().items()}
    frozen = Frozen(settings, {**empty, **weights})
    parts = np.array_split(np.arange(len(pixels)), -(-len(pixels) // BATCH))
    # each part counts the same, so they are of one size
    update_bn((frozen.inputs(pixels[part]) for part in parts), frozen.network.trunk)
    frozen.network.eval()
    return frozen


def _empty(settings: Settings) -> ClusteringNetwork:
    network = settings.network.model_copy(update={"batchnorm_running_statistics": True})
    clusters = {name: head.k for name, head in settings.heads.items()}
    state = torch.get_rng_state()
    try:
        return build(network, clusters, settings.sub_heads)
    finally:
        torch.set_rng_state(state)


def _tensor(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.array(array))
