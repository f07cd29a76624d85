"""Deep adaptive clustering (Table 1, row "DAC").

Objective (Chang, Wang, Meng, Xiang and Pan, "Deep adaptive image clustering", ICCV 2017): the
network's softmax outputs, brought to length 1, have cosines that are taken for the probability
that two images are of one cluster. In each batch the pairs from the threshold u on are labelled
alike, those below l unlike, those between are left out; the binary cross-entropy of the labelled
pairs is minimised. u falls and l rises, u = 0.95 - lambda and l = 0.455 + 0.1 lambda, until they
meet. An image's cluster is its largest output; there is no k-means.

What was released is another variant, DAC*, in which every pair is trained on: `all_samples`. One
threshold falls from 0.9 to 0.5; the labels are those of the network before it is trained on a
chunk of 1,000 images; the error is the mean square of cosine minus label.

Settings are the paper's where they are known, else the released code's: the network of MNIST and
its smaller and larger ones, RMSprop 1e-3, transforms, batches of 128 (MNIST) and 32, BatchNorm by
the statistics of the batch in evaluation too (docs/spec/baselines.md#dac).

Our choices where the source is silent: lambda moves once an epoch, by gradient descent on u - l
with eta 0.009; the pairs of a batch are those of the transformed images, an image with itself
among them; the sum over labelled pairs is divided by the number of all pairs.

Known deviations: what is left of the last map is averaged in full, where the network of CIFAR
averages 4 x 4 of 5 x 5; a last ReLU there too; shifts of whole pixels; black surroundings in place
of repeated ones; no factor of 0.975 on the pixels, and no mean image taken off. DAC*'s chunks are
shuffled, as in the released code but for MNIST, where it keeps the dataset's order; each batch is
transformed once a chunk's epoch, where STL-10's code takes it twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iic.methods.dac.settings import DACSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(DACSettings):
    """Settings of DAC."""


def train(context: RunContext[Settings]) -> Outcome:
    """Train on pairs; the clusters are the network's outputs."""
    from iic.engine.run import run
    from iic.methods.dac.task import AllSamplesTask, DACTask

    return run(context, DACTask if context.settings.all_samples is None else AllSamplesTask)
