"""IMC-SwAV (Ntelemis, Jin, Thomas, Knowledge-Based Systems 2022): clustering in a single phase.

Objective: multi-crop SwAV trains encoder, projector and prototypes. At the same time a classifier
is trained on the encoder's features, without gradient to them: H(Y|U) - b H(Y) of its clusters Y
and the prototypes U, over all pairs of crops, and a penalty on large logits
(docs/spec/imc_swav.md#losses).

Source: the released code (docs/spec/imc_swav.md#source); the text of the paper was not at hand.
Every constant of the code is a setting with that default.

Our choices: evaluation is of the last epoch (``label_free``), as in the released code. A run with
``start_from`` trains a new classifier on a finished run's frozen encoder, which normalises by its
running statistics; or, with ``classifier: kept``, evaluates that run in another way: with
BatchNorm's statistics re-estimated on the test images, as the released code does (as_published).

Known deviations: one seeded order of images in place of none; STL10's bank is as in the code, with
features of up to some twenty steps ago; resumption goes on where the released code begins its
learning rate anew. ResNet-50 is not offered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iic.methods.imc_swav.settings import IMCSwAVSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(IMCSwAVSettings):
    """Settings of IMC-SwAV."""


def train(context: RunContext[Settings]) -> Outcome:
    """Train on crops, and report the classifier's clusters.

    Raises:
        IICError: The weights to start from are of another network.
        RecordError: They are absent or damaged.
    """
    from iic.engine.run import run
    from iic.methods.imc_swav.task import IMCSwAVTask

    return run(context, IMCSwAVTask)
