"""Cutout: a wide residual network on images with a square cut out (Table 3, row "Cutout (sup)").

Objective: cross-entropy on the 5,000 labelled images, of each of which a square is hidden. Source:
DeVries and Taylor, "Improved regularization of convolutional neural networks with cutout"
(arXiv:1708.04552); its released code has no STL10, so settings are those of the paper, from memory
(docs/spec/baselines.md#cutout).

As in the source: WRN-16-8 at 96 pixels; shift by up to 12 pixels and mirroring, then a square of 32
pixels whose middle is any pixel, so that part of it may lie outside; pixels standardised before, so
that it has the mean colour; SGD with Nesterov's momentum, 1,000 epochs, the rate multiplied by 0.2
four times.

Our choices where the source is silent: mean and deviation of each channel over the labelled images;
dropout of 0.3, as in the source's network for CIFAR; the last epoch and, as `as_published`, the one
of best test accuracy, as the paper's own rows have it.

No known deviation besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iic.methods.wide_residual.settings import (
    NesterovOptimiserSettings,
    WideResidualSettings,
)

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(WideResidualSettings):
    """Settings of cutout."""

    shift: int = 12
    surroundings: Literal["black", "mirrored"] = "black"
    square: int = 32
    optimiser: NesterovOptimiserSettings = NesterovOptimiserSettings()


def train(context: RunContext[Settings]) -> Outcome:
    """Train on labels and report the classes of the evaluated images.

    Raises:
        IICError: The dataset has no such fold, a training image has no label, or a batch would have
            one image.
    """
    from iic.engine.run import run
    from iic.methods.wide_residual.task import WideResidualTask

    return run(context, WideResidualTask)
