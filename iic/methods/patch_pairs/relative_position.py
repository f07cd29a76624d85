"""Where the second patch lies: cross-entropy over directions (Doersch, Gupta, Efros, ICCV 2015)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def relative_position_losses(outputs: Tensor, target: Tensor) -> Tensor:
    """Loss of each pair, (n,) float32.

    Args:
        outputs: Logits of the directions, (n, directions).
        target: Class of each pair's direction, (n,) int64.
    """
    return functional.cross_entropy(outputs.float(), target, reduction="none")
