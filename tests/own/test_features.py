"""Features in place of pixels: pairs of neighbours, k-means beside, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from iic.evaluate.metrics import ari
from iic.own.audit import audit
from iic.own.choice import Wishes
from iic.own.errors import OwnDataError
from iic.own.explain import explain
from iic.own.features import read_features
from iic.own.fit import fit
from iic.own.items import Listing
from iic.own.model import FitRequest, OwnModel
from iic.own.predict import predict
from iic.own.sources import listing
from tests.own.pictures import folder

QUICK = Wishes(epochs=60, threads=1, sub_heads=4)


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 images of three kinds, in ``images``; rows of ``a.npy`` are theirs, by path."""
    path = tmp_path_factory.mktemp("own")
    folder(path / "images", 60, kinds=3)
    labels = np.repeat(np.arange(3), 20)
    draw = np.random.default_rng(0)
    np.save(path / "a.npy", 10 * np.eye(3, 6)[labels] + draw.normal(size=(60, 6)))
    return path


@pytest.fixture(scope="module")
def model(top: Path) -> OwnModel:
    request = FitRequest(
        source=str(top / "images"), k=3, minutes=1, wishes=QUICK, features=str(top / "a.npy")
    )
    return fit(request, top / "model", live=False)


def test_a_model_of_features(model: OwnModel, top: Path) -> None:
    table = pd.read_csv(model.folder / "assignments.csv")
    kinds = table["label"].str.removeprefix("kind").astype(int)
    assert ari(table["cluster"], kinds) > 90 and ari(table["rival"], kinds) > 90
    explain(model, "folders")
    assert "k-means on the same features" in (model.folder / "report.html").read_text()
    card = (model.folder / "README.md").read_text()
    assert "features of an image, of a file" in card and "BatchNorm" not in card
    assert "--out clusters.csv --features FILE" in card
    assert [one.level for one in audit(model)] == ["verified"] * 4
    said = predict(model, top / "images", features=top / "a.npy").table
    assert list(said["cluster"]) == list(table["cluster"])
    assert np.allclose(said["probability"], table["probability"], atol=1e-5)


def test_one_image_with_its_features_alone(model: OwnModel, top: Path, tmp_path: Path) -> None:
    image = sorted((top / "images").rglob("*.png"))[7]
    np.save(tmp_path / "b.npy", np.load(top / "a.npy")[7:8])
    alone = predict(model, image, features=tmp_path / "b.npy").table.iloc[0]
    row = pd.read_csv(model.folder / "assignments.csv").iloc[7]
    assert alone["cluster"] == row["cluster"]
    assert alone["probability"] == pytest.approx(row["probability"], abs=1e-5)


def test_kinds_of_files_give_the_same_features(top: Path) -> None:
    listed, array = listing(top / "images"), np.load(top / "a.npy").astype(np.float32)
    save_file({"features": array}, top / "a.safetensors")
    table = pd.DataFrame(array, columns=[f"f{number}" for number in range(6)])
    table.to_parquet(top / "a.parquet")
    named = table.assign(path=[item.name for item in listed.items]).sample(frac=1, random_state=0)
    named.to_parquet(top / "named.parquet")
    files = ("a.npy", "a.safetensors", "a.parquet", "named.parquet")
    rows = [read_features(top / name, listed, top / "images") for name in files]
    for other in rows[1:]:
        assert list(other) == list(rows[0])
        assert all(np.array_equal(other[name], rows[0][name]) for name in other)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda array: array[:-1], "59 rows, but .* lists 60 files"),
        (lambda array: np.where(np.arange(60)[:, None] == 4, np.nan, array), "first is row 4"),
        (lambda array: array[:, 0], r"shape \(n, d\)"),
        (lambda array: array.astype(str), r"shape \(n, d\)"),
    ],
)
def test_features_that_do_not_fit(top: Path, tmp_path: Path, change: object, reason: str) -> None:
    np.save(tmp_path / "b.npy", change(np.load(top / "a.npy")))  # type: ignore[operator]
    with pytest.raises(OwnDataError, match=reason):
        read_features(tmp_path / "b.npy", listing(top / "images"), top / "images")


def test_files_that_are_no_features(top: Path, tmp_path: Path) -> None:
    listed = Listing(listing(top / "images").items[:2])
    (tmp_path / "a.txt").write_text("1 2")
    (tmp_path / "a.npy").write_text("1 2")
    pd.DataFrame({"path": ["x"], "f": [1.0]}).to_parquet(tmp_path / "a.parquet")
    save_file({"a": np.zeros((2, 1)), "b": np.zeros((2, 1))}, tmp_path / "a.safetensors")
    for name, reason in (
        ("a.txt", "no kind of features"),
        ("a.npy", "no features that can be read"),
        ("none.npy", "no features that can be read"),
        ("a.parquet", "no row for 2 images"),
        ("a.safetensors", "2 tensors"),
    ):
        with pytest.raises(OwnDataError, match=reason):
            read_features(tmp_path / name, listed, top)


def test_features_where_they_are_missing_or_too_much(
    model: OwnModel, top: Path, tmp_path: Path
) -> None:
    with pytest.raises(OwnDataError, match="--features FILE"):
        predict(model, top / "images")
    np.save(tmp_path / "b.npy", np.zeros((60, 5)))
    with pytest.raises(OwnDataError, match=r"5 features of each image, .* fitted on 6"):
        predict(model, top / "images", features=tmp_path / "b.npy")
