"""Co-occurrence: are two patches neighbours? (Table 4, row "Isola 2016").

Objective: binary cross-entropy on whether a second patch touches the first, or lies far from it
(Isola, Zoran, Krishnan, Adelson, arXiv:1511.06811); then k-means on the trunk's features of single
pixels. Source: the variant that IIC's authors ran and released
(docs/spec/baselines.md#patch-pairs), on network C and patches of its stretched feature map, as
`iic.methods.patch_pairs.doersch`. With probability one half the second patch is diagonally
adjacent, one patch side away in both directions; else its centre is two patch sides to the image's
side away, in any direction that leaves it inside. Nobody published the commands: of the learning
rate see `iic.methods.patch_pairs.doersch`.

Kept as switches: one pair of places for all images of a batch, and so one answer
(``patches.shared_place``), and k-means on one pixel a batch
(``evaluation_clusters.feature_sampling``).

Our choices where the source is silent: batches as IIC's of the same column, shuffled; 30 epochs.

Known deviations: the loss is computed from the logit (`iic.methods.patch_pairs.co_occurrence`), and
k-means finds its centres on random crops of the training images, in the released code on the scored
part of the evaluated ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from iic.methods.patch_pairs.settings import PatchPairSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(PatchPairSettings):
    """Settings of co-occurrence."""

    positive: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Probability that the patches are adjacent."""

    @property
    def outputs(self) -> int:
        """One logit, of "adjacent"."""
        return 1


def train(context: RunContext[Settings]) -> Outcome:
    """Learn who is a neighbour, and cluster the features of pixels after every epoch.

    Raises:
        IICError: The mask leaves fewer pixels than clusters.
    """
    import math
    from functools import partial

    from iic.engine.run import run
    from iic.methods.patch_pairs.co_occurrence import co_occurrence_losses
    from iic.methods.patch_pairs.patch_places import neighbour_pairs
    from iic.methods.patch_pairs.task import PatchPairTask, Pretext

    settings = context.settings
    draw = partial(
        neighbour_pairs,
        size=settings.network.input_size,
        side=settings.patches.side,
        positive=settings.positive,
    )
    shares = (settings.positive, 1 - settings.positive)
    pretext = Pretext(
        outputs=settings.outputs,
        draw=draw,
        losses=co_occurrence_losses,
        chance=-sum(share * math.log(share) for share in shares),
    )
    return run(context, partial(PatchPairTask, pretext=pretext))
