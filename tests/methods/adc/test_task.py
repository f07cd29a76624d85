"""ADC in the loop: its terms, its first centroids, and that it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from iic.methods.adc import task as tasks
from iic.methods.adc.loss import Association, association
from iic.methods.adc.network import ADCNetwork
from iic.methods.adc.network_settings import ADCNetworkSettings
from iic.methods.adc.task import ADCTask
from tests.methods.autoencoders.test_methods import CHANCE
from tests.methods.clustering_helpers import context, mixer, score, train
from tests.quick import first_quick

CPU = torch.device("cpu")
LEARNING: dict[str, Any] = {
    "number": 1797,
    "embedder": {"input_size": 14, "widths": [16, 32], "convolutions": 1},
    "batch_images": 32,
    "repeats": 2,
    "optimiser": {"learning_rate": 4e-3, "beta1": 0.8, "beta2": 0.9},
    "schedule": {"epochs": 6, "evaluate_every": 6, "evaluation_batch": 500},
}


def test_the_default_network_and_its_first_centroids() -> None:
    torch.manual_seed(0)
    network = ADCNetwork(ADCNetworkSettings(input_size=28, in_channels=1), 10)
    shapes = [tuple(layer.weight.shape) for layer in network.embedder if hasattr(layer, "weight")]
    assert shapes == [
        (32, 1, 3, 3), (32, 32, 3, 3), (64, 32, 3, 3), (64, 64, 3, 3), (128, 64, 3, 3),
        (128, 128, 3, 3), (128, 128 * 3 * 3),
    ]  # fmt: skip
    assert sum(isinstance(layer, torch.nn.Dropout) for layer in network.embedder) == 2
    centroids = network.centroids.detach().view(10, 4, 128)
    middles = centroids.mean(dim=1)
    assert float((centroids - middles[:, None]).abs().max()) < 0.02
    assert float(middles.std()) == pytest.approx(0.3, rel=0.1)
    # pixels are taken from [0, 1] to [-1, 1]
    grey = torch.full((1, 1, 28, 28), 0.5)
    network.eval()
    with torch.no_grad():
        assert float(network.embedder(grey).abs().max()) == 0
        assert float(network.embedder(0 * grey).abs().max()) > 0


def test_the_terms_of_the_loss(tmp_path: Path) -> None:
    """Each weight changes its own term, whose value is told by hand."""
    draw = torch.Generator().manual_seed(0)
    images, transformed = torch.randn(5, 16, generator=draw), torch.randn(15, 16, generator=draw)
    numbers = torch.arange(5).repeat(3)
    names = ("walker", "visit", "transformed_walker", "transformed_visit", "logits", "sparsity",
             "length", "layers", "classifier")  # fmt: skip
    nothing = dict.fromkeys(names, 0.0)
    whole = ADCTask(context(tmp_path, "adc"), CPU)
    network = whole.network
    clusters = torch.arange(10).repeat_interleave(4)
    points = torch.cat([network.centroids, images, transformed])
    first = association(network.centroids, images, clusters)
    second = association(transformed, images, numbers)
    weights = {name: value for name, value in network.named_parameters() if "weight" in name}
    wanted = {
        "walker": first.walker,
        "visit": first.visit,
        "transformed_walker": second.walker,
        "transformed_visit": second.visit,
        "logits": cross_entropy(network.classifier(network.centroids), clusters),
        "sparsity": points.abs().sum(),
        "length": (points.norm(dim=1) - 1).square().sum(),
        "layers": sum(v.square().sum() / 2 for n, v in weights.items() if "classifier" not in n),
        "classifier": weights["classifier.weight"].square().sum() / 2,
    }
    given = whole.settings.weights
    values = {name: float(torch.as_tensor(value).detach()) for name, value in wanted.items()}
    total = sum(getattr(given, name) * values[name] for name in names)
    found = float(whole.terms(images, transformed, numbers).detach())
    assert found == pytest.approx(total, rel=1e-5)
    for name in names:
        task = ADCTask(context(tmp_path, "adc", weights=nothing | {name: 1.0}), CPU)
        found = float(task.terms(images, transformed, numbers).detach())
        assert found == pytest.approx(values[name], rel=1e-4), name


def test_copies_are_associated_with_their_own_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With transforms that change nothing, and no dropout, copy j of the batch is image j."""
    still = {"affine": {"probability": 0.0}, "shift": 0.0}
    task = ADCTask(context(tmp_path, "adc", augmentation=still, embedder={"dropout": 0.0}), CPU)
    seen: list[tuple[Tensor, Tensor, Tensor]] = []
    terms = ADCTask.terms
    monkeypatch.setattr(
        ADCTask, "terms", lambda self, *parts: seen.append(parts) or terms(self, *parts)
    )
    task.loss("associations", torch.tensor([7, 2, 9]), torch.Generator().manual_seed(0))
    images, transformed, numbers = seen[0]
    assert len(transformed) == 9 and images.requires_grad and transformed.requires_grad
    torch.testing.assert_close(transformed, images[numbers])
    assert not torch.equal(images[0], images[1])


@pytest.mark.parametrize("seed", first_quick(range(3)))
def test_it_learns(tmp_path: Path, seed: int) -> None:
    assert score(train(tmp_path, "adc", seed=seed, **LEARNING)) > CHANCE + 20


@pytest.mark.long
def test_with_copies_of_other_images_it_learns_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ties an image to its cluster is that its transforms are in it."""

    mix = mixer()

    def mixed(points: Tensor, others: Tensor, groups: Tensor) -> Association:
        return association(points, others, groups[mix(len(groups))])

    right = score(train(tmp_path / "right", "adc", **LEARNING))
    monkeypatch.setattr(tasks, "association", mixed)
    assert score(train(tmp_path / "mixed", "adc", **LEARNING)) < right - 15
