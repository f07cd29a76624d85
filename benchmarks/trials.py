"""What benchmarks share: settings of runs tried outside the workflow, on data or random images."""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from iic.data.in_memory import in_memory
from iic.data.load import load
from iic.engine.context import Outcome, RunContext
from iic.evaluate.protocol import Protocol
from iic.methods.iic.method import Settings
from iic.params.method import MethodSettings
from iic.params.operations import NetworkPass, Operations, committed
from iic.params.runs import load_plan
from iic.records.paths import RunPaths


class Trial(NamedTuple):
    """What a training gave that leaves nothing on disk."""

    outcome: Outcome
    protocol: Protocol
    classes: int


def train(method: str, settings: MethodSettings, dataset: str, seed: int) -> Trial:
    """Train on a prepared dataset; results, receipts and checkpoints of the workflow stay alone.

    Args:
        method: Dotted path of the method's module.
        settings: The method's own.
        dataset: Name in the catalogue.
        seed: Of the run.

    Raises:
        DataError: The dataset is not prepared.
    """
    data = load(dataset)
    with tempfile.TemporaryDirectory() as folder:
        context: RunContext[Any] = RunContext(
            data=data,
            classes=len(data.manifest.classes),
            settings=settings,
            seed=seed,
            paths=RunPaths("benchmark", f"{dataset}/trial", seed),
            fingerprint="0" * 64,
            root=Path(folder),
            live=False,
        )
        outcome: Outcome = importlib.import_module(method).train(context)
        return Trial(outcome, context.protocol, context.classes)


def iic_settings(run: str) -> Settings:
    """IIC's settings of a run of scale paper, both heads on all images, in the dataset's order."""
    settings = load_plan("paper").run(run).settings
    assert isinstance(settings, Settings)
    heads = {
        key: getattr(settings, key).model_copy(update={"splits": ()})
        for key in ("head_a", "head_b")
    }
    pairs = settings.pairs.model_copy(update={"order": "dataset"})
    return settings.model_copy(update={**heads, "pairs": pairs})


def random_images(run: str, batches: int) -> np.ndarray:
    """Batches of random originals of the size that the run's images have, (n, C, H, W) uint8.

    What images show decides no time.
    """
    plan = load_plan("paper")
    image = plan.datasets[plan.run(run).dataset].image
    count = batches * iic_settings(run).pairs.batch_images
    shape = (count, image.channels, image.height, image.width)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def on_images(settings: Settings, images: np.ndarray, root: Path) -> RunContext[Settings]:
    """A run on images (n, C, H, W) uint8 of no dataset."""
    k = settings.head_b.k
    paths = RunPaths("benchmark", "images/trial", 0)
    return RunContext(in_memory(images, None, k), k, settings, 0, paths, "0" * 64, root)


def operations_of(settings: Settings) -> Operations:
    """Operations of one image in the network with its main head."""
    others = {"heads": {"B": settings.head_b.k}, "sub_heads": settings.sub_heads}
    return committed(NetworkPass("iic.networks.build.build", settings.network, others))
