"""SimSiam (Chen and He, CVPR 2021) with k-means: a reference row beside IMC-SwAV.

Objective: minus the cosine of one crop's prediction and the other's projection, which has no
gradient. k-means clusters the encoder's features, each of length 1.

It stands in the table because an encoder trained without any thought of clusters, and then k-means,
already gives good clusters (docs/imc_swav.md#reference-rows). SimSiam and not BYOL: it needs
neither negatives nor a second network that follows the first, so all but the objective is as in
IMC-SwAV: encoder, crops, order, engine.

Our choices: the crops of IMC-SwAV, the large two alone; the settings that PatrickHua/SimSiam has
for CIFAR-10 (SGD 0.03 for 256 images, momentum 0.9, decay 5e-4, cosine to zero, two layers of 2,048
in the projector, a bottleneck of 512); its decay for all parameters, its predictor's rate like the
others'; the last epoch. Known deviation: BatchNorm's statistics in evaluation are those of smaller
crops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iic.methods.simsiam.settings import SimSiamSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(SimSiamSettings):
    """Settings of SimSiam with k-means."""


def train(context: RunContext[Settings]) -> Outcome:
    """Train on pairs of crops and cluster the features."""
    from iic.engine.run import run
    from iic.methods.simsiam.task import SimSiamTask

    return run(context, SimSiamTask)
