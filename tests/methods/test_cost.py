"""The estimate of a training's cost counts what the training really does."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from iic.engine.context import RunContext
from iic.methods.finetune import method as finetune
from iic.methods.iic import method as iic
from iic.methods.iic import random_network
from iic.methods.iic import star as iic_star
from iic.params.datasets import find_dataset
from iic.params.operations import NetworkPass, Operations
from tests.engine import tiny
from tests.methods.finetune import test_method as classifiers
from tests.methods.methods_helpers import IIC, RANDOM, context

TRUNK = "iic.networks.build.build_trunk"
SPLITS = {"train": 80, "test": 40}
STAR: dict[str, Any] = {
    name: IIC[name] for name in ("network", "augmentation", "pairs", "sub_heads", "schedule")
} | {
    "head": {"k": 12, "splits": ["train"], "passes": 2},
    "evaluation": {"matching": "many_to_one", "mapping": ["train"], "test": ["test"]},
}


@contextmanager
def counted() -> Iterator[dict[bool, int]]:
    """Multiplications with weights in the block, with gradients and without."""
    macs = {True: 0, False: 0}

    def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
        # a transposed convolution spreads each input number, the others gather each output number
        if isinstance(module, nn.Conv2d | nn.Linear | nn.ConvTranspose2d):
            numbers = inputs[0] if isinstance(module, nn.ConvTranspose2d) else output
            macs[torch.is_grad_enabled()] += numbers.numel() * module.weight[0].numel()

    handle = register_module_forward_hook(hook)
    try:
        yield macs
    finally:
        handle.remove()


def of_layers(way: NetworkPass) -> Operations:
    """A pass through the real network, counted as `counted` counts a training.

    So costs and trainings have the same unit, and can only differ in what is done how often.
    """
    module, _, name = way.builder.rpartition(".")
    settings = way.settings
    with torch.random.fork_rng(), counted() as macs:
        network = getattr(importlib.import_module(module), name)(settings, **way.others)
        values = torch.zeros(2, settings.in_channels, settings.input_size, settings.input_size)
        for part in way.route or ("__call__",):
            values = getattr(network, part)(values)
    return Operations(macs[True] + macs[False], 3 * macs[True] + macs[False])


def check(module: Any, run: RunContext[Any], comparison: float = 0) -> None:
    """The estimate, which supposes that the best epoch is not the last, is what was computed."""
    manifest = run.data.manifest
    splits = {split.name: split.stop - split.start for split in manifest.splits}
    dataset = find_dataset("digits").model_copy(
        update={"splits": splits, "classes": tuple(map(str, range(run.classes)))}
    )
    with counted() as macs:
        outcome = module.train(run)
    found = run.settings.cost(dataset, of_layers)
    assert found.steps == outcome.steps
    assert found.training == 6 * macs[True]
    if module is not finetune:
        # one blank image, from which the engine learns the sizes of the maps
        macs[False] -= of_layers(NetworkPass(TRUNK, run.settings.network)).forward // 2
    last_is_best = outcome.best_label.epoch == outcome.last.epoch
    assert found.evaluation == 2 * macs[False] + (comparison if last_is_best else 0)


def test_two_heads(tmp_path: Path) -> None:
    settings = IIC | {"schedule": IIC["schedule"] | {"snapshot_steps": [0, 3, 99]}}
    run = context(tmp_path, iic.Settings, settings)
    # 120 images, each once as it is and twice transformed
    trunk, features = 64 * 4 * 25 + 16 * 8 * 4 * 25, 8 * 16
    check(iic, run, comparison=2 * 120 * 3 * (trunk + features * 30))


@pytest.mark.parametrize("overclustering", [True, False])
def test_passes_and_splits_of_each_head(tmp_path: Path, overclustering: bool) -> None:
    run = tiny.context(
        tmp_path, splits={"train": 30, "test": 10}, overclustering_head=overclustering,
        head_a={"splits": ["train", "test"]}, head_b={"splits": ["test"]},
        schedule={"epochs": 1, "double_evaluation": True, "evaluate_every": 2},
    )  # fmt: skip
    trunk, features = 64 * 4 * 25 + 16 * 8 * 4 * 25, 8 * 16
    check(iic, run, comparison=2 * 10 * 4 * (trunk + features * 8))


def test_one_head(tmp_path: Path) -> None:
    run = context(tmp_path, iic_star.Settings, STAR, splits=SPLITS)
    trunk, features = 64 * 4 * 25 + 16 * 8 * 4 * 25, 8 * 16
    check(iic_star, run, comparison=2 * 80 * 3 * (trunk + features * 36))


def test_nothing_trained(tmp_path: Path) -> None:
    check(random_network, context(tmp_path, random_network.Settings, RANDOM))


@pytest.mark.parametrize(
    "kind",
    [
        {"features": "penultimate", "head": "two_layer"},
        {"features": "pooled", "head": "linear", "ten_crop": False},
    ],
    ids=["as released", "as the paper says"],
)
def test_classifiers(tmp_path: Path, kind: dict[str, Any]) -> None:
    check(finetune, classifiers.run(tmp_path, **kind))


def test_a_fold_is_taken_for_a_fifth(tmp_path: Path) -> None:
    dataset = find_dataset("digits").model_copy(update={"splits": {"train": 5000, "test": 8000}})
    whole, fold = (
        classifiers.run(tmp_path, fold=fold).settings.cost(dataset, of_layers) for fold in (None, 0)
    )
    assert fold.training == whole.training / 5
    assert fold.evaluation == whole.evaluation
