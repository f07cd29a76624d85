"""Slow and obvious forms of the segmentation objective."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iic.objective.clustering import EPS


def map_probabilities(seed: int, *shape: int, sharpness: float = 1.0) -> Tensor:
    """Random maps (n, h, k, H, W), float64, summing to 1 over the clusters."""
    generator = torch.Generator().manual_seed(seed)
    logits = sharpness * torch.randn(*shape, generator=generator, dtype=torch.float64)
    return logits.softmax(dim=2)


def blobs(seed: int, n: int, k: int, side: int, sharpness: float) -> Tensor:
    """Smooth maps (n, 1, k, side, side), as those of a network are, float64."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(n, k, side // 8, side // 8, generator=generator, dtype=torch.float64)
    fine = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")
    return (sharpness * fine).softmax(dim=1).unsqueeze(1)


def plain_joints(z: Tensor, z_transformed: Tensor, half_side: int) -> NDArray[np.float64]:
    """Equation 5's sums (2d+1, 2d+1, k, k) for maps (n, k, H, W), pair of pixels by pair."""
    x, y = z.detach().double().numpy(), z_transformed.detach().double().numpy()
    n, k, height, width = x.shape
    side = 2 * half_side + 1
    P = np.zeros((side, side, k, k))
    for dy in range(-half_side, half_side + 1):
        for dx in range(-half_side, half_side + 1):
            for row in range(max(0, -dy), min(height, height - dy)):
                for column in range(max(0, -dx), min(width, width - dx)):
                    for image in range(n):
                        P[half_side + dy, half_side + dx] += np.outer(
                            x[image, :, row + dy, column + dx], y[image, :, row, column]
                        )
    return P


def plain_information(P: NDArray[np.float64], lam: float) -> float:
    """Information of a joint distribution, entry by entry, in Python floats."""
    k = len(P)
    row, column = P.sum(1), P.sum(0)
    return sum(
        float(P[a, b]) * (math.log(P[a, b]) - lam * math.log(row[a]) - lam * math.log(column[b]))
        for a in range(k)
        for b in range(k)
        if P[a, b] > 0
    )


def plain_loss(
    z: Tensor, z_transformed: Tensor, mask: Tensor, half_side: int, lam: float, expectation: str
) -> float:
    """The loss of maps (n, k, H, W) by loops; a displacement without a pair counts 0."""
    P = plain_joints(z * mask[:, None], z_transformed * mask[:, None], half_side)
    if expectation == "inside":
        P = P.sum((0, 1), keepdims=True)
    k, shifts = P.shape[-1], P.shape[0] * P.shape[1]
    total = 0.0
    for one in P.reshape(shifts, k, k):
        if one.sum() > 0:
            joint = one / one.sum()
            total += plain_information((joint + joint.T) / 2, lam)
    return -total / shifts


def released_loss(
    z: Tensor, z_transformed: Tensor, mask: Tensor, half_side: int, lam: float, expectation: str
) -> Tensor:
    """The loss of maps (n, k, H, W) with the kernels of the released code: the maps themselves."""
    z, z_transformed = z * mask[:, None], z_transformed * mask[:, None]
    P = torch.nn.functional.conv2d(
        z.permute(1, 0, 2, 3), z_transformed.permute(1, 0, 2, 3), padding=half_side
    )
    shifts = P.shape[2] * P.shape[3]
    if expectation == "inside":
        P, shifts = P.sum((2, 3), keepdim=True), 1
        P = P / P.sum().item()
    else:
        P = P / P.sum((0, 1), keepdim=True)
    P = (P + P.transpose(0, 1)) / 2
    row = P.sum(1, keepdim=True).clamp(min=EPS)
    column = P.sum(0, keepdim=True).clamp(min=EPS)
    P = P.clamp(min=EPS)
    return -(P * (P.log() - lam * row.log() - lam * column.log())).sum() / shifts
