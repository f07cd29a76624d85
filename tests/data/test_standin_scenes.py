from __future__ import annotations

import hashlib
import importlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import MiniBatchKMeans

from iic.data import aerial, coco_classes, cocostuff, potsdam
from iic.data.errors import DataError
from iic.data.load_maps import PreparedMaps, load_maps
from iic.data.maps import IGNORED, UNLABELLED
from iic.data.prepare_maps import prepare_maps
from iic.data.standin import coco_files, image_files, potsdam_files, scenes
from iic.data.standin.content import content
from iic.data.standin.shapes import Chance
from iic.params.datasets import Dataset
from tests.data.standin_helpers import CATALOGUE, ROOT, SCENES, write_raw


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PreparedMaps]:
    """All stand-ins through the real readers; the files have the catalogue's checksums."""
    root = tmp_path_factory.mktemp("clone")
    for name in SCENES:
        write_raw(CATALOGUE[name], root / "data/raw" / name)
        prepare_maps(name, CATALOGUE[name], root, workers=2)
    return {name: load_maps(name, root) for name in SCENES}


def test_which_there_are() -> None:
    reals = ("cocostuff3", "cocostuff15", "potsdam3", "potsdam6")
    assert sorted(SCENES) == sorted(f"{name}_standin" for name in reals)
    for name in reals:
        stand_in, real = CATALOGUE[f"{name}_standin"], CATALOGUE[name]
        assert stand_in.module == real.module
        assert list(stand_in.splits) == list(real.splits)
        assert stand_in.image.channels == real.image.channels
        assert stand_in.maps is not None and real.maps is not None
        assert stand_in.maps.scale == real.maps.scale
        assert [file.name for file in stand_in.files] == [file.name for file in real.files]
        # in the order of the real classes, of which there may be fewer
        assert [one for one in real.classes if one in stand_in.classes] == list(stand_in.classes)
        assert len(stand_in.classes) >= min(4, len(real.classes))


@pytest.mark.parametrize("name", SCENES)
def test_what_is_prepared(name: str, prepared: dict[str, PreparedMaps]) -> None:
    data, dataset = prepared[name], CATALOGUE[name]
    assert data.manifest.stand_in and len(data.images) == dataset.count
    k = len(dataset.classes)
    counts = np.bincount(data.labels.ravel(), minlength=256)
    shares = counts[:k] / counts[:k].sum()
    assert shares.min() > 0.7 / k and shares.max() < 1.3 / k
    of_image = np.array([np.unique(labels[labels < k]).size for labels in data.labels])
    assert np.mean(of_image > 1) > 0.5
    # not every image has every class
    assert np.mean(of_image[of_image > 0] < k) > 0.3
    assert set(np.flatnonzero(counts)) - set(range(k)) <= {UNLABELLED, IGNORED}
    assert counts[UNLABELLED] > 0
    pixels = data.images.reshape(len(data.images), -1)
    assert len(np.unique(pixels, axis=0)) == len(pixels)
    if "potsdam" in name:
        unlabelled = data.indices(["unlabelled_train"])
        assert data.manifest.empty == tuple(unlabelled.tolist())
        assert (data.labels[unlabelled] == UNLABELLED).all()
        assert (data.labels[len(unlabelled) :] < k).all()
        assert dataset.maps is not None and dataset.image.height == dataset.maps.least_side
    else:
        assert not data.manifest.empty
        # upright, flat and lying images; the flat ones are padded to the least side
        assert {tuple(size) for size in data.sizes.tolist()} == {(40, 53), (53, 40)}
        padded = [(image[:, 0, :40] == 0).all() for image in data.images]
        assert 0 < sum(padded) < len(data.images) / 4


@pytest.mark.parametrize("name", SCENES)
def test_colours_say_little(name: str, prepared: dict[str, PreparedMaps]) -> None:
    data, k = prepared[name], len(CATALOGUE[name].classes)
    counted = data.labels < k
    pixels = data.images.transpose(0, 2, 3, 1)[counted][::15].astype(float)
    labels = data.labels[counted][::15]
    clusters = MiniBatchKMeans(k, n_init=1, random_state=0).fit_predict(pixels)
    counts = np.zeros((k, k), dtype=int)
    np.add.at(counts, (clusters, labels), 1)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    assert 100 * counts[rows, columns].sum() / len(labels) < 100 / k + 8


def test_textures_do(prepared: dict[str, PreparedMaps]) -> None:
    # how much the grey value changes across and down, in a window: what a network can see
    data = prepared["cocostuff3_standin"]
    right, guesses = 0, 0
    for image, labels in zip(data.images, data.labels, strict=True):
        grey = image.astype(float).mean(axis=0)[:40, :40]
        across, down = abs(np.diff(grey, axis=1)), abs(np.diff(grey, axis=0))
        for row, column in ((8, 8), (8, 22), (22, 8), (22, 22)):
            window = labels[row : row + 10, column : column + 10]
            if (window == window[0, 0]).all() and window[0, 0] < 3:
                part = np.s_[row : row + 10, column : column + 10]
                upright, flat = across[part].mean(), down[part].mean()
                guess = 2 if max(upright, flat) < 1.5 * min(upright, flat) else int(upright > flat)
                right, guesses = right + (guess == window[0, 0]), guesses + 1
    assert guesses > 100 and right / guesses > 0.85


def test_labels_have_the_official_values() -> None:
    dataset = CATALOGUE["cocostuff15_standin"]
    with zipfile.ZipFile(
        io.BytesIO(content("stuffthingmaps_trainval2017.zip", dataset))
    ) as archive:
        values = {
            int(value)
            for member in archive.namelist()
            for value in np.unique(np.asarray(Image.open(io.BytesIO(archive.read(member)))))
        }
        listed = content("curated/val2017/Coco164kFull_Stuff_Coarse_7.txt", dataset)
        in_archive = {member[8:-4] for member in archive.namelist() if "val2017/" in member}
    assert values <= {*range(coco_classes.FINE), coco_classes.NO_LABEL}
    assert any(value <= 90 for value in values) and coco_classes.NO_LABEL in values
    for name, fine in coco_files.FINE.items():
        assert set(fine) == set(coco_classes.STUFF[name]) and set(fine) & values
    # some images are in no list
    assert set(listed.decode().split()) < in_archive


def test_potsdam_has_ispr_s_colours() -> None:
    assert potsdam_files.COLOURS == tuple(aerial.COLOURS)
    assert tuple(potsdam_files.TEXTURES) == aerial.FINE
    names = {f"top_potsdam_{place}" for place in potsdam_files.LABELLED}
    bare = {f"top_potsdam_{place}" for place in potsdam_files.BARE}
    assert names <= potsdam.LABELLED and not bare & potsdam.LABELLED


@pytest.mark.parametrize("name", SCENES)
def test_entries_for_the_catalogue(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "iic.data.standin.content", name],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.stdout and done.stdout in (ROOT / "params/datasets.yaml").read_text(), done.stderr


def test_regions_are_irregular_and_connected_enough() -> None:
    layout = scenes.Layout(spacing=40, wobble=8, patch=5)
    area = scenes.regions(120, 160, layout, "a")
    assert set(np.unique(area)) == set(range(12))
    assert np.array_equal(area, scenes.regions(120, 160, layout, "a"))
    assert not np.array_equal(area, scenes.regions(120, 160, layout, "b"))
    straight = scenes.regions(120, 160, scenes.Layout(40, 0, 5), "a")
    assert 0.05 < (straight != area).mean() < 0.5
    middles = [np.argwhere(straight == index)[:, 0].mean() for index in range(12)]
    assert middles[0] < middles[5] < middles[11]


def test_smooth_values() -> None:
    values = scenes.smooth(50, 70, 10, 30, "a")
    assert values.shape == (50, 70) and abs(values).max() <= 31
    assert values.std() > 5
    assert abs(np.diff(values, axis=0)).max() <= 7 and abs(np.diff(values, axis=1)).max() <= 7


@pytest.mark.parametrize("pattern", [*scenes.PATTERNS, scenes.GRAIN])
def test_no_pattern_is_lighter_than_another(pattern: str) -> None:
    layout = scenes.Layout(60, 9, 5)
    images = [
        scenes.paint(
            np.zeros((90, 90), dtype=np.int64), [scenes.Texture(pattern, 9)], layout, 4, f"{index}"
        )
        for index in range(6)
    ]
    means = np.mean(images, axis=(0, 2, 3))
    assert abs(means - 128).max() < 6
    spread = np.mean([image[3].std() for image in images])
    assert scenes.CONTRAST < spread < scenes.CONTRAST + 10


def test_pinned_pixels() -> None:
    # a change here changes every stand-in, and so every number on them
    layout = scenes.Layout(30, 6, 5)
    textures = [scenes.Texture(one, 9) for one in (*scenes.PATTERNS, scenes.GRAIN)]
    area = scenes.regions(60, 90, layout, "pinned") % len(textures)
    pixels = scenes.as_pixels(scenes.paint(area, textures, layout, 4, "pinned"))
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == PINNED


PINNED = "ca58c264fd30e6861486dcf29a7969df9f612f9c9d5de6fc4d02910197ddd442"


@pytest.mark.parametrize(
    ("name", "file", "changes", "problem"),
    [
        ("cocostuff3_standin", "test2017.zip", {}, "'test2017.zip' is no file of COCO-Stuff"),
        ("cocostuff3_standin", "train2017.zip", {"classes": ("sky", "sea")}, "class 'sea' is none"),
        ("cocostuff3_standin", "curated/val2017/x", {"splits": {"train": 9}}, "no list of 'val'"),
        ("potsdam3_standin", "4_Ortho_IRRG.zip", {}, "'4_Ortho_IRRG.zip' is no file of Potsdam"),
        ("potsdam3_standin", "4_Ortho_RGBIR.zip", {"maps": None}, "Potsdam is cut into tiles"),
    ],
)
def test_what_cannot_be_written(
    name: str, file: str, changes: dict[str, object], problem: str
) -> None:
    dataset = Dataset.model_validate(CATALOGUE[name].model_dump() | changes)
    with pytest.raises(DataError, match=problem):
        content(file, dataset)


def test_readers_are_the_real_ones() -> None:
    for name in SCENES:
        module = importlib.import_module(CATALOGUE[name].module)
        assert module in (cocostuff, potsdam)


@pytest.mark.parametrize("size", [(1, 1), (121, 160), (104, 160), (300, 301)])
def test_png_of_any_size(size: tuple[int, int]) -> None:
    values = np.frombuffer(Chance("png", size[0] * size[1]).rest(), np.uint8).reshape(size)
    image = Image.open(io.BytesIO(image_files.png(values)))
    image.verify()
    image = Image.open(io.BytesIO(image_files.png(values)))
    assert image.mode == "L" and np.array_equal(np.asarray(image), values)


@pytest.mark.parametrize("shape", [(3, 7, 5), (4, 49, 31), (4, 50, 31), (3, 151, 33)])
def test_tif_of_any_size(shape: tuple[int, int, int]) -> None:
    pixels = np.frombuffer(Chance("tif", int(np.prod(shape))).rest(), np.uint8).reshape(shape)
    with tifffile.TiffFile(io.BytesIO(image_files.tif(pixels))) as file:
        page = file.pages.first
        assert np.array_equal(page.asarray(), pixels.transpose(1, 2, 0))
        assert len(page.dataoffsets) == -(-shape[1] // image_files.STRIP)
        assert page.extrasamples == (() if shape[0] == 3 else (0,))


def test_jpg_is_close(tmp_path: Path) -> None:
    layout = scenes.Layout(60, 9, 5)
    flat = np.zeros((64, 80), dtype=np.int64)
    pixels = scenes.as_pixels(scenes.paint(flat, [None], layout, 3, "jpg"))
    image = Image.open(io.BytesIO(image_files.jpg(pixels)))
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (80, 64))
    difference = np.asarray(image).transpose(2, 0, 1).astype(int) - pixels
    assert abs(difference).mean() < 6


def test_zip_archive(tmp_path: Path) -> None:
    members = [("a/b.txt", b"hello"), ("empty", b""), ("c/d.bin", bytes(range(256)) * 300)]
    path = tmp_path / "made.zip"
    path.write_bytes(image_files.zipped(members))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert [(info.filename, archive.read(info)) for info in archive.infolist()] == members
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
