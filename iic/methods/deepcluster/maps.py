"""DeepCluster on the pixels of images (Table 4, row "DeepCluster 2018").

Caron, Bojanowski, Joulin and Douze (ECCV 2018), as the paper's authors adapted it (supplement;
docs/spec/baselines.md#deepcluster): network C's trunk, whose 512 numbers at each position of its
map are the features, IIC's random transforms, 10 times as many clusters as classes. Their code was
not released.

Before each epoch: features of sampled pixels of random crops, in evaluation mode; PCA to 256
numbers, whitening, length 1; k-means, whose clusters are the pseudo-classes; a fresh top layer, a
1x1 convolution. Objective of the epoch: cross-entropy of the pseudo-labels at all positions of
transformed crops of all images. The pseudo-label of a position is given when its crop is drawn, by
a copy of the trunk as it was before the epoch, so that no label of any pixel is stored. Evaluation:
k-means with as many clusters as classes on the features of sampled pixels, then every scored pixel
gets the nearest centre.

Our choices where the source is silent: the official learning rate 0.05, momentum 0.9, decay 1e-5;
IIC's batch and epochs of the same column; pseudo-classes balanced by weights in the loss
(``balanced``); one restart of 20 iterations for them; the evaluation clusters features as they are
(``evaluate_on``), as the released code does Doersch's and Isola's; pixels without a class are left
out where IIC leaves them out. The feature of a pixel is interpolated between positions of the map
for what is sampled and scored; what is trained on are the positions, four pixels each.

Known deviations: the house's streamed k-means and its k-means++ starts in place of faiss; principal
directions of a million pixels of random images in place of all samples (``directions_samples``).
``evaluation_clusters.feature_sampling`` can draw the evaluation's pixels as the released code does
for Doersch's and Isola's; nobody knows whether that code, or its defect, was used here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iic.methods.deepcluster.map_settings import DeepClusterMapSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(DeepClusterMapSettings):
    """Settings of DeepCluster on pixels."""


def train(context: RunContext[Settings]) -> Outcome:
    """Train on pseudo-labels and cluster the features.

    Raises:
        IICError: Fewer pixels are left by the mask than there are clusters.
    """
    from iic.engine.run import run
    from iic.methods.deepcluster.map_task import DeepClusterMapTask

    return run(context, DeepClusterMapTask)
