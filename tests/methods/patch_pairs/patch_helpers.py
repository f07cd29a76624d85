"""Context prediction and co-occurrence, small enough to train in seconds on the tests' scenes."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from iic.engine.context import Outcome
from iic.engine.map_context import MapContext
from iic.methods.patch_pairs import patch_places
from iic.methods.patch_pairs.patch_places import PatchPairs
from iic.methods.patch_pairs.task import PatchPairTask
from iic.params.loading import validate
from iic.params.resolve import merged
from tests.engine.scenes import CLASSES, SIDE, scenes
from tests.engine.scenes import context as iic_context
from tests.prepared_maps import prepared_maps

NAMES = ("doersch", "isola")
PATCH = 5
SETTINGS: dict[str, Any] = {
    "network": {"input_size": SIDE, "in_channels": 5, "channels": [8, 12, 16, 16]},
    "augmentation": {"input_size": SIDE},
    "patches": {"side": PATCH},
    "patch_head": {"branch_channels": 16, "hidden": 32},
    "k": 3,
    "batch_images": 4,
    "evaluation_clusters": {"samples": 2000},
    "optimiser": {"learning_rate": 3e-3},
    "schedule": {"epochs": 3, "evaluation_batch": 5},
}


def module(name: str) -> ModuleType:
    """The method's module."""
    return importlib.import_module(f"iic.methods.patch_pairs.{name}")


def context(
    folder: Path,
    name: str,
    seed: int = 0,
    number: int = 10,
    parts: dict[str, int] | None = None,
    infrared: bool = False,
    **changes: Any,
) -> MapContext[Any]:
    """A run of `name` on as many scenes, sky over plants over ground, in splits of `parts`."""
    images, labels = scenes(number)
    if infrared:
        images = np.concatenate([images, images[:, :1]], axis=1)
    settings = validate(module(name).Settings, merged(SETTINGS, changes), "tests", name)
    return replace(
        iic_context(folder, seed=seed),
        data=prepared_maps(images, labels, CLASSES, parts),
        settings=settings,
    )


def train(folder: Path, name: str, seed: int = 0, **arguments: Any) -> Outcome:
    """Train `name` as the command line would."""
    outcome = module(name).train(context(folder, name, seed, **arguments))
    assert isinstance(outcome, Outcome)
    return outcome


def make_task(run: MapContext[Any], name: str) -> PatchPairTask:
    """The task that the method hands to the engine."""
    caught: list[PatchPairTask] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "iic.engine.run.run",
            lambda context, build: caught.append(build(context, torch.device("cpu"))),
        )
        module(name).train(run)
    (made,) = caught
    return made


@contextmanager
def random_answers() -> Iterator[None]:
    """Inside, a pair's answer is that of another one, drawn by itself: nothing can be learnt."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("context_pairs", "neighbour_pairs"):
            patch.setattr(patch_places, name, partial(_mixed, getattr(patch_places, name)))
        yield


def _mixed(
    draw: Callable[..., PatchPairs], count: int, *, generator: torch.Generator, **places: Any
) -> PatchPairs:
    pairs = draw(count, generator=generator, **places)
    others = torch.Generator().manual_seed(generator.initial_seed() + 1)
    return pairs._replace(target=draw(count, generator=others, **places).target)


def hits(run: MapContext[Any], name: str, outcome: Outcome | None, rounds: int = 40) -> float:
    """Share of right answers about new pairs, of the last weights or of untrained ones."""
    one = make_task(run, name)
    if outcome is not None:
        weights = {
            key.removeprefix("last."): torch.from_numpy(value)
            for key, value in (outcome.tensors or {}).items()
            if key.startswith("last.")
        }
        one.network.load_state_dict(weights)
    one.network.eval()
    right = []
    with torch.no_grad():
        for index in range(rounds):
            draw = torch.Generator().manual_seed(10_000 + index)
            outputs, target, _ = one.answers(torch.arange(len(run.data.images)), draw)
            if outputs.shape[1] == 1:
                right.append((outputs[:, 0] > 0) == (target > 0))
            else:
                right.append(outputs.argmax(dim=1) == target)
    return float(torch.cat(right).float().mean())
