"""Variational autoencoder, its codes clustered by k-means (Table 1, row "Variational Bayes AE").

Objective: minus the evidence lower bound, the error of the reconstruction from one sample of the
posterior + KL(posterior || N(0, I)); then k-means on the posterior's mean. Source: Kingma and
Welling, "Auto-encoding variational Bayes" (ICLR 2014), which the paper cites; the number itself is
quoted from earlier work, of which no code, architecture or protocol was published.

Our choices where the source is silent: Bernoulli pixels for grey images, as Kingma and Welling have
for MNIST, and Gaussian ones of variance 1 for colour; the encoder's last layer gives mean and
log-variance; the rest as in `iic.methods.autoencoders.plain`.

No known deviation from Kingma and Welling but the depth of the networks, which all four
autoencoders share, and ReLU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from iic.methods.autoencoders.settings import ReconstructionSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(ReconstructionSettings):
    """Settings of the variational autoencoder."""

    likelihood: Literal["bernoulli", "gaussian"]
    """Of a pixel given the code: cross-entropy, or half the squared error."""
    beta: float = Field(1.0, gt=0)
    """Weight of the divergence from the prior; 1 is the bound itself."""

    @property
    def code_outputs(self) -> int:
        """Mean and log-variance of each number of the code."""
        return 2 * self.autoencoder.code


def train(context: RunContext[Settings]) -> Outcome:
    """Train and cluster the codes; the one "sub-head" has the inertia as its loss."""
    from functools import partial

    from iic.engine.run import run
    from iic.methods.autoencoders.loss import Variational
    from iic.methods.autoencoders.task import ReconstructionTask

    settings = context.settings
    objective = Variational(settings.likelihood, settings.beta)
    return run(context, partial(ReconstructionTask, objective=objective))
