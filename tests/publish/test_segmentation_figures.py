from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from iic.params.runs import Plan
from iic.publish.figures import borders, clusters, comparison, side_by_side
from iic.publish.figures.legend import Key, lines
from iic.publish.figures.load_segmentations import load_segmentation
from iic.publish.figures.palettes import BLACK, PAPER, paint, palette
from iic.publish.figures.saving import render
from iic.publish.figures.style import FigureError
from tests.publish import figure_helpers
from tests.publish.drawn import at, shown, words
from tests.publish.map_helpers import (
    AERIAL,
    FIGURES,
    OUTDOOR,
    SIDE,
    maps_plan,
    write_all,
    write_scenes,
    write_segmentation,
)

CLONE = Path(__file__).parents[2]
MODULES = {"figure_1": clusters, "figure_7": comparison, "border_artefact": borders}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clone")
    write_all(folder, maps_plan())
    return folder


@pytest.fixture
def plan() -> Plan:
    return maps_plan()


@pytest.mark.parametrize("name", ["supp_figure_3", "supp_figure_4"])
def test_the_pictures_are_image_prediction_and_truth(root: Path, plan: Plan, name: str) -> None:
    run = plan.runs[FIGURES[name][1][0]]
    segmentation = load_segmentation(plan, run, root)
    rows = side_by_side.shown_rows(segmentation)
    # all of the test images of IIC*, and as many as fit of the others
    assert len(rows) == (7 if "star" in run.id else 12)
    assert segmentation.scored[rows].all()
    figure = side_by_side.draw(plan, name, root).figure
    colours = palette(OUTDOOR)
    pictures = shown(figure)
    assert len(pictures) == 3 * len(rows)
    for row, three in zip(rows, zip(*[iter(pictures)] * 3, strict=True), strict=True):
        expected = (
            segmentation.picture(row),
            paint(segmentation.prediction(row, masked=True), colours),
            paint(segmentation.truth(row), colours),
        )
        for picture, other in zip(three, expected, strict=True):
            np.testing.assert_array_equal(picture, other.transpose(1, 2, 0))
    text = words(figure)
    (heading,) = [word for word in text if word.startswith(run.id)]
    of = segmentation.of
    score = f"{of.accuracy:.1f} % of pixels right, mIoU {of.scores.miou:.1f} %"
    # a single sub-head needs no number
    assert heading == f"{run.id}, seed 0: {score}, {segmentation.images} images"
    assert segmentation.of.scores.classes is not None
    for label, scores in zip(OUTDOOR, segmentation.of.scores.classes, strict=True):
        assert f"{label}, IoU {scores.iou:.1f} %" in text
    assert "not scored" in text
    row = rows[2]
    assert f"{segmentation.name(row)}: {segmentation.accuracy(row):.0f} % of pixels right" in text


def test_colours_in_print_are_the_papers(root: Path, plan: Plan) -> None:
    png = render(plan, "supp_figure_3", root).png
    figure = side_by_side.draw(plan, "supp_figure_3", root).figure
    segmentation = load_segmentation(plan, plan.runs["cocostuff3/iic"], root)
    row = side_by_side.shown_rows(segmentation)[0]
    truth = segmentation.truth(row)
    colours = [*palette(OUTDOOR), BLACK]
    for code, colour in zip((0, 1, 2, -2), colours, strict=True):
        line, column = np.argwhere(truth == code)[0]
        position = ((column + 0.5) / SIDE, (line + 0.5) / SIDE)
        assert at(png, figure, 2, *position) == colour
    # the padded head's frame: cluster 0, which is plant
    assert at(png, figure, 1, 0.5 / SIDE, 0.5) == PAPER["plant"]


def test_figure_7_compares_runs_on_the_images_that_all_are_scored_on(
    root: Path, plan: Plan
) -> None:
    figure = comparison.draw(plan, "figure_7", root).figure
    text = words(figure)
    titles = [word for word in text if word in ("image", "IIC", "IIC*", "true classes")]
    assert titles == ["image", "IIC", "IIC*", "true classes"] * 2
    pictures = iter(shown(figure))
    for name, rows in (("cocostuff3", 5), ("potsdam3", 3)):
        iic, star = (
            load_segmentation(plan, plan.runs[f"{name}/{run}"], root) for run in ("iic", "iic_star")
        )
        half = comparison.make_half([iic, star])
        indices = iic.indices[list(half.rows[0])]
        assert len(indices) == rows
        np.testing.assert_array_equal(indices, star.indices[list(half.rows[1])])
        # IIC* is shown on what it is scored on
        assert star.scored[list(half.rows[1])].all()
        colours = palette(iic.classes)
        for expected in (
            [iic.picture(row)[:3] for row in half.rows[0]],
            [paint(iic.prediction(row, masked=True), colours) for row in half.rows[0]],
            [paint(star.prediction(row, masked=True), colours) for row in half.rows[1]],
            [paint(iic.truth(row), colours) for row in half.rows[0]],
        ):
            for picture in expected:
                np.testing.assert_array_equal(next(pictures), picture.transpose(1, 2, 0))
        for segmentation in (iic, star):
            assert f"{segmentation.run.id}, seed 0: {segmentation.of.accuracy:.1f} %" in text
    # black is explained where it is seen: on the left
    assert text.count("not scored") == 1


@pytest.mark.parametrize(
    "without",
    [
        ("potsdam3/iic", "potsdam3/iic_star"),
        ("cocostuff3/iic", "cocostuff3/iic_star"),
        ("cocostuff3/iic_star", "potsdam3/iic_star"),
        ("potsdam3/iic_star",),
    ],
)
def test_figure_7_does_with_what_the_scale_has(root: Path, without: tuple[str, ...]) -> None:
    figure = comparison.draw(maps_plan(without=without), "figure_7", root).figure
    text = " ".join(words(figure))
    for run in FIGURES["figure_7"][1]:
        assert (f"{run}, seed" in text) == (run not in without)
    right = max(image.get_extent()[1] for image in figure.axes[0].images)
    assert right < 7.0


def test_figure_7_names_runs_without_a_common_image(tmp_path: Path) -> None:
    plan = maps_plan(figures={"figure_7": ("comparison", FIGURES["figure_7"][1][:2])})
    write_scenes(tmp_path, "cocostuff3")
    write_segmentation(tmp_path, plan, "cocostuff3/iic", examples=[0, 3, 11])
    write_segmentation(tmp_path, plan, "cocostuff3/iic_star", k=9, examples=[0, 12])
    message = "cocostuff3/iic and cocostuff3/iic_star: no image that all are scored on"
    with pytest.raises(FigureError, match=message):
        comparison.draw(plan, "figure_7", tmp_path)


def test_figure_1_trims_a_pixel_from_every_side_of_a_tile(root: Path, plan: Plan) -> None:
    figure = clusters.draw(plan, "figure_1", root).figure
    image, prediction = shown(figure)
    side = 2 * (SIDE - 2)
    assert image.shape == prediction.shape == (side, side, 3)
    segmentation = load_segmentation(plan, plan.runs["potsdam3/iic"], root)
    rows = {segmentation.name(row): row for row in range(len(segmentation.indices))}
    for tile, (line, column) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        row = rows[f"top_a/00{tile}"]
        part = np.s_[
            line * (SIDE - 2) : (line + 1) * (SIDE - 2),
            column * (SIDE - 2) : (column + 1) * (SIDE - 2),
        ]
        inside = np.s_[:, 1:-1, 1:-1]
        expected = segmentation.picture(row)[:3][inside].transpose(1, 2, 0)
        np.testing.assert_array_equal(image[part], expected)
        classes = paint(segmentation.prediction(row, masked=False), palette(AERIAL))[inside]
        np.testing.assert_array_equal(prediction[part], classes.transpose(1, 2, 0))
    text = words(figure)
    assert "image top_a" in text and "roads and cars" in text
    png = render(plan, "figure_1", root).png
    for line, column in ((2, 3), (20, 30), (40, 5)):
        position = ((column + 0.5) / side, (line + 0.5) / side)
        assert at(png, figure, 1, *position) == tuple(prediction[line, column])


def test_figure_1_shows_the_half_that_the_scale_has(root: Path, tmp_path: Path) -> None:
    left = figure_helpers.figures_plan()
    figure_helpers.write_dataset(tmp_path, "stl10")
    figure_helpers.write_run(tmp_path, left, "stl10/iic")
    alone = clusters.draw(left, "figure_1", tmp_path)
    assert not any("tiles" in word for word in words(alone.figure))
    # both: the groups as before, and the aerial image below them
    write_scenes(tmp_path, "potsdam3")
    right = maps_plan(figures={"figure_1": FIGURES["figure_1"]})
    write_segmentation(tmp_path, right, "potsdam3/iic")
    both = Plan(
        scale=left.scale,
        datasets=left.datasets | right.datasets,
        runs=left.runs | right.runs,
        tables=left.tables,
        figures=right.figures,
        listings={},
    )
    scale = left.scale.model_copy(
        update={"datasets": left.scale.datasets | {"potsdam3": "potsdam3"}}
    )
    drawn = clusters.draw(Plan(**{**vars(both), "scale": scale}), "figure_1", tmp_path)
    pictures, before = drawn.figure.axes[0].images, alone.figure.axes[0].images
    assert len(pictures) == len(before) + 2
    for picture, other in zip(pictures, before, strict=False):
        assert picture.get_extent() == other.get_extent()
    assert min(image.get_extent()[3] for image in pictures[-2:]) > max(
        image.get_extent()[2] for image in before
    )
    assert len(drawn.sources.series) == 6
    neither = maps_plan(figures={"figure_1": FIGURES["figure_1"]}, without=("potsdam3/iic",))
    with pytest.raises(FigureError, match="has no run stl10/iic, potsdam3/iic"):
        clusters.draw(neither, "figure_1", tmp_path)


@pytest.mark.parametrize("name", FIGURES)
def test_a_scale_without_the_runs_says_so(root: Path, name: str) -> None:
    plan = maps_plan(without=FIGURES[name][1])
    with pytest.raises(FigureError, match=f"{name}: scale tiny has no run .*\n  remedy: take"):
        render(plan, name, root)


@pytest.mark.parametrize("name", FIGURES)
def test_stand_in_data_is_visible(tmp_path: Path, name: str) -> None:
    plan = maps_plan(stand_in=True, figures={name: FIGURES[name]})
    for dataset in {run.dataset for run in plan.runs.values()}:
        write_scenes(tmp_path, dataset)
    for run in plan.runs:
        write_segmentation(tmp_path, plan, run, k=9 if "star" in run else 3)
    module = MODULES.get(name, side_by_side)
    text = words(module.draw(plan, name, tmp_path).figure)
    assert "stand-in data" in text
    assert any("_standin/iic" in word and "(stand-in data)" in word for word in text)


def test_the_same_bytes_in_another_process(root: Path, plan: Plan) -> None:
    here = {}
    for name in reversed(FIGURES):
        made = render(plan, name, root)
        here[name] = [hashlib.sha256(part).hexdigest() for part in (made.svg, made.png)]
    program = (
        "import hashlib; from pathlib import Path\n"
        "from iic.publish.figures.saving import render\n"
        "from tests.publish.map_helpers import FIGURES, maps_plan\n"
        "for name in FIGURES:\n"
        "    made = render(maps_plan(), name, Path('.'))\n"
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


def test_a_legend_takes_the_lines_that_it_needs() -> None:
    keys = [Key(BLACK, f"class number {number}") for number in range(15)]
    rows = lines(keys, 6.8)
    assert [key for row in rows for key in row] == keys
    assert 2 <= len(rows) < 5
    assert lines(keys[:1], 0.1) == [keys[:1]]
