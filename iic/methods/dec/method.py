"""Deep embedded clustering (Table 1, row "DEC").

Objective, in stages (Xie, Girshick and Farhadi, "Unsupervised deep embedding for clustering
analysis", ICML 2016):

1. each layer of the encoder d-500-500-2000-10 with its mirror as a denoising autoencoder of the
   outputs of the layers below, one after another (dropout 0.2 of inputs and hidden units, ReLU but
   for the code and the reconstructed image);
2. the whole autoencoder, without dropout;
3. k-means with 20 restarts on the codes of all training images gives the centres;
4. KL(P || Q) over encoder and centres, q Student's t around the centres, p its square over the
   clusters' soft sizes, normalised; P is computed over *all* images before each epoch and held
   through it; the end when less than 0.1 % of them change their cluster.

An image's cluster is that of its highest q. The paper quotes three of the numbers from other work,
and DEC's own for MNIST; that for STL10 was made from HOG and colour features, ours are pixels.

Settings are those of the released code, in epochs of each dataset: 50,000 steps a layer and 100,000
for the whole, SGD of learning rate 0.1 (a tenth after each 20,000 steps) and momentum 0.9, half the
mean square over all numbers, weights from N(0, 0.01^2), images scaled to a mean square of about 1;
SGD of 0.01 for the clustering, batches of 256.

Our choices where the source is silent: batches shuffled anew in each epoch; momentum forgotten
between stages; at most `schedule.epochs` of clustering, since nothing says that the labels settle;
the same dense network on the flattened pixels of colour images.

The released code's first weights are so small that the last layer needs thousands of steps to leave
them: short trainings start from DEC-keras's (`pretraining.initial_deviation`: null), and say so.

Known deviations: the released code feeds the first layer whole images (`corrupt_images`: false),
lets biases learn at twice the rate, and starts momentum slowly.

While it is trained, before there are centres, accuracies in the history are those of k-means on the
codes, with few restarts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iic.methods.dec.settings import DECSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(DECSettings):
    """Settings of DEC."""


def train(context: RunContext[Settings]) -> Outcome:
    """Train all stages; the one "sub-head" has KL(P || Q) over the evaluated images as its loss."""
    from iic.engine.run import run
    from iic.methods.dec.task import DECTask

    return run(context, DECTask)
