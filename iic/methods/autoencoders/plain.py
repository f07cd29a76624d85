"""Autoencoder, its codes clustered by k-means (Table 1, row "AE").

Objective: half the squared error of the reconstruction; then k-means on the codes. Source: the
paper quotes the number from earlier work and cites greedy layer-wise training (Bengio, Lamblin,
Popovici, Larochelle, NIPS 2006). No code, architecture or protocol behind the number was published.

Our choices where the source is silent: DEC's fully connected encoder for grey images and stride-2
convolutions for colour (`iic.methods.autoencoders.network_settings`), pixels in [0, 1], Adam 1e-3
and batches of 256, shuffled; training without labels on the images that are evaluated; k-means++
with 20 restarts on the codes as they are, the run of lowest inertia kept, at the last epoch.

Known deviation: all layers are trained at once, not greedily one after another, which ReLU and
today's initialisation have made unnecessary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iic.methods.autoencoders.settings import ReconstructionSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(ReconstructionSettings):
    """Settings of the plain autoencoder: those that all four share."""


def train(context: RunContext[Settings]) -> Outcome:
    """Train and cluster the codes; the one "sub-head" has the inertia as its loss."""
    from functools import partial

    from iic.engine.run import run
    from iic.methods.autoencoders.loss import Plain
    from iic.methods.autoencoders.task import ReconstructionTask

    return run(context, partial(ReconstructionTask, objective=Plain()))
