"""Seconds of the batched transforms beside torchvision's, image by image.

Command: ``python benchmarks/augment.py [--threads 2] [--rounds 9]``. Both routes take a batch of
uint8 images in memory through the transformed half of a step (140 unique images, 5 repeats) on the
CPU in the same process, in turns, so that a busy machine slows both; the medians and their ratio
are printed. The torchvision route is one chain of v2 transforms per image, without data loading or
collation, and so a lower bound of what a Dataset with transforms costs.

Measured with ``--threads 1`` on one core of an AMD EPYC beside other work (median of 9; batched /
torchvision / ratio): MNIST 10 ms / 400 ms / 39, CIFAR 41 ms / 442 ms / 11, STL10 177 ms / 771 ms /
4. MNIST with little else running, batched route only: 4.4 ms on one core, 3.5 ms on two.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.transforms import v2

from iic.augment.pipeline import build
from iic.augment.sobel import sobel
from iic.params.augmentation import ColourAugmentation, GreyAugmentation

UNIQUE, REPEATS = 140, 5


def grey_chain(wanted: GreyAugmentation) -> Callable[[Tensor], Tensor]:
    """Torchvision's transforms for one grey uint8 image (1, H, W)."""
    return v2.Compose(
        [
            v2.RandomApply(
                [v2.RandomRotation(wanted.rotation_degrees)], p=wanted.rotation_probability
            ),
            v2.RandomChoice([v2.RandomCrop(side) for side in wanted.crops]),
            v2.Resize(wanted.input_size),
            v2.ColorJitter(wanted.brightness, wanted.contrast),
            v2.ToDtype(torch.float32, scale=True),
        ]
    )


def colour_chain(wanted: ColourAugmentation) -> Callable[[Tensor], Tensor]:
    """Torchvision's transforms for one RGB uint8 image (3, H, W), up to the grey image."""
    return v2.Compose(
        [
            v2.RandomCrop(wanted.crop),
            v2.Resize(wanted.input_size),
            v2.RandomHorizontalFlip(wanted.flip_probability),
            v2.ColorJitter(wanted.brightness, wanted.contrast, wanted.saturation, wanted.hue),
            v2.Grayscale(),
            v2.ToDtype(torch.float32, scale=True),
        ]
    )


def seconds(call: Callable[[], Tensor]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    """Time every family and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    generator = torch.Generator().manual_seed(0)
    print(
        f"{UNIQUE} unique x {REPEATS} repeats, {options.threads} threads, torch {torch.__version__}"
    )
    print(f"{'family':<22}{'batched ms':>12}{'torchvision ms':>16}{'ratio':>8}")
    cases: list[tuple[str, GreyAugmentation | ColourAugmentation, int]] = [
        ("MNIST 28 -> 24", GreyAugmentation(), 28),
        ("CIFAR 32 -> 20 -> 32", ColourAugmentation(crop=20, input_size=32), 32),
        ("STL10 96 -> 64", ColourAugmentation(), 96),
    ]
    for name, wanted, size in cases:
        shape = (UNIQUE, wanted.image_channels, size, size)
        images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        augmentation = build(wanted)
        grey = isinstance(wanted, GreyAugmentation)
        chain = grey_chain(wanted) if isinstance(wanted, GreyAugmentation) else colour_chain(wanted)

        def batched(augmentation=augmentation, images=images) -> Tensor:  # type: ignore[no-untyped-def]
            return augmentation.transformed(images, REPEATS, generator)

        def one_by_one(chain=chain, images=images, grey=grey) -> Tensor:  # type: ignore[no-untyped-def]
            result = torch.stack([chain(image) for _ in range(REPEATS) for image in images])
            return result if grey else sobel(result)

        batched(), one_by_one()
        pairs = [(seconds(batched), seconds(one_by_one)) for _ in range(options.rounds)]
        ours, theirs = (1e3 * statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"{name:<22}{ours:>12.1f}{theirs:>16.1f}{theirs / ours:>8.0f}")


if __name__ == "__main__":
    main()
