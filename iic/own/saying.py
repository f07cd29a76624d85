"""What was chosen for a fit, in words."""

from __future__ import annotations

from iic.own.choice import Choice
from iic.own.reading import Images
from iic.own.vectors import VectorSettings


def choice_in_words(choice: Choice, images: Images) -> str:
    """What was chosen, as the log says it before the training."""
    own = choice.settings
    if isinstance(own, VectorSettings):
        return (
            f"{len(images.names):,} images ({images.copies:,} copies, {len(images.skipped):,} "
            f"files skipped), {own.dimensions} features of each\n{own.head_b.k} clusters; layers "
            f"of {own.hidden}, {own.sub_heads} sub-heads; {own.schedule.epochs} epochs for each of "
            f"{len(choice.seeds)} seeds, {own.threads} threads"
        )
    transforms = own.augmentation
    colour = "grey" if choice.channels == 1 else "colour"
    if transforms.kind == "colour":
        colour += ", seen as Sobel gradients" if transforms.sobel else ", seen as RGB and grey"
    schedule = own.schedule
    length = f"{schedule.max_steps} steps" if schedule.max_steps else f"{schedule.epochs} epochs"
    return (
        f"{len(images.names):,} images ({images.copies:,} copies, {len(images.skipped):,} files "
        f"skipped), {choice.side} x {choice.side} pixels, {colour}\n"
        f"{own.head_b.k} clusters; network B at width {own.network.width:g}, {own.sub_heads} "
        f"sub-heads; {own.pairs.batch_images} images and {own.pairs.repeats} transforms of each a "
        f"batch; learning rate {own.optimiser.learning_rate:g}; {own.compute.precision}\n"
        f"{length} for each of {len(choice.seeds)} seeds, {own.threads} threads"
    )
