"""A trained network of segmentation, and what it says of pixels."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from iic.augment.segmentation import SegmentationTransforms
from iic.methods.iic.maps import Settings
from iic.methods.iic.pair_task import REPORTED
from iic.networks.segmentation import SegmentationNetwork, build_segmentation

GOLDEN = 0.618034
"""Step of the hue from one cluster's colour to the next, in full circles."""
BLEND = 0.55
"""Share of the clusters' colours in an overlay."""


class Areas(NamedTuple):
    """What stands in a table for one image."""

    shares: NDArray[np.float64]
    """Share of its pixels in each cluster, (k,)."""
    probability: float
    """Mean over pixels, as of the next."""
    entropy: float
    """In units of log k."""


class MapNetwork:
    """A network in evaluation mode, on the CPU; BatchNorm has the statistics of the training.

    Args:
        settings: Of the training.
        tensors: All weights and running statistics, by name.

    Raises:
        RuntimeError: The tensors are those of another network.
    """

    def __init__(self, settings: Settings, tensors: Mapping[str, NDArray[Any]]) -> None:
        clusters = {name: head.k for name, head in settings.heads.items()}
        with torch.random.fork_rng(devices=[]):
            self.network: SegmentationNetwork = build_segmentation(
                settings.network, clusters, settings.sub_heads
            )
        state = {name: torch.from_numpy(np.array(array)) for name, array in tensors.items()}
        self.network.load_state_dict(state)
        self.network.eval()
        self.transforms = SegmentationTransforms(settings.augmentation)

    @property
    def tensors(self) -> dict[str, NDArray[Any]]:
        """Weights and statistics by name."""
        state = self.network.state_dict()
        return {name: tensor.numpy().copy() for name, tensor in state.items()}

    def probabilities(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Probabilities of an image's pixels (3, H, W) by each sub-head, (h, k, H, W)."""
        with torch.inference_mode():
            seen = self.transforms.original(torch.from_numpy(np.array(pixels))[None])
            answer: Tensor = self.network(seen, REPORTED)[0]
            return answer


def areas_of(probabilities: Tensor) -> Areas:
    """What a sub-head's maps (k, H, W) amount to."""
    k = len(probabilities)
    clusters = probabilities.argmax(dim=0)
    shares = torch.bincount(clusters.flatten(), minlength=k).double() / clusters.numel()
    entropy = -(probabilities * probabilities.clamp(min=1e-12).log()).sum(dim=0)
    return Areas(
        shares.numpy(),
        float(probabilities.amax(dim=0).double().mean()),
        float(entropy.double().mean() / np.log(k)),
    )


def stretched(probabilities: Tensor, height: int, width: int) -> NDArray[np.uint8]:
    """Clusters at another size, from maps (k, h, w): (height, width); one map is held at a time."""
    best = torch.zeros(height, width)
    clusters = torch.zeros(height, width, dtype=torch.uint8)
    for cluster, own in enumerate(probabilities):
        large = interpolate(
            own[None, None], size=(height, width), mode="bilinear", align_corners=False
        )[0, 0]
        clusters[large > best] = cluster
        best = torch.maximum(best, large)
    found: NDArray[np.uint8] = clusters.numpy()
    return found


def palette(k: int) -> list[int]:
    """Red, green and blue of each cluster, one after another."""
    colours = (colorsys.hsv_to_rgb((0.6 + GOLDEN * i) % 1, 0.75, 0.95) for i in range(k))
    return [round(255 * value) for colour in colours for value in colour]


def label_image(clusters: NDArray[np.uint8], k: int) -> Image.Image:
    """Clusters (H, W) as an image with a palette; a pixel's value is its cluster."""
    image = Image.fromarray(clusters, "L")
    image.putpalette(palette(k))
    return image


def overlay(image: Image.Image, labels: Image.Image) -> Image.Image:
    """Clusters' colours over an RGB image of the same size."""
    return Image.blend(image, labels.convert("RGB"), BLEND)
