from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from iic.objective import clustering
from iic.params.errors import SettingsError
from iic.params.experiments import Figure
from iic.params.loading import read_yaml, validate
from iic.params.runs import Plan
from iic.publish.figures import objective
from iic.publish.figures import progression as figure_3
from iic.publish.figures.curves import LOGS, draw
from iic.publish.figures.saving import render, write
from iic.publish.figures.style import FigureError
from iic.publish.learning_curves import read_learning_curves
from iic.records.files import read_record
from iic.records.paths import RunPaths
from iic.records.snapshots import write_snapshots
from iic.records.sources import Sources
from tests.publish.map_helpers import maps_plan
from tests.publish.publish_helpers import (
    digits_like,
    make_plan,
    progression,
    write_evaluation,
    write_history,
    write_prepared,
)

CLONE = Path(__file__).parents[2]
STEPS = (0, 5, 10, 20, 50, 100)
MODULES = {
    "figure_2": ("two_heads", ()),
    "figure_3": ("progression", ("mnist/iic",)),
    "figure_4": ("objective", ()),
    "training_curves": ("curves", ("mnist/iic", "mnist/kmeans")),
}


CLONE = Path(__file__).parents[2]


def figures_plan(**changes: object) -> Plan:
    figures = {
        name: Figure(
            title=name, caption="", module=f"iic.publish.figures.{module}", runs=runs, seeds="all"
        )
        for name, (module, runs) in MODULES.items()
    }
    return make_plan(figures=figures, **changes)


def epochs(shift: float) -> list[dict[str, object]]:
    trained = [
        {
            "epoch": epoch,
            "head": ["B", "B", "A"],
            "loss": [-0.5 * epoch, -0.6 * epoch, -0.7 * epoch],
            "accuracy": [20.0 * epoch + shift, 15.0 * epoch],
            "steps": epoch,
        }
        for epoch in (1, 2, 3)
    ]
    return [
        {"epoch": 0, "head": [], "loss": None, "accuracy": [10.0, 11.0], "steps": 0},
        *trained,
    ]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    images, labels = digits_like()
    write_prepared(tmp_path, "mnist", images, labels)
    (tmp_path / LOGS).parent.mkdir(parents=True)
    (tmp_path / LOGS).write_text((CLONE / LOGS).read_text())
    for seed in (0, 1):
        write_history(tmp_path, "mnist/iic", seed, epochs(float(seed)))
        write_evaluation(tmp_path, "mnist/kmeans", seed, [50.0 + seed])
        write_history(tmp_path, "mnist/kmeans", seed, [])
    paths = RunPaths("tiny", "mnist/iic", 0)
    write_snapshots(tmp_path / paths.snapshots, progression(labels, STEPS))
    return tmp_path


def test_all_figures_have_the_same_bytes_in_another_process(root: Path) -> None:
    plan = figures_plan()
    # neither a user's settings nor what was drawn before may show
    matplotlib.rcParams.update({"font.size": 20, "svg.fonttype": "none"})
    digests = {}
    for name in reversed(MODULES):
        rendered = render(plan, name, root)
        digests[name] = [hashlib.sha256(part).hexdigest() for part in (rendered.svg, rendered.png)]
        assert b"<dc:date>" not in rendered.svg
    assert matplotlib.rcParams["font.size"] == 20
    matplotlib.rcdefaults()
    program = (
        "import hashlib; from pathlib import Path; from test_figures import *;\n"
        "for name in MODULES:\n"
        "    made = render(figures_plan(), name, Path('.'))\n"
        "    print(name, *(hashlib.sha256(p).hexdigest() for p in (made.svg, made.png)))\n"
    )
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": f"{here}:{CLONE}", "PYTHONHASHSEED": "3"}
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=root,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    again = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()}
    assert again == digests


def test_writing_leaves_svg_png_and_sources(root: Path) -> None:
    written = write(figures_plan(), "training_curves", root)
    folder = Path("results/tiny/figures")
    endings = ("svg", "png", "sources.json")
    assert written == [folder / f"training_curves.{ending}" for ending in endings]
    assert (root / written[1]).read_bytes().startswith(b"\x89PNG")
    sources = read_record(root / written[2], Sources)
    found = {
        one.name: [(seed.seed, seed.receipt.path) for seed in one.seeds] for one in sources.series
    }
    runs = "results/tiny/runs/mnist"
    assert found == {
        "mnist/iic": [(seed, f"{runs}/iic/seed{seed}/run.json") for seed in (0, 1)],
        "mnist/kmeans": [(s, f"{runs}/kmeans/seed{s}/evaluation.run.json") for s in (0, 1)],
    }


def test_curves_show_mean_range_losses_and_the_level_of_kmeans(root: Path) -> None:
    figure = draw(figures_plan(), "training_curves", root).figure
    left, right = figure.axes
    main, auxiliary = left.lines[0], left.lines[1]
    np.testing.assert_allclose(main.get_xydata(), [[1, -0.55], [2, -1.1], [3, -1.65]])
    np.testing.assert_allclose(auxiliary.get_ydata(), [-0.7, -1.4, -2.1])
    first, second, level, logged_best, logged_mean = right.lines
    np.testing.assert_allclose(first.get_ydata(), [10.5, 17.5, 35.0, 52.5])
    np.testing.assert_allclose(second.get_ydata(), [10.5, 18.0, 35.5, 53.0])
    assert set(level.get_ydata()) == {50.5}
    # the authors' log of model 685, as far as ours goes
    np.testing.assert_allclose(logged_best.get_ydata(), [22.28, 85.61, 89.92, 98.74])
    np.testing.assert_allclose(logged_mean.get_ydata(), [20.21, 83.10, 87.47, 96.18])
    band = right.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (10.0, 60.0)
    # a marker at an end of the scale is whole, and the band is explained
    assert not any(line.get_clip_on() for line in (first, second, logged_best, logged_mean))
    legend = right.get_legend()
    assert legend is not None
    assert "range over sub-heads" in [text.get_text() for text in legend.get_texts()]


def test_no_log_of_the_authors_beside_another_dataset(root: Path) -> None:
    figure = draw(figures_plan(real=False), "training_curves", root).figure
    assert len(figure.axes[1].lines) == 3


def test_curves_of_segmentation_have_a_single_line_of_the_authors(root: Path) -> None:
    plan = maps_plan(figures={"segmentation_curves": ("curves", ("cocostuff3/iic",))})
    history = [
        {"epoch": 0, "head": [], "loss": None, "accuracy": [35.0]},
        {"epoch": 1, "head": ["A"], "loss": [-1.0], "accuracy": [45.0]},
        {"epoch": 2, "head": ["B"], "loss": [-0.5], "accuracy": [60.0]},
        {"epoch": 3, "head": ["A"], "loss": [-1.2], "accuracy": [65.0]},
    ]
    write_history(root, "cocostuff3/iic", 0, history)
    left, right = draw(plan, "segmentation_curves", root).figure.axes
    # one head an epoch, in turns
    np.testing.assert_allclose(left.lines[0].get_xydata(), [[1, -1.0], [3, -1.2]])
    np.testing.assert_allclose(left.lines[1].get_xydata(), [[2, -0.5]])
    assert left.get_xlabel() == "epoch, of one head each"
    ours, theirs = right.lines
    np.testing.assert_allclose(ours.get_ydata(), [35, 45, 60, 65])
    # model 555, after as many passes
    np.testing.assert_allclose(theirs.get_ydata(), [35.66, 46.11, 66.14, 70.65])
    assert theirs.get_label() == "authors' model 555"
    legend = right.get_legend()
    assert legend is not None and len(legend.get_texts()) == 2, "one sub-head has no range"
    assert right.get_ylabel() == "pixel accuracy (%)"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1: other columns"),
        ("{head}mnist/iic,685,0,22.28,20.21\n", "line 2"),
        ("{head}mnist/iic,685,zero,22.28,20.21,log\n", "line 2"),
        ("{head}mnist/iic,685,0,20.21,22.28,log\n", "line 2.*0 <= mean <= best"),
        ("{head}mnist/iic,685,1,9,8,log\nmnist/iic,685,1,9,8,log\n", "line 3.*ascending"),
    ],
)
def test_a_wrong_log_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "curves.csv"
    path.write_text(text.format(head="run,model,epoch,best,mean,source\n"))
    with pytest.raises(SettingsError, match=f"(?s)curves.csv: {says}"):
        read_learning_curves(path)


def test_curves_without_any_history_name_the_runs(tmp_path: Path) -> None:
    with pytest.raises(FigureError, match="train mnist/iic, mnist/kmeans first"):
        render(figures_plan(), "training_curves", tmp_path)


def test_progression_takes_the_best_sub_head_and_says_so(root: Path) -> None:
    rendered = render(figures_plan(), "figure_3", root)
    names = [series.name for series in rendered.sources.series]
    assert names == [f"step {step}, sub-head 1" for step in STEPS]
    (source,) = {series.seeds[0].file.path for series in rendered.sources.series}
    assert source == "results/tiny/artifacts/mnist/iic/seed0/snapshots.parquet"


def test_progression_puts_certain_predictions_on_the_vertex_of_their_digit() -> None:
    mapping = np.arange(10)[::-1].copy()  # cluster c is digit 9 - c
    vertex = figure_3._vertices(mapping)
    # the paper's order: digit 0 stands on vertex 2, digit 6 on vertex 0, at the right
    assert vertex[9] == 2 and vertex[3] == 0
    points = figure_3.positions(np.eye(10, dtype=np.float32), vertex)
    np.testing.assert_allclose(points[3], [1, 0], atol=1e-6)
    angle = 2 * np.pi * 2 / 10
    np.testing.assert_allclose(points[9], [np.cos(angle), -np.sin(angle)], atol=1e-6)
    uniform = figure_3.positions(np.full((1, 10), 0.05, dtype=np.float32), vertex)
    np.testing.assert_allclose(uniform, [[0, 0]], atol=1e-6)


def test_progression_gives_clusters_without_class_a_vertex_of_their_own() -> None:
    vertex = figure_3._vertices(np.array([2, -1, 0, -1]))
    assert sorted(vertex) == [0, 1, 2, 3]


def test_mean_image_is_weighted_by_probability() -> None:
    pixels = np.zeros((3, 1, 2, 2), dtype=np.uint8)
    pixels[0], pixels[2] = 255, 51
    images = figure_3._Images(pixels, np.array([0, 2]), np.array([4, 4]))
    mean = images.mean(np.array([0, 1]), np.array([0.75, 0.25], dtype=np.float32))
    np.testing.assert_allclose(mean, np.full((2, 2), 0.8), rtol=1e-6)
    assert not images.mean(np.array([], dtype=np.int64), np.array([], dtype=np.float32)).any()


def test_the_listing_is_the_code_that_trains() -> None:
    import torch

    text = objective.listing(objective._source())
    assert '"""' not in text and "raise" not in text
    names = {"torch": torch, "Tensor": torch.Tensor, "EPS": clustering.EPS}
    names["_full"] = clustering._full
    exec(compile(text, "figure_4", "exec"), names)
    z = torch.rand(7, 2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    z = z / z.sum(dim=2, keepdim=True)
    listed = names["mutual_information"](names["joint"](z, z.flip(0)), 1.5)
    loss = clustering.clustering_loss(z, z.flip(0), 1.5)
    torch.testing.assert_close(listed, -loss, rtol=0, atol=0)


def test_the_typeset_tokens_are_the_listing() -> None:
    text = objective.listing(objective._source())
    canvas = [[" "] * len(line) for line in text.splitlines()]
    for row, column, token, _ in objective.highlighted(text):
        canvas[row][column : column + len(token)] = token
    assert ["".join(line) for line in canvas] == text.splitlines()


def test_a_renamed_function_is_no_silent_gap() -> None:
    with pytest.raises(FigureError, match="no function joint"):
        objective.listing("def mutual_information(P):\n    return P\n")


def test_every_display_of_the_params_can_be_made() -> None:
    import importlib

    from iic.params.experiments import Displays

    file = CLONE / "params/figures.yaml"
    displays = validate(Displays, read_yaml(file), str(file))
    for figure in displays.figures.values():
        assert callable(importlib.import_module(figure.module).draw)
    for listing in displays.listings.values():
        module = importlib.import_module(listing.module)
        assert callable(module.build)
