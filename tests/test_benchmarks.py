"""What benchmarks compare with: the plain formulation gives the losses of the project's own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks import own_images, own_results, own_rivals
from benchmarks.plain import PlainTraining, loss_of_maps, loss_of_sub_head
from iic.evaluate.metrics import ari
from iic.objective.clustering import clustering_loss
from iic.objective.segmentation import segmentation_loss
from iic.params.augmentation import ColourAugmentation
from iic.publish.marked import replaced
from tests.engine import tiny
from tests.own.pictures import folder

UNLIMITED = {"RLIMIT_CPU": 0, "RLIMIT_DATA": 1, "setrlimit": lambda *limits: None}
"""In place of `resource`: a test's own process is not limited."""


@pytest.mark.parametrize("lam", [1.0, 1.3])
def test_the_loss_of_pairs_is_ours(lam: float) -> None:
    draw = torch.Generator().manual_seed(0)
    z = torch.randn(12, 2, 5, generator=draw, dtype=torch.float64).softmax(2)
    transformed = torch.randn(3, 12, 2, 5, generator=draw, dtype=torch.float64).softmax(3)
    plain = [
        loss_of_sub_head(z[:, i].repeat(3, 1), transformed[:, :, i].flatten(0, 1), lam)
        for i in range(2)
    ]
    ours = clustering_loss(z, transformed.sum(0), lam)
    torch.testing.assert_close(torch.stack(plain), ours, rtol=1e-12, atol=1e-13)


def test_the_loss_of_maps_is_ours() -> None:
    draw = torch.Generator().manual_seed(0)
    z, transformed = torch.randn(2, 3, 4, 9, 9, generator=draw, dtype=torch.float64).softmax(2)
    ours = segmentation_loss(z[:, None], transformed[:, None], None, 2).mean()
    torch.testing.assert_close(loss_of_maps(z, transformed, 2), ours, rtol=1e-10, atol=1e-12)


def test_the_plain_form_sees_the_pairs_that_ours_sees() -> None:
    """As many, of the same shapes and range, originals repeated as their transforms lie."""
    images, _ = tiny.images()
    training = PlainTraining(tiny.settings(), images)
    originals, transformed = training.load()
    assert originals.shape == transformed.shape == (24, 1, 8, 8)
    assert torch.equal(originals[:8], originals[8:16])
    assert not torch.equal(transformed[:8], transformed[8:16])
    assert 0 <= transformed.min() and transformed.max() <= 1
    assert training.loss(originals, transformed).isfinite()
    colour = ColourAugmentation(crop=10, input_size=8)
    settings = tiny.settings(network={"in_channels": 2}).model_copy(update={"augmentation": colour})
    photographs = np.random.default_rng(0).integers(0, 256, (24, 3, 12, 12), dtype=np.uint8)
    originals, transformed = PlainTraining(settings, photographs).load()
    assert originals.shape == transformed.shape == (24, 2, 8, 8)


@pytest.mark.parametrize("name", ["bench", "digits", "digits_runs", "gpu", "time_to_accuracy"])
def test_benchmarks_start(name: str) -> None:
    command = [sys.executable, "-m", f"benchmarks.{name}", "--help"]
    subprocess.run(command, check=True, capture_output=True)


def test_methods_on_own_images_are_compared_on_the_same_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = folder(tmp_path / "images", 60, kinds=3)
    clusters = tmp_path / "work" / "kmeans.npy"

    def ended(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        """k-means in this process; spectral clustering runs out of time."""
        if "spectral" in command:
            return subprocess.CompletedProcess(command, -signal.SIGXCPU, "", "")
        monkeypatch.setattr(sys, "argv", command[1:])
        own_rivals.main()
        return subprocess.CompletedProcess(command, 0, "said\n", "")

    monkeypatch.setattr(own_images.subprocess, "run", ended)
    monkeypatch.setattr(own_rivals, "resource", SimpleNamespace(**UNLIMITED))
    methods = ["kmeans", "spectral"]
    arguments = ("own", source, methods, None, 1.0, "no/python", clusters.parent)
    first, second = own_images.compared(*arguments)
    assert first["images"] == 60 and first["k"] == 3 and first["note"] == "said"
    listed = own_images.read(source, clusters.parent)
    truth = np.unique(listed.labels, return_inverse=True)[1]
    assert first["scores"]["ari"] == pytest.approx(ari(np.load(clusters), truth), abs=0.01)
    assert second["scores"] is None and second["note"] == "not done after 1 min"
    monkeypatch.undo()
    absent = own_images.rival("dec", "no/python", clusters.parent, 3, 1.0)
    assert absent == (None, "ClustPy is not installed: no no/python", 0.0)
    again = own_results.added([first, second], {**first, "note": "again"})
    assert [line["note"] for line in again] == ["again", "not done after 1 min"]
    assert "| own, 60 | 3 | 1 | spectral clustering (scikit-learn) | – | –" in own_results.page(
        again
    )


def test_the_table_of_own_images_is_that_of_the_results() -> None:
    text, lines = own_results.PAGE.read_text(encoding="utf-8"), own_results.read_results()
    assert replaced(text, "own_images", own_results.page(lines)) == text, "run it with --page"
    assert {line["data"] for line in lines} <= set(own_results.DATA)
