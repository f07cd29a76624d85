"""Denoising autoencoder, its codes clustered by k-means (Table 1, row "Denoising AE").

Objective: half the squared error between the clean image and the reconstruction from a corrupted
one; then k-means on the codes of clean images. Source: Vincent, Larochelle, Lajoie, Bengio and
Manzagol, "Stacked denoising autoencoders" (JMLR 11, 2010); the number itself is quoted from earlier
work, of which no code, architecture or protocol was published.

Our choices where the source is silent: masking noise on 20 % of an image's numbers, as DEC's
pretraining masks, each colour of a pixel by itself; drawn anew at every step; the rest as in
`iic.methods.autoencoders.plain`.

Known deviation: all layers are trained at once, only the image is corrupted; Vincent et al. stack
autoencoders that each corrupt their own input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from iic.methods.autoencoders.settings import ReconstructionSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(ReconstructionSettings):
    """Settings of the denoising autoencoder."""

    masked: float = Field(0.2, gt=0, lt=1)
    """Share of an image's numbers that is set to 0 in the encoder's input."""


def train(context: RunContext[Settings]) -> Outcome:
    """Train and cluster the codes; the one "sub-head" has the inertia as its loss."""
    from functools import partial

    from iic.engine.run import run
    from iic.methods.autoencoders.loss import Denoising
    from iic.methods.autoencoders.task import ReconstructionTask

    return run(context, partial(ReconstructionTask, objective=Denoising(context.settings.masked)))
