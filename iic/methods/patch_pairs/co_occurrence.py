"""Whether two patches are neighbours: binary cross-entropy (Isola et al., arXiv:1511.06811).

Computed from the logit; the released code takes the logarithm of the sigmoid, and leaves out of the
sum, and of the gradient, pairs whose probability is below 2.2e-16.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def co_occurrence_losses(outputs: Tensor, target: Tensor) -> Tensor:
    """Loss of each pair, (n,) float32.

    Args:
        outputs: Logits of "adjacent", (n, 1).
        target: 1 where the patches are adjacent, 0 elsewhere, (n,) int64.
    """
    return functional.binary_cross_entropy_with_logits(
        outputs[:, 0].float(), target.float(), reduction="none"
    )
