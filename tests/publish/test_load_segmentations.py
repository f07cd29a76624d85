from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from iic.data.errors import DataError
from iic.params.runs import Plan
from iic.publish.figures.load_segmentations import load_segmentation
from iic.publish.figures.palettes import MASKED
from iic.publish.figures.segmentations import Segmentation
from iic.publish.figures.style import FigureError
from iic.publish.figures.tiles import assemble, complete_sources, find_source
from iic.records.counts import read_counts, write_counts
from iic.records.evaluation import Evaluation
from iic.records.files import RecordError, read_record, write_record
from iic.records.maps import read_maps, write_maps
from iic.records.paths import RunPaths
from tests.publish.map_helpers import (
    CANVAS,
    SIDE,
    Settings,
    central,
    maps_plan,
    scenes,
    write_scenes,
    write_segmentation,
)

COCO, STAR = "cocostuff3/iic", "cocostuff3/iic_star"
POTSDAM = "potsdam3/iic"
PATHS = RunPaths("tiny", COCO, 0)


@pytest.fixture
def plan() -> Plan:
    return maps_plan()


@pytest.fixture
def root(tmp_path: Path, plan: Plan) -> Path:
    write_scenes(tmp_path, "cocostuff3")
    write_segmentation(tmp_path, plan, COCO)
    return tmp_path


@pytest.fixture
def segmentation(root: Path, plan: Plan) -> Segmentation:
    return load_segmentation(plan, plan.runs[COCO], root)


def test_pictures_and_truth_are_the_central_crop(segmentation: Segmentation) -> None:
    images, labels, _, names = scenes("cocostuff3")
    for row in (0, 7, 15):
        rows, columns = central("cocostuff3", row)
        assert segmentation.name(row) == names[row]
        np.testing.assert_array_equal(segmentation.picture(row), images[row, :, rows, columns])
        truth, expected = segmentation.truth(row), labels[row, rows, columns].astype(int)
        # unlabelled pixels are sky, as published; those of other classes are not scored
        expected[expected == 254] = 0
        expected[expected == 255] = MASKED
        np.testing.assert_array_equal(truth, expected)
        assert (truth == MASKED).any()


def test_predictions_are_mapped_to_classes_and_masked(segmentation: Segmentation) -> None:
    # cluster c is class c + 1
    np.testing.assert_array_equal(segmentation.of.mapping, [1, 2, 0])
    plain, masked = (
        segmentation.prediction(3, masked=False),
        segmentation.prediction(3, masked=True),
    )
    np.testing.assert_array_equal(plain, (segmentation.clusters[3] + 1) % 3)
    hidden = segmentation.truth(3) == MASKED
    assert (masked[hidden] == MASKED).all()
    np.testing.assert_array_equal(masked[~hidden], plain[~hidden])


def test_the_accuracy_of_all_images_is_the_evaluations(segmentation: Segmentation) -> None:
    right = sum(
        (
            (segmentation.prediction(row, masked=True) == segmentation.truth(row))
            & (segmentation.truth(row) >= 0)
        ).sum()
        for row in range(16)
    )
    scored = sum((segmentation.truth(row) >= 0).sum() for row in range(16))
    assert segmentation.of.accuracy == pytest.approx(100 * right / scored)
    assert 60 < segmentation.of.accuracy < 85
    assert segmentation.images == 16 and segmentation.scored.all()


def test_unlabelled_pixels_are_not_scored_where_the_settings_say_so(root: Path, plan: Plan) -> None:
    own = plan.runs[COCO].settings
    assert isinstance(own, Settings)
    maps = own.maps.model_copy(update={"unlabelled_as_sky": False})
    corrected = own.model_copy(update={"maps": maps})
    other = replace(plan, runs={COCO: replace(plan.runs[COCO], settings=corrected)})
    write_segmentation(root, other, COCO)
    masked = load_segmentation(other, other.runs[COCO], root)
    labels = scenes("cocostuff3")[1][0][central("cocostuff3", 0)]
    assert (labels == 254).any()
    assert (masked.truth(0)[labels == 254] == MASKED).all()


def test_overclustering_marks_the_images_that_are_scored(root: Path, plan: Plan) -> None:
    write_segmentation(root, plan, STAR, k=9)
    star = load_segmentation(plan, plan.runs[STAR], root)
    np.testing.assert_array_equal(star.scored, np.arange(16) >= 9)
    assert star.images == 7 and star.probabilities.shape[1] == 9
    assert set(np.unique(star.prediction(0, masked=False))) <= {0, 1, 2}


def test_maps_of_whole_images_lie_in_the_canvas(root: Path, plan: Plan) -> None:
    """As the engine writes them where the whole image is scored: zeros outside of the content."""
    _, labels, sizes, _ = scenes("cocostuff3")
    number, (_, height, width) = len(labels), CANVAS["cocostuff3"]
    z = np.zeros((number, 1, 3, height, width), dtype=np.float16)
    counts = np.zeros((number, 1, 3, 3), dtype=np.int32)
    for index, (rows, columns) in enumerate(sizes):
        truth = labels[index, :rows, :columns].astype(int)
        truth[truth == 254] = 0
        clusters = np.where(truth < 3, (truth - 1) % 3, 0)
        np.put_along_axis(z[index, 0, :, :rows, :columns], clusters[None], 1, axis=0)
        np.add.at(counts[index, 0], (clusters[truth < 3], truth[truth < 3]), 1)
    write_maps(root / PATHS.probabilities, z, np.arange(number))
    write_counts(root / PATHS.assignments, {"last": counts}, np.arange(number))
    evaluation = read_record(root / PATHS.evaluation, Evaluation)
    head = evaluation.checkpoints["last"].sub_heads[0]
    evaluation.checkpoints["last"].sub_heads[0] = head.model_copy(update={"acc": 100.0})
    write_record(root / PATHS.evaluation, evaluation)
    segmentation = load_segmentation(plan, plan.runs[COCO], root)
    for row, size in enumerate(sizes):
        assert segmentation.picture(row).shape[1:] == size == segmentation.truth(row).shape
        assert segmentation.accuracy(row) == 100


def test_a_size_between_canvas_and_image_is_refused(root: Path, plan: Plan) -> None:
    maps = read_maps(root / PATHS.probabilities)
    wide = np.pad(maps.probabilities.swapaxes(0, 1), ((0, 0),) * 3 + ((0, 2), (0, 2)))
    write_maps(root / PATHS.probabilities, wide, maps.indices)
    with pytest.raises(FigureError, match="maps of 26x26 pixels are of no part of image 0 of"):
        load_segmentation(plan, plan.runs[COCO], root)


def test_probabilities_of_another_dataset_are_noticed(root: Path, plan: Plan) -> None:
    write_scenes(root, "potsdam3")
    write_segmentation(root, plan, POTSDAM)
    other = RunPaths("tiny", POTSDAM, 0)
    (root / PATHS.probabilities).write_bytes((root / other.probabilities).read_bytes())
    with pytest.raises(FigureError, match=r"image 4 \(train2017.*\): its most probable clusters"):
        load_segmentation(plan, plan.runs[COCO], root)


def test_probabilities_of_other_images_are_noticed(root: Path, plan: Plan) -> None:
    maps = read_maps(root / PATHS.probabilities)
    swapped = maps.probabilities.swapaxes(0, 1)[::-1]
    write_maps(root / PATHS.probabilities, swapped, maps.indices)
    with pytest.raises(FigureError, match=r"(?s)in other numbers than .*\n  remedy: train cocost"):
        load_segmentation(plan, plan.runs[COCO], root)


def test_equal_probabilities_may_be_of_any_cluster(root: Path, plan: Plan) -> None:
    """Rounding makes ties, and the last of equal ones may have been the larger before."""
    counts = read_counts(root / PATHS.assignments)["last"]
    maps = read_maps(root / PATHS.probabilities)
    moved = counts.counts.copy()
    # the frame's pixels, counted for cluster 0 so far
    frame = np.ones((SIDE, SIDE), dtype=bool)
    frame[1:-1, 1:-1] = False
    labels = scenes("cocostuff3")[1][0][central("cocostuff3", 0)]
    sky = int(((labels == 0) & frame).sum())
    assert sky and (maps.probabilities[0, 0][:, 0, 0] == maps.probabilities[0, 0, 0, 0, 0]).all()
    moved[0, 0, 0, 0] -= sky
    moved[0, 0, 2, 0] += sky
    evaluation = read_record(root / PATHS.evaluation, Evaluation)
    head = evaluation.checkpoints["last"].sub_heads[0]
    # cluster 2 is sky: these pixels are right now
    more = 100.0 * sky / int(counts.counts.sum())
    acc = (head.acc or 0) + more
    evaluation.checkpoints["last"].sub_heads[0] = head.model_copy(update={"acc": acc})
    write_record(root / PATHS.evaluation, evaluation)
    write_counts(root / PATHS.assignments, {"last": moved}, counts.indices)
    load_segmentation(plan, plan.runs[COCO], root)
    moved[0, 0, 2, 0] += 1
    moved[0, 0, 1, 0] -= 1
    write_counts(root / PATHS.assignments, {"last": moved}, counts.indices)
    with pytest.raises(FigureError):
        load_segmentation(plan, plan.runs[COCO], root)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda z: z[:, :, :2], r"\(sub-heads, clusters\) are \(1, 2\), but .* \(1, 3\)"),
        (lambda z: np.repeat(z, 2, axis=1), r"are \(2, 3\), but .* \(1, 3\)"),
    ],
)
def test_maps_of_other_heads_or_clusters_are_noticed(
    root: Path, plan: Plan, change: object, message: str
) -> None:
    maps = read_maps(root / PATHS.probabilities)
    z = change(maps.probabilities.swapaxes(0, 1))
    write_maps(root / PATHS.probabilities, z, maps.indices)
    with pytest.raises(FigureError, match=message):
        load_segmentation(plan, plan.runs[COCO], root)


def test_images_without_counts_are_noticed(root: Path, plan: Plan) -> None:
    maps = read_maps(root / PATHS.probabilities)
    z = maps.probabilities.swapaxes(0, 1)
    write_maps(root / PATHS.probabilities, z, maps.indices + 3)
    with pytest.raises(FigureError, match=r"index: 16 is none of the images in .*assignments"):
        load_segmentation(plan, plan.runs[COCO], root)


def test_a_wrong_mapping_is_noticed(root: Path, plan: Plan) -> None:
    evaluation = read_record(root / PATHS.evaluation, Evaluation)
    head = evaluation.checkpoints["last"].sub_heads[0]
    assert head.mapping is not None
    head.mapping.reverse()
    write_record(root / PATHS.evaluation, evaluation)
    with pytest.raises(FigureError, match=r"(?s)sub_heads.0.acc: .*remedy: `iic evaluate --dat"):
        load_segmentation(plan, plan.runs[COCO], root)


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        (PATHS.probabilities, FigureError, "missing\n  remedy: `iic restore --scale tiny`"),
        (PATHS.assignments, RecordError, "assignments.parquet: missing"),
        (PATHS.receipt, RecordError, "run.json: missing"),
        (Path("data/prepared/cocostuff3/labels.npy"), DataError, "labels.npy: missing"),
    ],
)
def test_missing_files_are_named(
    root: Path, plan: Plan, path: Path, error: type[Exception], message: str
) -> None:
    (root / path).unlink()
    with pytest.raises(error, match=f"(?s){message}"):
        load_segmentation(plan, plan.runs[COCO], root)


def test_tiles_are_put_together_row_by_row_and_trimmed() -> None:
    tiles = [np.full((1, 4, 4), value, dtype=np.uint8) for value in (10, 20, 30, 40)]
    tiles[1][:, 0] = 99  # trimmed away
    assembled = assemble(tiles, 2, 1)[0]
    assert assembled.shape == (4, 4)
    np.testing.assert_array_equal(assembled[0], [10, 10, 20, 20])
    np.testing.assert_array_equal(assembled[3], [30, 30, 40, 40])
    assert assemble(tiles, 2, 0)[0, 0].tolist() == [10] * 4 + [99] * 4


def test_the_first_whole_source_image_is_found(root: Path, plan: Plan) -> None:
    write_scenes(root, "potsdam3")
    write_segmentation(root, plan, POTSDAM)
    segmentation = load_segmentation(plan, plan.runs[POTSDAM], root)
    # the unlabelled one is not evaluated
    assert complete_sources(segmentation) == ["top_a", "top_b"]
    source = find_source(segmentation)
    assert (source.name, source.side) == ("top_a", 2)
    assert [segmentation.name(row) for row in source.rows] == [
        f"top_a/00{tile}" for tile in range(4)
    ]
    assert find_source(segmentation, ["top_b"]).name == "top_b"


def test_missing_tiles_are_named(root: Path, plan: Plan) -> None:
    write_scenes(root, "potsdam3")
    names = scenes("potsdam3")[3]
    kept = [names.index(f"top_a/00{tile}") for tile in (0, 1, 3)]
    write_segmentation(root, plan, POTSDAM, examples=kept)
    segmentation = load_segmentation(plan, plan.runs[POTSDAM], root)
    with pytest.raises(FigureError, match="of no source image all 4 tiles; top_a lacks 002\n"):
        find_source(segmentation)


def test_a_dataset_without_tiles_has_no_source_image(segmentation: Segmentation) -> None:
    with pytest.raises(FigureError, match="cocostuff3 is not cut into tiles"):
        find_source(segmentation)
