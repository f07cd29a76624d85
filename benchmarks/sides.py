"""The two sides of `benchmarks.bench`: training steps whose parts are timed, each in a process."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch

from benchmarks.plain import PlainTraining
from iic.data.in_memory import in_memory
from iic.engine.context import RunContext
from iic.engine.device import configure
from iic.methods.iic.method import Settings
from iic.methods.iic.task import ClusteringTask
from iic.params.runs import load_plan
from iic.params.training import ComputeSettings
from iic.records.paths import RunPaths

QUICK = ComputeSettings(precision="bfloat16", channels_last=True)
PARTS = ("transforms", "forward", "backward", "optimiser")
CPU = torch.device("cpu")


def context_of(settings: Settings, images: np.ndarray, root: Path) -> RunContext[Settings]:
    """A run on images of no dataset."""
    return RunContext(
        data=in_memory(images, None, settings.head_b.k),
        classes=settings.head_b.k,
        settings=settings,
        seed=0,
        paths=RunPaths("bench", "bench/iic", 0),
        fingerprint="0" * 64,
        root=root,
    )


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

    def __init__(self, settings: Settings, images: np.ndarray, root: Path) -> None:
        quick = settings.model_copy(update={"compute": QUICK})
        super().__init__(quick, images, root)
        self.task = ClusteringTask(context_of(quick, images, root), CPU)
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


SIDES: dict[str, type[Side]] = {"plain": Plain, "ours": Ours}


def work(side: str, run: str, threads: int, orders: Connection) -> None:
    """A process that does steps when it is asked to, and answers with seconds of each part."""
    configure(CPU, threads)
    settings = load_plan("paper").run(run).settings
    assert isinstance(settings, Settings)
    crop = 28 if settings.augmentation.kind == "grey" else 32
    shape = (4 * settings.pairs.batch_images, settings.augmentation.image_channels, crop, crop)
    # what the images show decides no time
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
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
