"""The sides of `benchmarks.bench`: training steps whose parts are timed, each in a process."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from benchmarks.plain import PlainTraining
from benchmarks.trials import iic_settings, on_images, random_images
from iic.engine.device import configured
from iic.methods.iic.method import Settings
from iic.methods.iic.task import ClusteringTask
from iic.params.training import ComputeSettings

PARTS = ("transforms", "forward", "backward", "optimiser")
CPU = torch.device("cpu")


class Side:
    """Steps of one formulation, each part of them timed."""

    def __init__(self, settings: Settings, images: np.ndarray, root: Path) -> None:
        self.settings = settings
        self.images = images

    def parts(self) -> list[Callable[[], None]]:
        """What a step does, one callable for each of `PARTS`."""
        raise NotImplementedError

    def evaluate(self) -> int:
        """Evaluate some images, and say how many."""
        raise NotImplementedError


class Plain(Side):
    """`benchmarks.plain`, one head's passes."""

    def __init__(self, settings: Settings, images: np.ndarray, root: Path) -> None:
        super().__init__(settings, images, root)
        self.training = PlainTraining(settings, images)

    def parts(self) -> list[Callable[[], None]]:
        """Transforms by the loaders, then as released."""
        training = self.training

        def transform() -> None:
            self.pairs = training.load()

        def forward() -> None:
            self.loss = training.loss(*self.pairs)

        def backward() -> None:
            training.optimiser.zero_grad()
            self.loss.backward()  # type: ignore[no-untyped-call]

        return [transform, forward, backward, training.optimiser.step]

    def evaluate(self) -> int:
        """One batch of originals."""
        training = self.training
        with torch.no_grad():
            originals = training.load()[0][: self.settings.pairs.batch_images]
            training.network(originals, "B")
        return len(originals)


class Ours(Side):
    """The engine's task of IIC, as its loop drives it."""

    precision: Literal["float32", "bfloat16"] = "float32"

    def __init__(self, settings: Settings, images: np.ndarray, root: Path) -> None:
        compute = ComputeSettings(precision=self.precision, channels_last=True)
        own = settings.model_copy(update={"compute": compute})
        super().__init__(own, images, root)
        self.task = ClusteringTask(on_images(own, images, root), CPU)
        self.optimiser = self.task.optimiser()
        self.batches = self.task.order(0, 0)
        self.done = 0

    def parts(self) -> list[Callable[[], None]]:
        """As `iic.engine.loop.Loop` steps."""
        task, repeats = self.task, self.settings.pairs.repeats

        def transform() -> None:
            self.done += 1
            images = task.store.batch(self.batches[self.done % len(self.batches)])
            draw = torch.Generator().manual_seed(self.done)
            self.pairs = (
                task.augmentation.original(images, draw),
                task.augmentation.transformed(images, repeats, draw),
            )

        def forward() -> None:
            self.loss = task.loss_of(*self.pairs, "B").mean()

        def backward() -> None:
            self.optimiser.zero_grad(set_to_none=False)
            self.loss.backward()  # type: ignore[no-untyped-call]

        return [transform, forward, backward, self.optimiser.step]

    def evaluate(self) -> int:
        """One batch of images."""
        images = self.batches[0]
        list(self.task.evaluations(images))
        return len(images)


class OursInHalf(Ours):
    """The same under autocast."""

    precision = "bfloat16"


PLAIN = "plain"
SIDES: dict[str, type[Side]] = {PLAIN: Plain, "ours, float32": Ours, "ours, bfloat16": OursInHalf}


def work(side: str, run: str, threads: int, orders: Connection) -> None:
    """A process that does steps when it is asked to, and answers with seconds of each part."""
    with configured(CPU, threads):
        settings, images = iic_settings(run), random_images(run, batches=4)
        trained = SIDES[side](settings, images, Path("scratch/bench"))
        while (steps := orders.recv()) is not None:
            seconds = dict.fromkeys(PARTS, 0.0)
            for _ in range(steps):
                for name, part in zip(PARTS, trained.parts(), strict=True):
                    start = time.perf_counter()
                    part()
                    seconds[name] += time.perf_counter() - start
            start = time.perf_counter()
            evaluated = trained.evaluate()
            seconds["evaluation of an image"] = (time.perf_counter() - start) / evaluated
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
            orders.send((seconds, peak))
