from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from iic.params.runs import Plan
from iic.publish.figures import borders
from iic.publish.figures.load_segmentations import load_segmentation
from iic.publish.figures.palettes import PAPER
from iic.publish.figures.saving import render, write
from iic.publish.figures.style import FigureError
from iic.records.files import read_record
from iic.records.sources import Sources
from tests.publish.drawn import at, shown, words
from tests.publish.map_helpers import (
    FIGURES,
    SIDE,
    maps_plan,
    scenes,
    write_all,
    write_scenes,
    write_segmentation,
)


def border_plan() -> Plan:
    return maps_plan(figures={"border_artefact": FIGURES["border_artefact"]})


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clone")
    write_all(folder, border_plan())
    return folder


@pytest.fixture
def plan() -> Plan:
    return border_plan()


def test_the_frame_is_there_as_published_and_gone_as_corrected(root: Path, plan: Plan) -> None:
    figure = borders.draw(plan, "border_artefact", root).figure
    pictures = shown(figure)
    assert len(pictures) == 8
    # untrimmed: every pixel of every tile
    published, corrected = pictures[1], pictures[5]
    assert published.shape == (2 * SIDE, 2 * SIDE, 3)
    frame = np.zeros((2 * SIDE, 2 * SIDE), dtype=bool)
    frame[[0, SIDE - 1, SIDE, -1]] = True
    frame[:, [0, SIDE - 1, SIDE, -1]] = True
    # cluster 0 is buildings and clutter
    assert (published[frame] == PAPER["buildings_clutter"]).all()
    assert (corrected[frame] == PAPER["buildings_clutter"]).all(axis=1).mean() < 0.6
    # all clusters equally probable: black
    assert (pictures[3][frame] == 0).all() and (pictures[3][~frame] > 0).all()
    assert (pictures[7] > 0).all()
    text = " ".join(words(figure))
    assert "heads padded by 1" in text and "heads padded by 0" in text
    assert "(16.0 % of all): 100.0 % uniform, 100.0 % cluster 0; inside, " in text
    assert text.count("cluster 0, which is buildings and clutter") == 2
    assert "(16.0 % of all): 0.0 % uniform, " in text
    png = render(plan, "border_artefact", root).png
    half_pixel = 0.5 / (2 * SIDE)
    assert at(png, figure, 1, 0.5 - half_pixel, 0.3) == PAPER["buildings_clutter"]
    assert at(png, figure, 3, half_pixel, 0.7) == (0, 0, 0)


def test_numbers_of_the_border_are_shares_of_the_outermost_pixels(root: Path, plan: Plan) -> None:
    segmentation = load_segmentation(plan, plan.runs["potsdam3/iic"], root)
    border = borders.measure(segmentation, (0, 1))
    assert border.share == pytest.approx(100 * (4 * SIDE - 4) / SIDE**2)
    inner = segmentation.clusters[:2, 1:-1, 1:-1]
    assert border.first_inside == pytest.approx(100 * (inner == 0).mean())
    assert (border.uniform, border.first) == (100, 100)


def test_tiles_of_different_source_images_are_not_compared(tmp_path: Path, plan: Plan) -> None:
    write_scenes(tmp_path, "potsdam3")
    names = [f"top_a/00{tile}" for tile in range(4)]
    first = [scenes("potsdam3")[3].index(name) for name in names]
    second = [tile for tile in range(4, 12) if tile not in first]
    write_segmentation(tmp_path, plan, "potsdam3/iic", examples=first)
    write_segmentation(tmp_path, plan, "potsdam3/iic-corrected", examples=second)
    message = "whole in all runs: top_a in potsdam3/iic, top_b in potsdam3/iic-corrected\n"
    with pytest.raises(FigureError, match=message):
        borders.draw(plan, "border_artefact", tmp_path)


def test_sources_name_the_files_of_every_run(root: Path, plan: Plan) -> None:
    written = write(plan, "border_artefact", root)
    sources = read_record(root / written[2], Sources)
    files = {series.seeds[0].file.path: series.seeds[0].receipt.path for series in sources.series}
    expected = {}
    for run in ("iic", "iic-corrected"):
        folder = f"results/tiny/runs/potsdam3/{run}/seed0"
        artifacts = f"results/tiny/artifacts/potsdam3/{run}/seed0"
        expected[f"{artifacts}/probabilities.parquet"] = f"{folder}/run.json"
        expected[f"{folder}/assignments.parquet"] = f"{folder}/run.json"
        expected[f"{folder}/evaluation.json"] = f"{folder}/evaluation.run.json"
    assert files == expected
    assert len({series.name for series in sources.series}) == 6
