"""Triplets: features that an image shares with its transform, not with another (Table 1).

Objective: KL(positive || anchor) - KL(negative || anchor) of the softmax of linear outputs. Anchor:
the image as IIC's original; positive: its random transform; negative: another image, as an original
too, from an order shuffled anew in each epoch, so that it may be of the same class. Source: the
paper's authors ran it, citing Schultz and Joachims (NIPS 2003); supplement, section 9, and the
released script, for which no command was published.

As in the script: IIC's trunk and one linear layer without softmax; anchors in the dataset's order,
each image once an epoch; the images of IIC's head A; Adam; more outputs than classes, which the
table's double dagger implies, and k-means of the raw outputs. With as many outputs as clusters the
largest output is the cluster. `as_published` is the epoch of best label accuracy.

Our choices where the source is silent: learning rate, batch and number of outputs (IIC's rate,
pairs and clusters of head A in the same column; the script's default rate, 0.01, is one that none
of the 25 released commands keeps), epochs, k-means++ with 10 restarts, the run of lowest inertia
kept. The script reads a setting of BatchNorm that it never defines: whether its runs had running
statistics is unknown, and here they have what IIC's column has
(``network.batchnorm_running_statistics``).

Known deviation: none in the loss, which has no lower bound (``margin: null``). On handwritten
digits it does not become infinite, but its features get worse than those of the untrained network;
with fewer outputs it can end with one cluster for all. `corrected` is a hinge: a triplet that holds
by a margin of 5 nats is left alone. The paper says nothing of a margin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iic.methods.triplets.settings import TripletSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(TripletSettings):
    """Settings of Triplets."""


def train(context: RunContext[Settings]) -> Outcome:
    """Train on triplets and cluster the outputs."""
    from iic.engine.run import run
    from iic.methods.triplets.task import TripletTask

    return run(context, TripletTask)
