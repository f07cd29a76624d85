"""GAN (DCGAN): features of the discriminator, clustered by k-means (Table 1, row "GAN").

Objective: a generator makes images of noise, a discriminator tells them from real ones; each is
trained on minus the log-likelihood of what it wants to be believed. Then k-means on the
discriminator's maps of real images. Source: Radford, Metz and Chintala, "Unsupervised
representation learning with deep convolutional generative adversarial networks" (ICLR 2016), which
the paper cites; the number itself is quoted from earlier work, of which no code, architecture or
protocol was published.

As in the source: 100 uniform numbers, transposed convolutions of stride 2 with BatchNorm, ReLU and
tanh; convolutions of stride 2 with BatchNorm (not in the first) and LeakyReLU 0.2; weights from
N(0, 0.02^2), Adam 2e-4 with beta1 0.5, batches of 128. Features are those that it gives to a linear
SVM: the maps of every convolution, max-pooled to 4 x 4 and flattened.

Our choices where the source is silent: kernels of 4; 64, 128, 256 (STL10: and 512) channels, and
two convolutions for MNIST, whose 28 pixels have two halvings; real and made images go through
BatchNorm apart; each batch is the discriminator's turn, then the generator's, one Adam for each;
training without labels on the images that are evaluated; features of length 1, k-means++ with 10
restarts, the run of lowest inertia kept; the last epoch.

Known deviations: maps of fewer than 4 x 4 pixels stay as they are. BatchNorm's running statistics,
which the features are taken with, are those of real and made images alike. The features of the
untrained discriminator cluster no worse on handwritten digits (docs/baselines.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iic.methods.gan.settings import GANSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(GANSettings):
    """Settings of the GAN."""


def train(context: RunContext[Settings]) -> Outcome:
    """Train both players and cluster the discriminator's features."""
    from iic.engine.run import run
    from iic.methods.gan.task import GANTask

    return run(context, GANTask)
