"""Errors of a what-where autoencoder: of the image, and of the maps inside."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import mse_loss


def reconstruction_error(output: Tensor, images: Tensor) -> Tensor:
    """Mean squared error of a pixel: a scalar.

    Args:
        output: Reconstructions, (N, C, s, s).
        images: What they should be, in [0, 1].
    """
    return mse_loss(output, images)


def intermediate_error(decoded: Sequence[Tensor], encoded: Sequence[Tensor]) -> Tensor:
    """Mean squared error of a number in a map, summed over the maps: a scalar.

    Gradients go to both sides. The encoder's maps cannot shrink to be matched more easily, since
    BatchNorm sets their scale.

    Args:
        decoded: Maps of the decoder, (N, c, s, s) each.
        encoded: The encoder's maps at the same places. None: 0.
    """
    errors = [mse_loss(output, maps) for output, maps in zip(decoded, encoded, strict=True)]
    return torch.stack(errors).sum() if errors else torch.zeros(())
