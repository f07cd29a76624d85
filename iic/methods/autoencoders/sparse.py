"""Sparse autoencoder, its codes clustered by k-means (Table 1, row "Sparse AE").

Objective: half the squared error of the reconstruction + beta * sum_j KL(rho || mean activation of
unit j), rho .05 and beta 3, the code being sigmoid units; then k-means on their activations.
Source: A. Ng's lecture notes "Sparse autoencoder" (CS294A, Stanford 2011), which the paper cites;
the number itself is quoted from earlier work, of which no code, architecture or protocol was
published.

Our choices where the source is silent: the mean activation is that of a batch, not of the whole
training set, so that the objective can be followed by stochastic gradients; no weight decay; the
rest as in `iic.methods.autoencoders.plain`.

Known deviation: Ng's code is the only hidden layer, and wide. Here it is the short code at the end
of the deep encoder that all four autoencoders share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from iic.methods.autoencoders.settings import ReconstructionSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(ReconstructionSettings):
    """Settings of the sparse autoencoder."""

    rho: float = Field(0.05, gt=0, lt=1)
    """Mean activation that is wanted of each unit of the code."""
    beta: float = Field(3.0, gt=0)
    """Weight of the divergence from it."""


def train(context: RunContext[Settings]) -> Outcome:
    """Train and cluster the codes; the one "sub-head" has the inertia as its loss."""
    from functools import partial

    from iic.engine.run import run
    from iic.methods.autoencoders.loss import Sparse
    from iic.methods.autoencoders.task import ReconstructionTask

    settings = context.settings
    objective = Sparse(settings.rho, settings.beta)
    return run(context, partial(ReconstructionTask, objective=objective))
