"""What only a GPU can show, in one run: speed, MNIST in ten epochs, against the plain form.

``benchmarks/gpu.sh`` calls it. Each part is tried by itself: what fails says so in the results and
does not take the rest with it. On a machine without a GPU ``--device cpu --steps 1`` runs the parts
that a CPU can do, so that the script itself is tried before a GPU is there.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.plain import PlainTraining
from benchmarks.trials import iic_settings, on_images, operations_of, random_images
from iic.engine.device import configured
from iic.methods.iic.task import ClusteringTask
from iic.networks.segmentation import build_segmentation
from iic.objective.segmentation import segmentation_loss
from iic.params.segmentation import SegmentationNetworkSettings
from iic.params.training import ComputeSettings

RUNS = {"MNIST (B)": "mnist/iic", "CIFAR-10 (A)": "cifar10/iic", "STL-10 (A)": "stl10/iic"}
"""Name -> run of scale paper."""


class Bench:
    """The parts, and what they gave."""

    def __init__(self, device: torch.device, steps: int) -> None:
        self.device = device
        self.steps = steps
        self.results: dict[str, Any] = {}

    def try_part(self, name: str, part: Callable[[], Any]) -> None:
        """Run one part; note what it gives, how long it takes, or its error."""
        start = time.monotonic()
        try:
            given: Any = part()
        except Exception as error:
            traceback.print_exc()
            given = {"error": f"{type(error).__name__}: {error}"[:300]}
        self.results[name] = {"gave": given, "seconds": round(time.monotonic() - start, 1)}
        print(name, json.dumps(self.results[name]), flush=True)

    def synchronise(self) -> None:
        """Wait for the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def seconds(self, step: Callable[[], None]) -> float:
        """Median of a step's seconds, the first ones left out."""
        times = []
        for index in range(self.steps + 2):
            self.synchronise()
            start = time.perf_counter()
            step()
            self.synchronise()
            if index > 1:
                times.append(time.perf_counter() - start)
        return statistics.median(times)

    def product(self) -> dict[str, float]:
        """TFLOP/s of a bfloat16 matrix product."""
        side = 8192 if self.device.type == "cuda" else 512
        factors = torch.randn(2, side, side, device=self.device, dtype=torch.bfloat16)
        taken = self.seconds(lambda: (factors[0] @ factors[1], None)[1])
        return {"tflops": round(2 * side**3 / taken / 1e12, 2)}

    def task(self, run: str, compile_: bool) -> tuple[ClusteringTask, list[torch.Tensor]]:
        """Ours in bfloat16, and a pass of its batches."""
        settings = iic_settings(run)
        compute = ComputeSettings(precision="bfloat16", channels_last=True, compile=compile_)
        own = settings.model_copy(update={"compute": compute})
        task = ClusteringTask(
            on_images(own, random_images(run, 1), Path(tempfile.gettempdir())), self.device
        )
        return task, task.order(0, 0)

    def step(self, task: ClusteringTask, batches: list[torch.Tensor]) -> Callable[[], None]:
        """One optimiser step, transforms included."""
        optimiser = task.optimiser()
        draw = torch.Generator(self.device).manual_seed(0)

        def step() -> None:
            optimiser.zero_grad(set_to_none=False)
            task.loss("B", batches[0], draw).mean().backward()
            optimiser.step()

        return step

    def ours(self, run: str, compile_: bool) -> dict[str, float]:
        """Pairs a second, and the share of the matrix product's speed."""
        task, batches = self.task(run, compile_)
        settings = iic_settings(run)
        taken = self.seconds(self.step(task, batches))
        rate = settings.pairs.batch_pairs / taken
        operations = operations_of(settings).training
        tflops = rate * (1 + 1 / settings.pairs.repeats) * operations / 1e12
        return {"pairs_per_second": round(rate, 1), "tflops": round(tflops, 3)}

    def without_sync(self, run: str) -> dict[str, Any]:
        """A step in which any wait for the GPU is an error, and its graph breaks."""
        task, batches = self.task(run, compile_=False)
        step = self.step(task, batches)
        step()
        if self.device.type == "cuda":
            torch.cuda.set_sync_debug_mode("error")
        try:
            step()
        finally:
            if self.device.type == "cuda":
                torch.cuda.set_sync_debug_mode("default")
        originals = task.augmentation.evaluation(task.store.batch(batches[0]))
        explained = torch._dynamo.explain(task.network)(originals, "B")
        return {"graph_breaks": explained.graph_break_count}

    def plain(self, run: str) -> dict[str, float]:
        """Pairs a second of the plain formulation on the same device."""
        settings = iic_settings(run)
        training = PlainTraining(settings, random_images(run, 1), device=self.device)

        def step() -> None:
            training.optimiser.zero_grad()
            training.loss(*training.load()).backward()  # type: ignore[no-untyped-call]
            training.optimiser.step()

        return {"pairs_per_second": round(settings.pairs.batch_pairs / self.seconds(step), 1)}

    def maps(self) -> dict[str, float]:
        """Pairs a second of network C with the objective over all shifts, COCO-Stuff-3's head B."""
        pairs, side = (120, 128) if self.device.type == "cuda" else (2, 32)
        settings = SegmentationNetworkSettings(input_size=side, in_channels=5)
        network = build_segmentation(settings, {"B": 3}, 1).to(self.device)
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
        images = torch.rand(2, pairs, 5, side, side, device=self.device)
        mask = torch.ones(pairs, side, side, dtype=torch.bool, device=self.device)

        def step() -> None:
            with torch.autocast(self.device.type, torch.bfloat16):
                z, z_transformed = network(images[0]), network(images[1])
            optimiser.zero_grad()
            segmentation_loss(z, z_transformed, mask, 10).mean().backward()
            optimiser.step()

        return {"pairs_per_second": round(pairs / self.seconds(step), 1)}

    def mnist(self, epochs: int) -> dict[str, Any]:
        """Settings of the paper on real MNIST, for some epochs: accuracy picked without labels."""
        from benchmarks.time_to_accuracy import train

        compute = {"precision": "bfloat16", "channels_last": True}
        changes = {"gpu": self.device.type == "cuda", "compute": compute}
        steps = 1500 * epochs if self.device.type == "cuda" else self.steps
        line = train("mnist/iic", "paper", 0, steps, changes)
        return {"accuracy": line.label_free, "minutes": line.minutes, "steps": line.steps}


def main() -> None:
    """Run all parts and write their results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=10, help="of MNIST")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/gpu.json"))
    given = parser.parse_args()
    device = torch.device(given.device)
    with configured(device, torch.get_num_threads()):
        bench = Bench(device, given.steps)
        named = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
        bench.results |= {"device": named, "torch": torch.__version__}
        bench.try_part("matrix product", bench.product)
        for name, run in RUNS.items():
            bench.try_part(f"{name}, without syncs", lambda run=run: bench.without_sync(run))
            bench.try_part(f"{name}, ours", lambda run=run: bench.ours(run, False))
            if device.type == "cuda":
                bench.try_part(f"{name}, compiled", lambda run=run: bench.ours(run, True))
        for name in ("MNIST (B)", "CIFAR-10 (A)"):
            bench.try_part(f"{name}, plain", lambda name=name: bench.plain(RUNS[name]))
        bench.try_part("COCO-Stuff-3 (C)", bench.maps)
        bench.try_part("MNIST, epochs", lambda: bench.mnist(given.epochs))
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(bench.results, indent=1) + "\n")


if __name__ == "__main__":
    main()
