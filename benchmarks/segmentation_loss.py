"""Seconds of the segmentation objective beside the form of the released code.

Command: ``python benchmarks/segmentation_loss.py [--threads 2] [--rounds 5]``. Forward and backward
of the loss over all 441 shifts of up to 10 pixels, for maps of 128 pixels, both ways in the same
process, in turns, so that a busy machine slows both: as released (a convolution whose kernels are
the maps themselves) and as the engine computes it (`iic.objective.segmentation`). Medians, their
ratio and the error of float32 against float64 are printed. On a GPU, the peak of its memory stands
beside, and then the pairs a second of whole training steps (network, objective, optimiser;
bfloat16, channels-last) at the paper's sizes.

Measured on an AMD EPYC of two cores beside other work, for n 4 and k 3, n 4 and k 15, n 2 and k 45
(median of 3; as released / this project / ratio). One thread: 1,326 ms / 10.5 ms / 126; 4,714 /
124 / 38; 7,785 / 389 / 20. Two threads: 1,833 ms / 15.5 ms / 118; 1,573 / 41 / 38; 8,092 / 513 /
16. With more busy processes than cores two threads wait for each other at every small step, which
falls on the quick form: ratios of 5 to 7 were seen then.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from iic.networks.segmentation import build_segmentation
from iic.objective.clustering import mutual_information
from iic.objective.segmentation import segmentation_loss
from iic.params.segmentation import SegmentationNetworkSettings

CASES = ((4, 3), (4, 15), (2, 45))
"""Images in a batch and clusters."""
SIDE, HALF_SIDE = 128, 10
STEPS = (
    ("COCO-Stuff-3, head A", 120, 5, 128, 15, 10),
    ("COCO-Stuff-3, head B", 120, 5, 128, 3, 10),
    ("COCO-Stuff, head A", 60, 5, 128, 45, 10),
    ("Potsdam-3, head A", 75, 4, 200, 24, 10),
    ("Potsdam, head A", 60, 4, 200, 36, 5),
)
"""Name, pairs, channels, pixels, clusters and d of the paper's training steps."""

Loss = Callable[[Tensor, Tensor], Tensor]


def released(z: Tensor, z_transformed: Tensor) -> Tensor:
    """The loss of maps (n, k, H, W), each transformed map a kernel over the original ones."""
    P = torch.nn.functional.conv2d(
        z.transpose(0, 1), z_transformed.transpose(0, 1), padding=HALF_SIDE
    )
    return information_loss(P.flatten(2).permute(2, 0, 1))


def information_loss(P: Tensor) -> Tensor:
    """Minus the mean information of sums (shifts, k, k)."""
    P = P / P.sum((1, 2), keepdim=True)
    return -mutual_information((P + P.mT) / 2).mean()


def engine(z: Tensor, z_transformed: Tensor) -> Tensor:
    """The loss of this project."""
    return segmentation_loss(z[:, None], z_transformed[:, None], None, HALF_SIDE).mean()


FORMS: dict[str, Loss] = {"as released": released, "this project": engine}


def maps(n: int, k: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Probabilities (n, k, side, side) of images and of their transformed versions."""
    draw = torch.Generator().manual_seed(0)
    common = torch.randn(n, k, SIDE // 8, SIDE // 8, generator=draw)
    found = []
    for _ in range(2):
        coarse = 3.0 * (common + 0.3 * torch.randn(common.shape, generator=draw))
        logits = torch.nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear")
        found.append(logits.softmax(dim=1).to(device).requires_grad_())
    return found[0], found[1]


def seconds(loss: Loss, pair: tuple[Tensor, Tensor]) -> float:
    """Wall time of one forward and backward."""
    device = pair[0].device
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    torch.autograd.grad(loss(*pair), pair)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def errors(loss: Loss, pair: tuple[Tensor, Tensor]) -> tuple[float, float]:
    """Error of float32: of the loss in nats, and of the gradient relative to its length."""
    exact = tuple(one.detach().double().requires_grad_() for one in pair)
    values = loss(*pair), engine(*exact)
    found, right = (
        torch.cat([one.double().flatten() for one in torch.autograd.grad(value, leaves)])
        for value, leaves in zip(values, (pair, exact), strict=True)
    )
    distance = (values[0].double() - values[1]).abs().item()
    return distance, ((found - right).norm() / right.norm()).item()


def compare(n: int, k: int, device: torch.device, rounds: int) -> None:
    """Time both forms in turns and print a line for each."""
    pair = maps(n, k, device)
    times: dict[str, list[float]] = {name: [] for name in FORMS}
    memory = dict.fromkeys(FORMS, 0)
    for round_ in range(rounds + 1):
        for name, loss in FORMS.items():
            taken = seconds(loss, pair)
            if round_:  # the first round warms up
                times[name].append(taken)
            if device.type == "cuda":
                memory[name] = torch.cuda.max_memory_allocated()
    base = statistics.median(times["as released"])
    for name, loss in FORMS.items():
        median = statistics.median(times[name])
        value, gradient = errors(loss, pair)
        peak = f"{memory[name] / 2**20:8.0f} MiB" if device.type == "cuda" else ""
        print(
            f"n {n}, k {k:2d}  {name:15s}{1e3 * median:10.1f} ms  x{base / median:<7.1f}{peak}"
            f"  error of the loss {value:.0e}, of the gradient {gradient:.0e}",
            flush=True,
        )


def step(
    device: torch.device, pairs: int, channels: int, side: int, k: int, half_side: int, rounds: int
) -> tuple[float, float]:
    """Pairs a second of training steps, and the peak of memory in GiB (0 on the CPU)."""
    settings = SegmentationNetworkSettings(input_size=side, in_channels=channels)
    network = build_segmentation(settings, {"A": k}, 1).to(device)
    network = network.to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    images = torch.rand(2, pairs, channels, side, side, device=device)
    mask = torch.ones(pairs, side, side, dtype=torch.bool, device=device)
    times = []
    for round_ in range(rounds + 2):
        start = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16):
            z, z_transformed = (
                network(one.contiguous(memory_format=torch.channels_last)) for one in images
            )
        optimiser.zero_grad()
        segmentation_loss(z, z_transformed, mask, half_side).mean().backward()
        optimiser.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        if round_ > 1:  # the first rounds warm up
            times.append(time.perf_counter() - start)
    peak = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else 0.0
    return pairs / statistics.median(times), peak


def main() -> None:
    """Compare the forms, and on a GPU time the paper's steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name = (
        torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {options.threads} threads"
    )
    print(f"{name}, torch {torch.__version__}, {SIDE} pixels, d {HALF_SIDE}, medians")
    for n, k in CASES:
        compare(n, k, device, options.rounds)
    if device.type == "cuda":
        for title, pairs, channels, side, k, half_side in STEPS:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            rate, peak = step(device, pairs, channels, side, k, half_side, options.rounds)
            print(f"step of {title:22s}{rate:8.0f} pairs/s, peak {peak:.1f} GiB", flush=True)


if __name__ == "__main__":
    main()
