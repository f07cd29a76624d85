"""The page, its numbers, and what it says plainly."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from iic.cli.app import app
from iic.own.errors import OwnDataError
from iic.own.explain import explain, label_findings, length_findings, percentages, read_assignments
from iic.own.findings import findings, stability, stable
from iic.own.fit import fit
from iic.own.labels import labels_of, scores
from iic.own.model import FitRequest, OwnModel, Stability
from iic.own.rivals import kmeans_on_points
from tests.own.pictures import folder
from tests.own.test_fit import QUICK

GOOD = Stability(ari=0.9, shuffled=0.01, agreement=0.95)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> OwnModel:
    top = tmp_path_factory.mktemp("own")
    source = folder(top / "<b>images", 40)
    (source / "notes.txt").write_text("no image")
    request = FitRequest(source=str(source), k=2, minutes=1, wishes=QUICK)
    return fit(request, top / "model", live=False)


def levels(clusters: list[int], k: int, **changes: object) -> list[tuple[str, str]]:
    content = {"measured": GOOD, "rival": np.array(clusters), "distinct": len(clusters), **changes}
    return list(findings(np.array(clusters), k, **content))  # type: ignore[arg-type]


def test_the_page_is_one_file_and_its_sizes_add_up(model: OwnModel) -> None:
    said = explain(model, "folders")
    assert not [one for one in said if one.level == "bad"]
    page = (model.folder / "report.html").read_text()
    assert "<b>images" not in page and "&lt;b&gt;images" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert page.count("Most certain") == 4 and page.count("data:image/png") == 6
    assert "notes.txt" in page and "no image of a known format" in page
    assert "accuracy, one-to-one" in page and "k-means on pixels" in page and "kind1" in page
    assert "accuracy, one-to-one" not in _page(model)


def _page(model: OwnModel) -> str:
    explain(model)
    return (model.folder / "report.html").read_text()


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30).filter(any))
def test_percentages_sum_to_a_hundred(sizes: list[int]) -> None:
    shares = percentages(np.array(sizes))
    assert sum(round(10 * float(share)) for share in shares) == 1000
    assert all(
        abs(float(share) - 100 * size / sum(sizes)) < 0.1
        for share, size in zip(shares, sizes, strict=True)
    )


def test_the_verb_ends_with_3_where_nothing_is_stable(
    model: OwnModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = CliRunner().invoke
    assert run(app, ["explain", str(model.folder)]).exit_code == 0
    text = (model.folder / "fit.json").read_text()
    noise = re.sub(r'"ari": [\d.]+', '"ari": 0.02', text)
    (model.folder / "fit.json").write_text(noise)
    try:
        assert run(app, ["explain", str(model.folder)]).exit_code == 3
        assert "No stable clustering" in (model.folder / "report.html").read_text()
    finally:
        (model.folder / "fit.json").write_text(text)


@pytest.mark.long
def test_noise_ends_with_3(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (500, 28, 28)).astype(np.uint8)
    np.save(tmp_path / "noise.npy", noise)
    options = (
        "--k 5 --epochs 40 --width 0.125 --sub-heads 5 --threads 1 --repeats 2 --precision bfloat16"
    )
    arguments = ["fit", str(tmp_path / "noise.npy"), "--out", str(tmp_path / "model")]
    assert CliRunner().invoke(app, [*arguments, *options.split()]).exit_code == 3


def test_stability_is_against_shuffled_images() -> None:
    draw = np.random.default_rng(0)
    same = np.tile(draw.integers(0, 4, 500)[:, None], (1, 3))
    assert stability(same, 1.0).ari == pytest.approx(1) and stable(stability(same, 1.0))
    other = draw.integers(0, 4, (500, 3))
    assert not stable(stability(other, 1.0))
    assert stability(same[:, :1], 1.0).ari is None


def test_collapse_is_said() -> None:
    collapsed = levels([0] * 200 + [1], 2)
    assert collapsed[0] == ("bad", "Collapsed: nearly all images are in one cluster.")
    assert not any("Rand index" in text for _, text in collapsed)
    assert any("Only 2 of 3 clusters" in text for _, text in levels([0, 1] * 100, 3))
    assert [level for level, _ in levels([0, 1] * 100, 2)] == ["good"]


def test_imbalance_is_said() -> None:
    """IIC halves a 90/10 set; k-means sees it."""
    rival = np.array([0] * 180 + [1] * 20)
    said = levels([0, 1] * 100, 2, rival=rival)
    assert any("prefers clusters of equal size" in text for _, text in said)
    assert any("k-means puts 90%" in text for _, text in said)
    assert any("Sizes are uneven" in text for _, text in levels([0] * 190 + [1, 2, 3] * 4, 4))


def test_copies_and_few_images_are_said() -> None:
    said = levels([0, 1] * 6, 2, distinct=10)
    assert any("2 of 12 images are copies" in text for _, text in said)
    assert any("few for 2 clusters" in text for _, text in said)


def test_as_many_labels_as_images_are_said_to_say_nothing() -> None:
    names = [str(number) for number in range(300)]
    assert any("scores say nothing" in one.text for one in label_findings(names, 300, 0, 10))
    assert any("5 images have no label" in one.text for one in label_findings(["a", "b"], 9, 5, 2))
    assert any("3 clusters" in one.text for one in label_findings(["a", "b"], 9, 0, 3))


def test_a_short_training_is_said_to_be_one(model: OwnModel) -> None:
    assert any("Only 12 steps" in one.text for one in explain(model))
    assert length_findings(100) == []


def test_scores_by_hand(model: OwnModel, tmp_path: Path) -> None:
    table = pd.DataFrame({"path": list("abcdef"), "label": ["x", "x", "x", "y", "y", ""]})
    given_labels = labels_of(table, "folders")
    assert given_labels.without == 1 and given_labels.classes == ["x", "y"]
    said = scores("IIC", np.array([0, 0, 1, 2, 2, 0]), given_labels, 3)
    assert said.one_to_one == pytest.approx(80) and said.many_to_one == pytest.approx(100)


def test_labels_for_files_that_are_not_there(model: OwnModel, tmp_path: Path) -> None:
    table = read_assignments(model)
    file = tmp_path / "labels.csv"
    file.write_text("path,label\nnowhere.png,a\n")
    with pytest.raises(OwnDataError, match=r"nowhere\.png"):
        labels_of(table, str(file))
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(OwnDataError, match="no such file"):
            labels_of(table, str(path))
    with pytest.raises(OwnDataError, match="no subfolders"):
        labels_of(table[["path"]], "folders")
    file.write_text(f"path,label\n{table['path'][0]},a\n")
    assert labels_of(table, str(file)).without == 39


def test_kmeans_assigns_every_point_to_its_nearest_centre() -> None:
    points = np.concatenate([np.zeros((30, 4)), np.full((50, 4), 9.0)])
    clusters = kmeans_on_points(points, 2, threads=1)
    assert sorted(np.bincount(clusters)) == [30, 50]
