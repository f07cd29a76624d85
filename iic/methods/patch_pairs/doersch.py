"""Context prediction: in which direction does the other patch lie? (Table 4, row "Doersch 2015").

Objective: cross-entropy over the directions from a patch to a second one (Doersch, Gupta, Efros,
ICCV 2015); then k-means on the trunk's features of single pixels. Source: not the original, which
cuts patches from images and has a network of its own, but the variant that IIC's authors ran and
released (docs/spec/baselines.md#patch-pairs): network C, patches of its feature map stretched to
the image's size, a second centre one and a half to two patch sides away. Nobody published the
commands, so the learning rate is not known: the rows of Table 4 have that of IIC in the same
column. The script's default, 0.01, is one that none of the 25 released commands keeps.

Kept as switches, since the published number may depend on them: nine classes for eight directions
(``directions``: 9; classes 0 and 8 both point to the right), one pair of places for all images of a
batch (``patches.shared_place``), and k-means on one pixel a batch
(``evaluation_clusters.feature_sampling``).

Colour dropping, as released, once an image and after jitter and flip: one of the three colours is
kept, and noise around its mean over the dataset takes the place of the others. The Sobel gradients
are those of the image before, and Potsdam's infrared is left as it is: what is dropped are two of
the colours red, green and blue. The evaluation sees all colours.

Our choices where the source is silent: batches as IIC's of the same column, shuffled; 30 epochs;
mean and deviation of each colour are of the training images as they are, where the released code
takes jittered crops without their masked pixels (so no label has a part in it).

Known deviations: k-means finds its centres on random crops of the training images, in the released
code on the scored part of the evaluated ones; for COCO-Stuff these are the same images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iic.methods.patch_pairs.settings import PatchPairSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(PatchPairSettings):
    """Settings of context prediction."""

    directions: Literal[8, 9] = 9
    """Classes of the direction, in steps of 45 degrees. 9 as released: the last is the first once
    more, and the network cannot tell the two apart. 8 is `corrected`."""
    colour_dropping: bool = True
    """Whether two of the three colours of each training image give way to noise."""

    @property
    def outputs(self) -> int:
        """Logits of the directions."""
        return self.directions


def train(context: RunContext[Settings]) -> Outcome:
    """Learn directions, and cluster the features of pixels after every epoch.

    Raises:
        IICError: The mask leaves fewer pixels than clusters.
    """
    import math
    from functools import partial

    from iic.engine.run import run
    from iic.methods.patch_pairs.patch_places import context_pairs
    from iic.methods.patch_pairs.relative_position import relative_position_losses
    from iic.methods.patch_pairs.task import PatchPairTask, Pretext

    settings = context.settings
    draw = partial(
        context_pairs,
        size=settings.network.input_size,
        side=settings.patches.side,
        directions=settings.directions,
    )
    pretext = Pretext(
        outputs=settings.outputs,
        draw=draw,
        losses=relative_position_losses,
        chance=math.log(settings.directions),
        drop_colours=settings.colour_dropping,
    )
    return run(context, partial(PatchPairTask, pretext=pretext))
