"""DeepCluster (Caron, Bojanowski, Joulin, Douze, ECCV 2018) for features (Tables 1 and 3).

Before each epoch: features of all training images in evaluation mode, without random transforms;
PCA to 256 numbers, whitening, length 1; k-means, whose clusters are pseudo-labels; a fresh top
layer. Objective of the epoch: cross-entropy of the pseudo-labels of transformed images, sampled
uniformly over the clusters. The top layer has no momentum, as in the official code.

The paper's authors adapted the official code to IIC's networks and transforms, with 10 times as
many clusters as classes, features of 4,096 numbers, and k-means on the features for evaluation
(supplement, section 9); their code was not released.

Our choices where the source is silent: one linear layer after the trunk gives the features, with a
ReLU before the top layer, which is not clustered (as in AlexNet's last layer but one; without
dropout, which IIC's networks do not have); the official learning rate 0.05, momentum 0.9, decay
1e-5, batch 256 and 200 epochs; one restart of 20 iterations for pseudo-labels; for evaluation
whitened features of length 1 once more (``evaluate_on``), 10 restarts, the last epoch.

Known deviations: k-means++ starts (scikit-learn) in place of faiss's random ones; an empty cluster
takes the point farthest from its centre, where faiss splits a large one; principal directions are
found on 20,000 random images where there are more (``directions_images: null``: on all). Features
are never held together, but computed twice, in batches. A signal that comes during k-means is
heeded after the next step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iic.methods.deepcluster.settings import DeepClusterSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(DeepClusterSettings):
    """Settings of DeepCluster."""


def train(context: RunContext[Settings]) -> Outcome:
    """Train on pseudo-labels and cluster the features."""
    from iic.engine.run import run
    from iic.methods.deepcluster.task import DeepClusterTask

    return run(context, DeepClusterTask)
