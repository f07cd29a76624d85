"""Exemplar-CNN without labels (Table 3, what row "Dosovitskiy" classifies).

Objective: cross-entropy of surrogate classes. Each of 16,000 patches, one of an unlabelled image,
is a class, and its examples are transformed copies of it: moved, magnified, turned, with other
colours. Source: Dosovitskiy, Fischer, Springenberg, Riedmiller and Brox, "Discriminative
unsupervised feature learning with exemplar convolutional neural networks" (PAMI 2015), whose number
the paper quotes (docs/spec/baselines.md#exemplar-cnn).

As in the source: patches of 32 pixels where gradients are large, from images at four sizes; shifts
by a quarter, magnifications of 1 / sqrt 2 to sqrt 2, rotations of 20 degrees, factors of principal
colours, powers, factors and shifts of saturation and value, turns of the hue; the largest network,
92, 256 and 512 channels of 5x5 kernels and 1,024 features, dropout 0.5; SGD, momentum 0.9, weight
decay 0.004, batches of 128, 1.56 million steps, 1.2 of them at 0.01, the last at 1e-4. Features of
an image are the largest number of each quarter of each map of every layer.

Our choices where the source is silent: convolutions keep the map's size, and maxima of 2x2 follow
the first two; first weights as He et al. have them; what lies outside the image is mirrored.
k-means clusters the features, so that the run has a number of its own.

Known deviations: copies are drawn anew in each epoch, where the source makes 150 of each patch once
and for all; the rate falls by equal factors, four times, to the same last rate; patches of smaller
images are sampled without a filter; colours are multiplied from the mean colour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iic.methods.exemplar.settings import ExemplarSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(ExemplarSettings):
    """Settings of Exemplar-CNN without labels."""


def train(context: RunContext[Settings]) -> Outcome:
    """Tell patches apart, and cluster the features of the evaluated images."""
    from iic.engine.run import run
    from iic.methods.exemplar.task import ExemplarTask

    return run(context, ExemplarTask)
