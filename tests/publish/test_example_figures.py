from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex

from iic.params.runs import Plan
from iic.publish.figures import bars, clusters, examples, probabilities
from iic.publish.figures.predictions import Predictions, load_predictions
from iic.publish.figures.saving import render, write
from iic.publish.figures.sheet import Box, Sheet, shortened, text_width
from iic.publish.figures.style import OTHER, TRUE, WRONG
from iic.records.files import read_record
from iic.records.paths import RunPaths
from iic.records.sources import Sources
from tests.publish.figure_helpers import (
    CLASSES,
    SPLITS,
    figures_plan,
    write_dataset,
    write_run,
)

CLONE = Path(__file__).parents[2]
SHAPES = ("checkerboard", "crosses", "flat_stripes", "upright_zigzag", "rings")
NAMES = ("figure_1", "figure_5", "supp_figure_1", "supp_figure_2")
IIC = RunPaths("tiny", "stl10/iic", 0)
LABELLED = SPLITS["train"] + SPLITS["test"]


def words(figure: object) -> list[str]:
    """Everything that is written on a sheet."""
    return [text.get_text() for text in (*figure.axes[0].texts, *figure.texts)]


def test_true_class_wrong_prediction_and_others_look_different(predictions: Predictions) -> None:
    right = int(np.flatnonzero(predictions.right)[0])
    wrong = int(np.flatnonzero(~predictions.right)[0])
    expected = ["other classes"] * 10
    expected[predictions.labels[right]] = "true class"
    assert bars.kinds(predictions, right) == expected
    kinds = bars.kinds(predictions, wrong)
    assert kinds[predictions.predicted[wrong]] == "wrong prediction"
    assert kinds[predictions.labels[wrong]] == "true class"
    assert kinds.count("other classes") == 8
    # nor by hue alone: outlined, hatched, plain
    styles = [bars.STYLES[kind] for kind in bars.STYLES]
    looks = {(style.get("hatch"), style["linewidth"] > 0) for style in styles}
    assert len(looks) == 3


@pytest.mark.parametrize("draw", [bars.upright, bars.lying])
def test_the_longest_bar_is_the_prediction(predictions: Predictions, draw: object) -> None:
    for row in (*np.flatnonzero(predictions.right)[:3], *np.flatnonzero(~predictions.right)[:3]):
        sheet = Sheet(2, 2)
        draw(sheet, predictions, int(row), Box(0.1, 0.2, 1.5, 1.0))
        sizes = np.array([(patch.get_width(), patch.get_height()) for patch in sheet.axes.patches])
        lengths = sizes[:, 1 if draw is bars.upright else 0]
        assert lengths.argmax() == predictions.predicted[row]
        np.testing.assert_allclose(
            lengths / lengths.max(),
            predictions.class_probabilities(row) / predictions.class_probabilities(row).max(),
            atol=1e-6,
        )
        colours = [to_hex(patch.get_edgecolor()).upper() for patch in sheet.axes.patches]
        faces = [to_hex(patch.get_facecolor()).upper() for patch in sheet.axes.patches]
        assert faces[predictions.labels[row]] == TRUE
        if predictions.right[row]:
            assert faces.count(OTHER.upper()) == 9
        else:
            assert colours[predictions.predicted[row]] == WRONG
            assert sheet.axes.patches[predictions.predicted[row]].get_hatch()


def test_figure_1_has_a_group_for_each_cluster_in_the_order_of_classes(
    root: Path, plan: Plan, predictions: Predictions
) -> None:
    figure = clusters.draw(plan, "figure_1", root).figure
    text = words(figure)
    assert [word for word in text if word in CLASSES] == [*CLASSES]
    sizes = [word for word in text if word.startswith("cluster ")]
    # class 0 is cluster 7
    assert sizes[0] == f"cluster 7, {int((predictions.clusters == 7).sum())} images"
    shown = [
        row
        for cluster in clusters.order(predictions.mapping)
        for row in predictions.sample(predictions.clusters == cluster, 16, cluster)
    ]
    assert len(figure.axes[0].images) == len(shown)
    for image, row in zip(figure.axes[0].images, shown, strict=True):
        np.testing.assert_array_equal(
            np.asarray(image.get_array()), predictions.image(row).transpose(1, 2, 0)
        )
    framed = sum(not predictions.right[row] for row in shown)
    assert len(figure.axes[0].patches) == framed > 0


def test_clusters_without_class_come_last() -> None:
    assert clusters.order(np.array([2, -1, 0, -1, 1])) == [2, 4, 0, 1, 3]


def test_figure_5_shows_right_predictions_and_then_failures(
    root: Path, plan: Plan, predictions: Predictions
) -> None:
    right, wrong = probabilities.chosen(predictions)
    columns, rows = probabilities.COLUMNS, probabilities.ROWS
    assert (len(right), len(wrong)) == (columns * (rows - 1), columns)
    assert predictions.right[right].all() and not predictions.right[wrong].any()
    drawn = probabilities.draw(plan, "figure_5", root).figure
    images = drawn.axes[0].images
    assert len(images) == columns * rows
    for image, row in zip(images, [*right, *wrong], strict=True):
        expected = predictions.image(row).transpose(1, 2, 0)
        np.testing.assert_array_equal(np.asarray(image.get_array()), expected)
    lowest = sorted(images, key=lambda image: image.get_extent()[3])[-columns:]
    assert lowest == images[-columns:]


@pytest.mark.parametrize("name", ["supp_figure_1", "supp_figure_2"])
def test_columns_are_predicted_classes_and_failures_are_last(
    root: Path, plan: Plan, name: str
) -> None:
    predictions = load_predictions(plan, name, root)
    figure = examples.draw(plan, name, root).figure
    axes = figure.axes[0]
    assert [text for text in words(figure) if text in CLASSES][:1] == ["airplane"]
    shown, bottom = iter(axes.images), max(image.get_extent()[2] for image in axes.images)
    for label in range(10):
        right, wrong = examples.chosen(predictions, label)
        assert (predictions.predicted[[*right, *wrong]] == label).all()
        assert predictions.right[right].all() and not predictions.right[wrong].any()
        middle = (label + 0.5) / 10
        for row in [*right, *wrong]:
            image = next(shown)
            left, east, low, _ = image.get_extent()
            assert (left + east) / 2 / 7 == pytest.approx(middle, abs=0.02)
            assert (low == bottom) == (row in wrong)
            expected = predictions.image(row).transpose(1, 2, 0)
            np.testing.assert_array_equal(np.asarray(image.get_array()), expected)
    assert next(shown, None) is None


def test_a_class_that_nothing_is_predicted_as_has_an_empty_column(
    root: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictions = load_predictions(plan, "supp_figure_1", root)
    none = replace(predictions, mapping=np.where(predictions.mapping == 3, 4, predictions.mapping))
    assert examples.chosen(none, 3) == ([], [])
    monkeypatch.setattr(examples, "load_predictions", lambda *_: none)
    assert examples.draw(plan, "supp_figure_1", root).figure.axes[0].images


@pytest.mark.parametrize("name", NAMES)
def test_stand_in_data_is_visible_and_the_layout_follows_its_classes(
    tmp_path: Path, name: str
) -> None:
    plan = figures_plan(stand_in=True, classes=SHAPES)
    write_dataset(tmp_path, "stl10_standin", SHAPES)
    write_run(tmp_path, plan, "stl10_standin/iic")
    write_run(tmp_path, plan, "stl10_standin/iic_star-pct100", k=15)
    module = {"1": clusters, "5": probabilities}.get(name[-1], examples)
    module = examples if name.startswith("supp") else module
    text = words(module.draw(plan, name, tmp_path).figure)
    assert "stand-in data" in text
    assert any(word.startswith("stl10_standin/iic") and "(stand-in data)" in word for word in text)
    assert "flat stripes" in text and "flat_stripes" not in text


@pytest.mark.parametrize("name", NAMES)
def test_real_data_is_not_called_a_stand_in(root: Path, plan: Plan, name: str) -> None:
    module = plan.figures[name].module.rsplit(".", 1)[1]
    draw = {"clusters": clusters, "probabilities": probabilities, "examples": examples}[module].draw
    assert not any("stand-in" in word for word in words(draw(plan, name, root).figure))


def test_sources_name_the_three_files_and_their_receipts(root: Path, plan: Plan) -> None:
    written = write(plan, "figure_5", root)
    sources = read_record(root / written[2], Sources)
    files = {series.seeds[0].file.path: series.seeds[0].receipt.path for series in sources.series}
    run = "results/tiny/runs/stl10/iic/seed0"
    assert files == {
        "results/tiny/artifacts/stl10/iic/seed0/probabilities.parquet": f"{run}/run.json",
        f"{run}/assignments.parquet": f"{run}/run.json",
        f"{run}/evaluation.json": f"{run}/evaluation.run.json",
    }


def test_the_same_bytes_in_another_process(root: Path, plan: Plan) -> None:
    def digests(name: str) -> list[str]:
        made = render(plan, name, root)
        return [hashlib.sha256(part).hexdigest() for part in (made.svg, made.png)]

    names = ("figure_1", "figure_5", "supp_figure_2")
    here = {name: digests(name) for name in reversed(names)}
    program = (
        "import hashlib; from pathlib import Path\n"
        "from iic.publish.figures.saving import render\n"
        "from tests.publish.figure_helpers import figures_plan\n"
        f"for name in {names!r}:\n"
        "    made = render(figures_plan(), name, Path('.'))\n"
        "    print(name, *(hashlib.sha256(p).hexdigest() for p in (made.svg, made.png)))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(CLONE), "PYTHONHASHSEED": "3"}
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=root,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()} == here


def test_words_are_shortened_to_their_room() -> None:
    assert shortened("bird", 1.0, 6.5) == "bird"
    cut = shortened("large omnivores and herbivores", 0.8, 6.5)
    assert cut.endswith("…") and cut.startswith("large omn")
    assert text_width(cut, 6.5) <= 0.8


def test_images_keep_their_proportions_and_grey_ones_are_grey() -> None:
    sheet = Sheet(3, 3)
    frame = sheet.image(np.zeros((1, 10, 20), dtype=np.uint8), Box(1, 1, 1, 1))
    assert (frame.x, frame.y, frame.width, frame.height) == (1, 1.25, 1, 0.5)
    left, right, bottom, top = sheet.axes.images[0].get_extent()
    assert (left, right, top, bottom) == (1, 2, 1.25, 1.75)
    assert np.asarray(sheet.axes.images[0].get_array()).shape == (10, 20)


def test_a_sheet_shows_images_upright() -> None:
    pixels = np.zeros((3, 8, 8), dtype=np.uint8)
    pixels[0, 0, :] = 255  # the upper row is red
    sheet = Sheet(1, 1)
    sheet.image(pixels, Box(0, 0, 1, 1))
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(sheet.figure)
    canvas.draw()
    shown = np.asarray(canvas.buffer_rgba())
    assert shown[2, 50, 0] > 200 > shown[-3, 50, 0]
