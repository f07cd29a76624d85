"""What-where autoencoders: pooling and its inverse, the errors inside, what is learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from iic.evaluate.metrics import accuracy_per_sub_head
from iic.methods.what_where.loss import intermediate_error, reconstruction_error
from iic.methods.what_where.network import Encoding, WhatWhereAutoencoder
from iic.methods.what_where.network_settings import WhatWhereNetworkSettings
from iic.methods.what_where.pooling import pooled, unpooled
from iic.methods.what_where.task import WhatWhereTask
from iic.params.datasets import find_dataset
from iic.params.errors import SettingsError
from tests.methods.autoencoders.autoencoder_helpers import digits
from tests.methods.autoencoders.test_methods import CHANCE
from tests.methods.feature_helpers import context, train
from tests.methods.test_cost import counted, of_layers
from tests.methods.test_feature_methods import losses

CPU = torch.device("cpu")
SETTINGS = WhatWhereNetworkSettings.model_validate(
    {
        "input_size": 12,
        "in_channels": 3,
        "stages": [
            {"channels": [4], "pool": 2},
            {"channels": [5, 6], "pool": 3, "kernel": 5},
            {"channels": [7], "pool": 2},
        ],
    }
)
LEARNING: dict[str, Any] = {
    "number": 1797,
    "batch_images": 64,
    "schedule": {"epochs": 10, "evaluate_every": 10, "evaluation_batch": 500},
}


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("side", [1, 2, 3])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_unpooling_is_torchs_own(side: int, layout: torch.memory_format) -> None:
    maps = random(2, 4, 6, 6).contiguous(memory_format=layout).requires_grad_()
    what, where = pooled(maps, side)
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        expected = nn.functional.max_unpool2d(what, where, side)
    finally:
        torch.use_deterministic_algorithms(before)
    found = unpooled(what, where, side)
    assert torch.equal(found, expected)
    weights = random(2, 4, 6, 6)
    (mine,) = torch.autograd.grad((found * weights).sum(), maps, retain_graph=True)
    # only maxima are passed on, each to its own place
    assert torch.equal(mine, torch.where(found == maps, weights, 0.0))
    assert int((found != 0).sum()) == what.numel()


def test_maxima_are_restored_at_their_own_places_alone() -> None:
    """Unpooling a map that is nothing but maxima restores it; with other places it does not."""
    maps = torch.zeros(1, 1, 4, 4)
    maps[0, 0, [0, 1, 2, 3], [1, 2, 0, 3]] = torch.tensor([5.0, 6.0, 7.0, 8.0])
    what, where = pooled(maps, 2)
    assert torch.equal(unpooled(what, where, 2), maps)
    assert not torch.equal(unpooled(what, where.flip(2), 2), maps)


def test_errors_are_means() -> None:
    output, images = random(3, 2, 4, 4), torch.zeros(3, 2, 4, 4, dtype=torch.float64)
    expected = sum(float(value) ** 2 for value in output.flatten()) / 96
    assert reconstruction_error(output, images).item() == pytest.approx(expected)
    decoded, encoded = [random(2, 5), random(2, 7)], [torch.ones(2, 5), torch.ones(2, 7)]
    by_hand = sum(((one - 1) ** 2).mean().item() for one in decoded)
    assert intermediate_error(decoded, encoded).item() == pytest.approx(by_hand)
    assert intermediate_error([], []).item() == 0


def test_the_decoder_mirrors_the_encoder() -> None:
    network = WhatWhereAutoencoder(SETTINGS)
    encoding, output, decoded = network(torch.rand(2, 3, 12, 12))
    assert [tuple(one.shape[1:]) for one in encoding.what] == [(4, 6, 6), (6, 2, 2), (7, 1, 1)]
    assert output.shape == (2, 3, 12, 12)
    assert [one.shape for one in decoded] == [one.shape for one in encoding.what[:-1]]
    assert network.code(torch.rand(2, 3, 12, 12)).shape[1] == SETTINGS.code == 7
    # features are cut off at 0, pixels are not
    assert all(one.min().item() >= 0 for one in decoded)
    assert output.min().item() < 0


def test_the_decoder_knows_what_and_where_and_nothing_else() -> None:
    """Of the maps below the last only places are passed on."""
    network = WhatWhereAutoencoder(SETTINGS).eval()
    encoding = network.encode(torch.rand(2, 3, 12, 12))
    blind = Encoding((*(torch.zeros_like(one) for one in encoding.what[:-1]), encoding.what[-1]),
                     encoding.where)  # fmt: skip
    assert torch.equal(network.decode(blind)[0], network.decode(encoding)[0])
    moved = Encoding(encoding.what, tuple(where.flip(0) for where in encoding.where))
    assert not torch.equal(network.decode(moved)[0], network.decode(encoding)[0])


def test_the_loss_is_both_errors(tmp_path: Path) -> None:
    found = {}
    for weight in (0.0, 1.0, 3.0):
        run = WhatWhereTask(context(tmp_path, "what_where", intermediate_weight=weight), CPU)
        found[weight] = run.loss("reconstruction", torch.arange(9), torch.Generator()).item()
    encoding, output, decoded = run.network(run.inputs(torch.arange(9)))
    error = ((output - run.inputs(torch.arange(9))) ** 2).mean().item()
    inside = ((decoded[0] - encoding.what[0]) ** 2).mean().item()
    assert found[0.0] == pytest.approx(error, rel=1e-5)
    assert found[3.0] == pytest.approx(error + 3 * inside, rel=1e-5)
    assert inside > 0.01


def test_it_learns(tmp_path: Path) -> None:
    """Each seed 35 points above chance, together 5 above the untrained network's codes."""
    gains = []
    for seed in (0, 1, 2):
        outcome = train(tmp_path / str(seed), "what_where", seed=seed, **LEARNING)
        before, after = (
            float(one["accuracy"][0])  # type: ignore[index]
            for one in outcome.history
            if one["accuracy"]
        )
        assert after > CHANCE + 35
        assert losses(outcome)[-1] < 0.3 * losses(outcome)[0]
        gains.append(after - before)
    assert np.mean(gains) > 5


def test_of_mixed_pixels_its_clusters_are_those_of_chance(tmp_path: Path) -> None:
    images, labels = digits()
    flat = images.reshape(len(images), -1)
    mixed = np.random.default_rng(0).permuted(flat, axis=1).reshape(images.shape)
    outcome = train(tmp_path, "what_where", images=mixed, **LEARNING)
    (score,) = accuracy_per_sub_head(outcome.last.clusters, labels, 10, 10)
    assert score < CHANCE + 5


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"input_size": 9}, r"stages\.0\.pool: windows of 2 pixels do not divide a map of 9"),
        ({"stages": [{"channels": [4], "pool": 2}, {"channels": [4], "pool": 3}]},
         r"stages\.1\.pool: windows of 3 pixels do not divide a map of 4: a divisor of 4"),
        ({"stages": [{"channels": [4], "pool": 2, "kernel": 4}]}, r"stages\.0\.kernel: 4 would"),
    ],
)  # fmt: skip
def test_stages_that_do_not_fit_are_refused(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(SettingsError, match=says):
        context(tmp_path, "what_where", autoencoder=changes)


def test_a_network_of_other_images_is_refused(tmp_path: Path) -> None:
    changes = {"input_size": 16, "in_channels": 3}
    settings = context(tmp_path, "what_where", autoencoder=changes).settings
    problems = [one.key for one in settings.problems(find_dataset("mnist"))]
    assert problems == ["autoencoder.in_channels", "autoencoder.input_size"]


def test_the_estimated_cost_is_what_is_computed(tmp_path: Path) -> None:
    run = context(tmp_path, "what_where", schedule={"epochs": 3, "evaluate_every": 2})
    from iic.methods.what_where import method

    dataset = find_dataset("digits").model_copy(update={"splits": {"train": 300}})
    with counted() as macs:
        outcome = method.train(run)
    cost = run.settings.cost(dataset, of_layers)
    assert (cost.steps, cost.training) == (outcome.steps, 6 * macs[True])
    assert outcome.best_label is not None
    # the codes of the last and of the best epoch once more, or of one where they are the same
    spared = (outcome.best_label.epoch == 3) * 300 * 2 * (16 * 9 * 64 + 32 * 16 * 9 * 16)
    assert cost.evaluation == 2 * macs[False] + spared
