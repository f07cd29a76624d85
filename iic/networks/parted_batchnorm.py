"""BatchNorm as on several GPUs: each part of a batch is normalised by its own statistics.

The released code wraps its networks in ``DataParallel``. It cuts a batch into as many chunks as
there are GPUs and sends each through a copy of the network. So BatchNorm sees a chunk at a time,
and of the copies' running statistics only the first copy's, which shares its memory with the
network, outlive the step. Convolutions and heads treat each image by itself: for them nothing
changes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class PartedBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm on the chunks of a batch, as ``torch.chunk`` and ``DataParallel`` cut it.

    In evaluation with running statistics it is plain BatchNorm.

    Args:
        whole: The BatchNorm in whose place it stands; its weights and statistics are taken over.
        parts: Chunks of a batch; a batch of n images has chunks of ceil(n / parts), the last one
            may be smaller, and there may be fewer.
    """

    def __init__(self, batchnorm: nn.BatchNorm2d, parts: int) -> None:
        super().__init__(
            batchnorm.num_features,
            eps=batchnorm.eps,
            momentum=batchnorm.momentum,
            track_running_stats=batchnorm.track_running_stats,
        )
        self.load_state_dict(batchnorm.state_dict())
        self.parts = parts

    def forward(self, x: Tensor) -> Tensor:
        """Normalised maps (N, C, H, W); the running statistics follow the first chunk alone."""
        if not self.training and self.track_running_stats:
            return super().forward(x)
        first, *others = x.chunk(self.parts)
        parts = [super().forward(first)]
        parts += [
            functional.batch_norm(
                part, None, None, self.weight, self.bias, training=True, eps=self.eps
            )
            for part in others
        ]
        return torch.cat(parts)


def part_batchnorm(network: nn.Module, parts: int) -> None:
    """Let every BatchNorm of a network normalise parts of a batch apart; 1 part changes nothing."""
    if parts == 1:
        return
    for module in list(network.modules()):
        for name, child in module.named_children():
            if type(child) is nn.BatchNorm2d:
                setattr(module, name, PartedBatchNorm2d(child, parts))
