"""Deep embedded clustering (Xie, Girshick and Farhadi, ICML 2016): what its stages minimise.

Errors are half the mean square over images *and* numbers, as the released code's loss layer has it:
only so does the published learning rate of 0.1 mean the same whatever the layer's width.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Layer = Callable[[Tensor], Tensor]


def mean_error(output: Tensor, target: Tensor) -> Tensor:
    """Half the mean square of the difference, over all numbers: scalar.

    Args:
        output: Reconstructions, (N, ...).
        target: What they should be, of the same shape.
    """
    return (output - target).square().mean() / 2


def dropped(values: Tensor, share: float, draw: torch.Generator) -> Tensor:
    """Values with about `share` of them set to 0, the others scaled so that the mean stays."""
    if share == 0:
        return values
    kept = torch.rand(values.shape, generator=draw, device=values.device) >= share
    return values * kept / (1 - share)


def layer_error(
    inputs: Tensor,
    encode: Layer,
    decode: Layer,
    draw: torch.Generator,
    *,
    input_dropout: float,
    dropout: float,
    first: bool,
    last: bool,
) -> Tensor:
    """Error of one layer of a stacked denoising autoencoder (section 3.2, eq. 4 to 7): scalar.

    Args:
        inputs: Clean outputs of the layers below, (N, n); the images for the first layer.
        encode: The layer before its activation, (N, n) to (N, m).
        decode: Its mirror before its activation, (N, m) to (N, n).
        draw: Source of all chance, on the inputs' device.
        input_dropout: Share of the inputs that is dropped.
        dropout: Share of the hidden units that is dropped.
        first: Whether this is the first layer, whose reconstruction has no ReLU: images may be
            scaled below 0.
        last: Whether this is the code, which has neither ReLU nor dropout: it shall keep all.
    """
    hidden = encode(dropped(inputs, input_dropout, draw))
    if not last:
        hidden = dropped(hidden.relu(), dropout, draw)
    output = decode(hidden)
    return mean_error(output if first else output.relu(), inputs)


def soft_assignment(codes: Tensor, centres: Tensor) -> Tensor:
    """q: Student's t-distribution of one degree of freedom around each centre (eq. 1), (N, k).

    Args:
        codes: (N, d).
        centres: (k, d).
    """
    distances = (codes[:, None] - centres).square().sum(dim=2)
    kernel = 1 / (1 + distances)
    return kernel / kernel.sum(dim=1, keepdim=True)


def target_distribution(q: Tensor) -> Tensor:
    """p: q squared, over the clusters' soft sizes, normalised (eq. 3), (N, k) without gradient.

    Args:
        q: Soft assignments of *all* training images, (N, k): the sizes are theirs.
    """
    weights = q.detach().double().square()
    weights /= q.detach().double().sum(dim=0)
    return (weights / weights.sum(dim=1, keepdim=True)).to(q.dtype)


def divergence(p: Tensor, q: Tensor) -> Tensor:
    """KL(P || Q) in nats, mean over images (eq. 2): scalar.

    Args:
        p: Targets, (N, k).
        q: Soft assignments, (N, k), positive.
    """
    return nn.functional.kl_div(q.log(), p, reduction="batchmean")
