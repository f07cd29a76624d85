"""Deep InfoMax without labels (Table 3, what row "DeepINFOMAX" is finetuned from).

Objective: the local form, DIM(L): a vector for each image shall tell which places of a lower map
are of the same image, by the Jensen-Shannon estimator of their mutual information. Other images of
a batch are the counterexamples. Source: Hjelm, Fedorov, Lavoie-Marchildon, Grewal, Bachman,
Trischler and Bengio, "Learning deep representations by mutual information estimation and
maximization" (ICLR 2019), and its released code (docs/spec/baselines.md#deep-infomax).

As in the source: images of 64 pixels; five convolutions, two layers of 4,096, a vector of 64; local
features are the map after the third convolution; both go through a small network of their own to
2,048 numbers, whose product is the score; Adam 1e-4, batches of 64, images with and without labels.

Our choices where the source is silent: 200 epochs, of which the source says "at least"; ReLU
networks with one hidden layer for the comparison, normalised for places; no random transforms.
k-means clusters the vectors, so that the run has a number of its own.

Known deviations: without the term that draws vectors to a uniform prior by a discriminator, which
the paper's DIM(L) has with a weight of 0.1 (from memory).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iic.methods.deep_infomax.settings import DIMSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(DIMSettings):
    """Settings of Deep InfoMax without labels."""


def train(context: RunContext[Settings]) -> Outcome:
    """Train without labels, and cluster the vectors of the evaluated images."""
    from iic.engine.run import run
    from iic.methods.deep_infomax.task import DIMTask

    return run(context, DIMTask)
