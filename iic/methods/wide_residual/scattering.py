"""A wide residual network on scattering coefficients (Table 3, rows "Oyallon").

Objective: cross-entropy on labelled images, all 5,000 or those of one fold. Each image first goes
through a scattering transform, which learns nothing: moduli of Morlet wavelets of 2 scales and 8
directions, of one wavelet or of two after another, averaged over 4 pixels: 81 maps of each colour.
Source: Oyallon, Belilovsky and Zagoruyko, "Scaling the scattering transform: deep hybrid networks"
(ICCV 2017), and its released code for STL10 (docs/spec/baselines.md#scattering-hybrid).

As in the source: BatchNorm without weights on the coefficients, a convolution to 256 channels, two
residual blocks of 256, two of 512, average, linear layer; shift by up to 8 pixels into mirrored
surroundings, mirroring; SGD 0.1, momentum 0.9, weight decay 5e-4, batches of 32, 5,000 epochs, the
rate multiplied by 0.2 after 1,500, 2,000, 3,000 and 4,000; the same for folds.

Our choices where the source is silent: blocks as in WRN, BatchNorm and ReLU before convolutions;
pixels standardised by the labelled images; the last epoch and, as `as_published`, the one of best
test accuracy.

Known deviations: maps between two wavelets keep all their pixels, where the released transform
leaves some out early; the last batch of an epoch may be smaller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iic.methods.wide_residual.settings import WideResidualSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(WideResidualSettings):
    """Settings of the hybrid."""

    shift: int = 8
    surroundings: Literal["black", "mirrored"] = "mirrored"
    batch_images: int = 32


def train(context: RunContext[Settings]) -> Outcome:
    """Train on labels and report the classes of the evaluated images.

    Raises:
        IICError: The dataset has no such fold, a training image has no label, or a batch would have
            one image.
    """
    from iic.engine.run import run
    from iic.methods.wide_residual.task import WideResidualTask

    return run(context, WideResidualTask)
