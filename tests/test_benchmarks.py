"""What benchmarks compare with: the plain formulation gives the losses of the project's own."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import own_images
from benchmarks.plain import PlainTraining, loss_of_maps, loss_of_sub_head
from iic.evaluate.metrics import ari
from iic.objective.clustering import clustering_loss
from iic.objective.segmentation import segmentation_loss
from iic.params.augmentation import ColourAugmentation
from tests.engine import tiny
from tests.own.pictures import shapes


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
    images, labels = shapes(60, kinds=3)
    head = bytes([0, 0, 8, 3]) + np.array(images.shape, ">u4").tobytes()
    (tmp_path / "images").write_bytes(head + images.tobytes())
    content = bytes([0, 0, 8, 1]) + np.array([60], ">u4").tobytes() + labels.astype("u1").tobytes()
    (tmp_path / "labels.gz").write_bytes(gzip.compress(content))
    read = [own_images.idx_array(tmp_path / name) for name in ("images", "labels.gz")]
    assert np.array_equal(read[0], images) and np.array_equal(read[1], labels)
    own_images.written(tmp_path / "folder", *read)
    work = tmp_path / "work"
    work.mkdir()
    listed = own_images.read(tmp_path / "folder", work)
    assert sorted(listed.labels) == sorted(map(str, labels))  # type: ignore[type-var]
    own_images.worker("kmeans", work / "pixels.npy", 3, work / "kmeans.npy")
    truth = np.array(listed.labels).astype(np.int64)
    assert ari(np.load(work / "kmeans.npy"), truth) > 30
    monkeypatch.setattr(own_images, "find_spec", lambda name: None)
    assert own_images.rival_clusters("dec", work, 3, 1) == "ClustPy is not installed"
    assert own_images.row("dec", "not done", 1.0) == "| dec | not done | | | | |"
