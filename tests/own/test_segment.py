"""Segmentation of a folder: a model, label images at the images' own size, a page, an audit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from iic.cli.app import app
from iic.evaluate.metrics import ari
from iic.own.audit import audit
from iic.own.choice import Wishes
from iic.own.errors import ModelError, OwnDataError
from iic.own.fit import fit
from iic.own.map_network import label_image, stretched
from iic.own.model import FitRequest, OwnModel
from iic.own.portable import export_torch
from iic.own.predict import predict

QUICK = Wishes(epochs=14, threads=1, width=0.125, side=32, learning_rate=4e-3, batch=8)


def scene(draw: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Dark with bright dots on one side of an upright line, plain and bright on the other."""
    edge = int(draw.uniform(0.3, 0.7) * width)
    truth = np.zeros((height, width), np.int64)
    truth[:, edge:] = 1
    if draw.integers(2):
        truth = 1 - truth
    image = np.where(truth[..., None] == 1, 190.0, 60.0) + draw.normal(0, 12, (height, width, 3))
    return np.clip(image, 0, 255).astype(np.uint8), truth


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("segment")
    draw = np.random.default_rng(0)
    for index in range(8):
        image, truth = scene(draw, *(((48, 48), (48, 70))[index % 2]))
        name = f"{'one' if index % 2 else 'other'}/{index:02d}.png"
        for folder, content in (("images", image), ("truth", truth.astype(np.uint8))):
            (path / folder / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(content).save(path / folder / name)
    (path / "images" / "notes.txt").write_text("no image")
    return path


@pytest.fixture(scope="module")
def model(top: Path) -> OwnModel:
    return fit(request(top), top / "model", live=False)


def request(top: Path) -> FitRequest:
    return FitRequest(source=str(top / "images"), task="segment", k=2, minutes=1, wishes=QUICK)


def test_two_kinds_of_pixels_are_told_apart_at_the_images_own_size(
    model: OwnModel, top: Path
) -> None:
    run = CliRunner().invoke
    out = top / "segmented"
    arguments = ["predict", str(model.folder), str(top / "images"), "--out", str(out)]
    done = run(app, arguments)
    assert done.exit_code == 0, done.output
    table = pd.read_csv(out / "areas.csv").set_index("path")
    clusters, truths = [], []
    for name, row in table.iterrows():
        flat = str(name).replace("/", "__")
        truth = np.asarray(Image.open(top / "truth" / str(name)))
        labels = Image.open(out / "labels" / f"{flat}.png")
        assert labels.mode == "P" and labels.size == truth.shape[::-1]
        assert Image.open(out / "overlays" / f"{flat}.png").size == labels.size
        own = np.asarray(labels)
        assert abs((own == 0).mean() - row["area_0"]) < 0.1
        clusters.append(own.ravel())
        truths.append(truth.ravel())
    assert len(clusters) == 8
    assert ari(np.concatenate(clusters), np.concatenate(truths)) > 50
    assert np.allclose(table[["area_0", "area_1"]].sum(axis=1), 1, atol=1e-5)
    assert pd.read_csv(out / "skipped.csv")["path"].tolist() == ["notes.txt"]
    assert isinstance(run(app, arguments).exception, OwnDataError)  # the folder exists
    alone = [*arguments[:2], str(top / "images" / table.index[3]), "--out", str(top / "alone")]
    assert run(app, alone).exit_code == 0
    flat = table.index[3].replace("/", "__")
    assert (top / "alone" / "labels" / "07.png.png").read_bytes() == (
        out / "labels" / f"{flat}.png"
    ).read_bytes()


def test_the_model_its_page_and_its_audit(model: OwnModel, top: Path) -> None:
    run = CliRunner().invoke
    assert model.receipt.stability.ari is not None and model.receipt.images == 8
    assert run(app, ["explain", str(model.folder)]).exit_code in (0, 3)
    page = (model.folder / "report.html").read_text()
    assert page.count("data:image/png") == 2 + 2 * 8 and "notes.txt" in page
    assert "k-means on colours" in page and "clusters of pixels" in page
    card = (model.folder / "README.md").read_text()
    assert "2 clusters of pixels of 8 images" in card and "--out segmented" in card
    assert "RGB, the shorter side at 32 pixels" in card and "statistics of its training" in card
    assert [one.level for one in audit(model)] == ["verified"] * 4
    assert fit(request(top), model.folder, live=False).receipt == model.receipt
    weights = model.folder / "assignments.csv"
    before = weights.read_text()
    weights.write_text(before.replace("0.", "0.1", 1))
    assert [one.level for one in audit(OwnModel(model.folder))] == ["failure"]
    weights.write_text(before)


def test_one_seed_of_one_sub_head(top: Path, tmp_path: Path) -> None:
    wishes = QUICK.model_copy(update={"epochs": 1, "seeds": 1, "sub_heads": 1})
    own = fit(request(top).model_copy(update={"wishes": wishes}), tmp_path / "model", live=False)
    assert own.receipt.stability.ari is None and own.receipt.seeds[0].loss < 0
    assert own.config.alignment == ((0, 1),)


def test_what_a_segmentation_is_not(model: OwnModel, top: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="segments images"):
        predict(model, top / "images")
    with pytest.raises(ModelError, match="segments images"):
        export_torch(model, tmp_path / "model.pt2")
    base = ["fit", str(top / "images"), "--out", str(tmp_path / "model"), "--task", "segment"]
    for options, reason in (
        (["--k", "2..4"], "several k are not compared"),
        (["--k", "300"], "allowed: 2 to 255"),
        (["--k", "2", "--size", "16"], "allowed: 24 or more"),
        (["--k", "2", "--features", "a.npy"], "sees pixels"),
    ):
        said = CliRunner().invoke(app, [*base, *options])
        assert isinstance(said.exception, OwnDataError) and reason in str(said.exception)
    explained = CliRunner().invoke(app, ["explain", str(model.folder), "--labels", "folders"])
    assert "one label an image" in str(explained.exception)


def test_maps_are_stretched_before_the_largest_is_taken() -> None:
    import torch

    maps = torch.tensor([[[0.9, 0.2]], [[0.1, 0.8]]])
    assert stretched(maps, 1, 8).tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]]
    image = label_image(np.array([[0, 1]], np.uint8), 2)
    assert image.mode == "P" and np.asarray(image).tolist() == [[0, 1]]
