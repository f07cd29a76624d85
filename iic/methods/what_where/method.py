"""Stacked what-where autoencoder, its codes clustered by k-means (Table 1, row "SWWAE").

Objective: squared error of the reconstruction + `intermediate_weight` times the squared errors
between the decoder's maps and the encoder's at the same place. Each pooling splits its input into
"what", the maxima, which go up, and "where", their places, which go across to the decoder's
unpooling. Then k-means on the last "what". Source: Zhao, Mathieu, Goroshin and LeCun, "Stacked
what-where auto-encoders" (arXiv:1506.02351), which the paper cites; the number itself is quoted
from earlier work, of which no code, architecture or protocol was published.

As in the source: convolutions with ReLU and max-pooling, places passed on, errors inside; the
stages that it has for STL10 (docs/spec/baselines.md#swwae), without the last layer, which is for
labels.

Our choices where the source is silent: BatchNorm, without which the errors inside could be made
small by small maps; squared errors as means over an image's or a map's numbers, all of weight 1;
gradients of the errors inside go to encoder and decoder; three stages for CIFAR (32 to 2 pixels)
and MNIST (28 to 1); pixels in [0, 1]; Adam 1e-3 and batches of 256, shuffled; training without
labels on the images that are evaluated; k-means++ with 10 restarts on the codes as they are, at the
last epoch.

No known deviation besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iic.methods.what_where.settings import WhatWhereSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(WhatWhereSettings):
    """Settings of the what-where autoencoder."""


def train(context: RunContext[Settings]) -> Outcome:
    """Train and cluster the codes; the one "sub-head" has the inertia as its loss."""
    from iic.engine.run import run
    from iic.methods.what_where.task import WhatWhereTask

    return run(context, WhatWhereTask)
