"""Sparse autoencoder, its codes clustered by k-means (Table 1, row "Sparse AE").

Objective: half the squared error of the reconstruction + beta * sum_j KL(rho || mean activation of
unit j), rho .05 and beta 3, the units being the sigmoids of the encoder's last hidden layer; then
k-means on the linear code that follows them. Source: A. Ng's lecture notes "Sparse autoencoder"
(CS294A, Stanford 2011), which the paper cites; the number itself is quoted from earlier work, of
which no code, architecture or protocol was published.

Our choices where the source is silent: the mean activation is that of a batch, not of the whole
training set, so that the objective can be followed by stochastic gradients; no weight decay; the
rest as in `iic.methods.autoencoders.plain`. Ng's hidden layer is wide and of sigmoids, and so is
the last one here (2,000 units for grey images, the units of the last maps for colour); the layers
before it have ReLU, as those of all four autoencoders.

Known deviation: Ng's hidden layer is the only one, and is itself the code. Here a short linear code
follows it, as in the other three rows, since k-means in thousands of sparse numbers is another
method. ``penalised: code`` is the nearer reading of the notes: sigmoid units in the short code, and
the penalty on them. It clusters far worse (docs/baselines.md#table-1-image-clustering).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from iic.methods.autoencoders.settings import ReconstructionSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(ReconstructionSettings):
    """Settings of the sparse autoencoder."""

    rho: float = Field(0.05, gt=0, lt=1)
    """Mean activation that is wanted of each unit."""
    beta: float = Field(3.0, gt=0)
    """Weight of the divergence from it."""
    penalised: Literal["hidden", "code"] = "hidden"
    """Units of the penalty: ``hidden``, those of the last hidden layer, before a linear code;
    ``code``, those of the code, which are sigmoids then."""


def train(context: RunContext[Settings]) -> Outcome:
    """Train and cluster the codes; the one "sub-head" has the inertia as its loss."""
    from functools import partial

    from iic.engine.run import run
    from iic.methods.autoencoders.loss import SparseCode, SparseHidden
    from iic.methods.autoencoders.sparse_task import SparseHiddenTask
    from iic.methods.autoencoders.task import ReconstructionTask

    settings = context.settings
    if settings.penalised == "code":
        on_code = SparseCode(settings.rho, settings.beta)
        return run(context, partial(ReconstructionTask, objective=on_code))
    on_hidden = SparseHidden(settings.rho, settings.beta, settings.autoencoder.code)
    return run(context, partial(SparseHiddenTask, objective=on_hidden))
