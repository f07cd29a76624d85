"""Joint unsupervised learning of representations and image clusters (Table 1, row "JULE").

Objective (Yang, Parikh and Batra, CVPR 2016): images and clusters are learnt in turns.

1. Images that hang together by edges to the nearest neighbour are the first clusters.
2. For `round_epochs` epochs a network is trained to bring images of one cluster together, and away
   from others: the weighted triplet loss, features of length 1.
3. The graph of nearest neighbours of all images is made anew from the features, and a share of the
   clusters, `graph.rate`, is merged away by their affinity in it (graph degree linkage). Then 2.
   again, until k clusters are left.

At last the evaluated images are clustered from the start, by the features that were learnt alone.
k is reached by merging; there is no k-means.

Settings are those of the released code (docs/spec/baselines.md#jule). It holds affinities of all
pairs, 19.6 GB for MNIST; here they are sparse, and the same.

Our choices where the source is silent: the network of colour images, by the rule of the paper that
maps shall shrink to about ten pixels; STL-10 averaged to 48 pixels.

Known deviations: features for the graph are normalised by running statistics, where the released
code leaves BatchNorm in training; affinities around a cluster are all of them, where the released
code looks at clusters of smaller numbers; the learning rate falls from epoch to epoch, and not
within one. The released gradient of the triplet loss is not that of the loss: with a weight of 1
it sets the anchors to 0 before it is done, so that the other two images of a triplet get none
along the sphere. Ours is the loss's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iic.methods.jule.settings import JULESettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(JULESettings):
    """Settings of JULE."""


def train(context: RunContext[Settings]) -> Outcome:
    """Merge and train in turns; the clusters are merged from the features.

    Raises:
        IICError: There are fewer than k clusters before the first merging.
    """
    from iic.engine.run import run
    from iic.methods.jule.task import JULETask

    return run(context, JULETask)
