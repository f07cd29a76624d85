"""Training steps of the engine against the plain formulation of the released code.

One step of network B on MNIST's batch (n 700, r 5, h 5, 24 pixels), three ways in turn, each
several times: as released (every original is pushed r times, float32), with unique originals, and
with bfloat16 autocast and channels-last memory on top. Data are random: only time is measured.

Run: python benchmarks/engine.py [--threads 2] [--rounds 7]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from iic.augment.pipeline import build as build_augmentation
from iic.methods.iic.repeats import RepeatedOriginals
from iic.networks.build import build
from iic.objective.clustering import clustering_loss
from iic.params.augmentation import GreyAugmentation
from iic.params.networks import NetworkSettings

UNIQUE, REPEATS, SUB_HEADS = 140, 5, 5


def make_step(unique: bool, bfloat16: bool) -> Callable[[], None]:
    """One optimiser step, transforms included."""
    torch.manual_seed(0)
    settings = NetworkSettings(
        family="B", input_size=24, in_channels=1, batchnorm_running_statistics=False
    )
    network = build(settings, {"B": 10}, SUB_HEADS)
    layout = torch.channels_last if bfloat16 else torch.contiguous_format
    network.to(memory_format=layout)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    augmentation = build_augmentation(GreyAugmentation())
    images = torch.randint(0, 256, (UNIQUE, 1, 28, 28), dtype=torch.uint8)
    once = RepeatedOriginals(network.trunk, (1, 24, 24))
    draw = torch.Generator().manual_seed(0)

    def step() -> None:
        originals = augmentation.original(images, draw).contiguous(memory_format=layout)
        transformed = augmentation.transformed(images, REPEATS, draw)
        transformed = transformed.contiguous(memory_format=layout)
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            if unique:
                with once.counted(UNIQUE, REPEATS):
                    z = network(originals, "B")
            else:
                z = network(originals.repeat(REPEATS, 1, 1, 1), "B")
            z_transformed = network(transformed, "B")
        if unique:
            z_transformed = z_transformed.unflatten(0, (REPEATS, UNIQUE)).sum(0)
        optimiser.zero_grad()
        clustering_loss(z, z_transformed).mean().backward()
        optimiser.step()

    return step


def main() -> None:
    """Time the three variants in turn and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    variants = {
        "as released, float32": make_step(unique=False, bfloat16=False),
        "unique originals, float32": make_step(unique=True, bfloat16=False),
        "unique originals, bfloat16 channels-last": make_step(unique=True, bfloat16=True),
    }
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for round_ in range(arguments.rounds + 1):
        for name, step in variants.items():
            start = time.perf_counter()
            step()
            if round_:  # the first round warms up
                seconds[name].append(time.perf_counter() - start)
    base = statistics.median(seconds["as released, float32"])
    pairs = UNIQUE * REPEATS
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:42s} {median:6.3f} s  {pairs / median:6.0f} pairs/s  x{base / median:.2f}")


if __name__ == "__main__":
    main()
