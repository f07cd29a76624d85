"""The segmentation objective: mutual information between the clusters of neighbouring pixels.

Paper, section 3.3 and equation 5; the expectation inside the logarithm is that of the supplement,
section 6, and the entropy coefficient that of its section 5.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from iic.objective.clustering import mutual_information
from iic.objective.correlation import shifted_joints


def segmentation_loss(
    z: Tensor,
    z_transformed: Tensor,
    mask: Tensor | None,
    half_side: int,
    lam: float = 1.0,
    expectation: Literal["outside", "inside"] = "outside",
) -> Tensor:
    """Loss of each sub-head: minus the mutual information of pixels and their neighbours.

    A pixel is paired with all pixels of the transformed image that are displaced against it by at
    most d along either axis. Each displacement has a joint distribution of its own, normalised by
    its own sum, so that neither masks nor the border need any correction.

    A displacement at which next to no pixels meet (its sum is below the square root of the
    precision times the largest one: 3e-4 in float32) has no distribution: its information counts
    0 in the mean over all displacements. So a batch whose mask is empty has loss 0 and gradient 0.

    Args:
        z: Probabilities of the original images, (n, h, k, H, W) for h sub-heads and k clusters.
        z_transformed: Those of the transformed images, brought back into the frame of the
            originals (`unflip`) and summed over the repeats, (n, h, k, H, W).
        mask: Pixels of the originals that count, 1 or true, among others, 0 or false, (n, H, W);
            multiplied onto both maps. None: all count.
        half_side: d, the largest displacement in pixels.
        lam: Entropy coefficient; 1 is plain mutual information.
        expectation: ``outside``: the mean over displacements of the mutual information (equation
            5). ``inside``: the mutual information of the joint summed over displacements.

    Returns:
        (h,) losses, none below -(2 * lam - 1) * ln k, to be averaged over the sub-heads by the
        caller. They are float32, or float64 where the inputs are. Values that are not finite in
        the inputs are not finite in the losses either.

    Raises:
        ValueError: The maps are not of one shape (n, h, k, H, W), the mask not of (n, H, W), or
            `half_side` is negative.
    """
    if mask is not None:
        if z.ndim != 5 or mask.shape != (z.shape[0], *z.shape[3:]):
            raise ValueError(
                f"mask of shape {tuple(mask.shape)} for maps of {tuple(z.shape)}: "
                "(images, height, width) of the maps is needed"
            )
        counted = mask[:, None, None].to(torch.promote_types(z.dtype, torch.float32))
        z, z_transformed = z * counted, z_transformed * counted
    P = shifted_joints(z, z_transformed, half_side).flatten(1, 2)
    if expectation == "inside":
        P = P.sum(dim=1, keepdim=True)
    mass = P.sum(dim=(2, 3))
    least = torch.finfo(P.dtype).eps ** 0.5 * mass.detach().amax(dim=1, keepdim=True)
    empty = mass <= least  # false where something is not a number, which thus stays visible
    P = P / mass.masked_fill(empty, 1)[..., None, None]
    P = (P + P.mT) / 2
    information = mutual_information(P.flatten(0, 1), lam).view(mass.shape)
    return -information.masked_fill(empty, 0).mean(dim=1)


def unflip(z: Tensor, flipped: Tensor) -> Tensor:
    """Maps of images some of which had been mirrored left to right, mirrored back.

    Args:
        z: (n, ..., H, W) maps.
        flipped: (n,) booleans.

    Returns:
        (n, ..., H, W); the flip only moves values, so that it is inverted exactly.
    """
    return torch.where(flipped.reshape(-1, *[1] * (z.ndim - 1)), z.flip(-1), z)


def sparse_shift(z: Tensor, dy: int, dx: int) -> Tensor:
    """Maps displaced as a whole, zero where nothing comes from.

    The released code displaces the transformed maps of a batch so by one random vector; the
    paper's runs do not (docs/spec/segmentation.md#objective-over-shifts).

    Args:
        z: (..., H, W) maps.
        dy: Rows; pixel (y, x) of the result is pixel (y + dy, x + dx) of `z`.
        dx: Columns.

    Returns:
        (..., H, W) maps.
    """
    # negative padding crops
    return torch.nn.functional.pad(z, (-dx, dx, -dy, dy))
