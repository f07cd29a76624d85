"""Potsdam at its real size: 6000 x 6000 pixels of four channels, made here."""

from __future__ import annotations

import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from iic.data.load_maps import load_maps
from iic.data.maps import UNLABELLED
from iic.data.potsdam import IMAGES, LABELLED, LABELS
from tests.data.potsdam_helpers import PALETTE, entry, raw_of, tif, with_checksums

SIDE, TILES = 6000, 15
NAMES = ("top_potsdam_2_13", *sorted(LABELLED))
"""The first has no labels."""
RUN = """
import json, sys
from pathlib import Path
from iic.data.prepare_maps import prepare_maps
from iic.params.datasets import Dataset
dataset = Dataset.model_validate_json(Path(sys.argv[1]).read_text())
prepare_maps("potsdam6", dataset, Path(sys.argv[2]), workers=2)
# not getrusage, whose peak begins with that of the process that called this one
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def block(seed: int, *shape: int, below: int = 256) -> np.ndarray:
    """Values that repeat every 1,000 pixels: quickly made."""
    part = np.random.default_rng(seed).integers(0, below, shape, np.uint8)
    return np.tile(part, (SIDE // shape[0], SIDE // shape[1], *[1] * (len(shape) - 2)))


def clone(root: Path, count: int, compression: str | None) -> Path:
    """A clone with so many images of the real size; returns the file with its entry."""
    raw = raw_of(root)
    raw.mkdir(parents=True)
    image = tif(block(0, 1000, 1000, 4), compression=compression)
    labels = tif(PALETTE[block(1, 1000, 1000, below=6)], compression="lzw")
    with zipfile.ZipFile(raw / IMAGES, "w") as images, zipfile.ZipFile(raw / LABELS, "w") as maps:
        for name in NAMES[:count]:
            images.writestr(f"4_Ortho_RGBIR/{name}_RGBIR.tif", image)
            if name in LABELLED:
                maps.writestr(f"{name}_label.tif", labels)
    splits = {"unlabelled_train": 225, "labelled_train": 225 * (count - 1) - 9, "labelled_test": 9}
    dataset = with_checksums(entry(side=200, tiles=TILES, splits=splits), raw)
    path = root / "entry.json"
    path.write_text(dataset.model_dump_json())
    return path


def peak_of(root: Path, count: int, compression: str | None = None) -> tuple[int, float]:
    """Peak memory in MiB, and seconds an image, of preparing so many images in two threads."""
    path = clone(root, count, compression)
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", RUN, path, root], capture_output=True, text=True, check=True
    )
    return int(done.stdout) // 1024, (time.monotonic() - start) / count


def test_content_of_a_real_size(tmp_path: Path) -> None:
    peak, seconds = peak_of(tmp_path, 2)
    print(f"peak {peak} MiB, {seconds:.1f} s an image")
    assert peak < 1500
    data = load_maps("potsdam6", tmp_path)
    assert data.images.shape == (450, 4, 200, 200)
    image, classes = block(0, 1000, 1000, 4).astype(np.uint16), block(1, 1000, 1000, below=6)
    for name, tile in ((NAMES[0], 16), (NAMES[1], 0), (NAMES[1], 224)):
        place = data.names.index(f"{name}/{tile:03d}")
        top, left = 400 * (tile // TILES), 400 * (tile % TILES)
        part = image[top : top + 400, left : left + 400].reshape(200, 2, 200, 2, 4)
        mean = (part.sum(axis=(1, 3)) + 2) // 4
        assert np.array_equal(data.images[place], mean.transpose(2, 0, 1))
        labels = classes[top : top + 400 : 2, left : left + 400 : 2]
        expected = labels if name in LABELLED else np.full((200, 200), UNLABELLED)
        assert np.array_equal(data.labels[place], expected)


@pytest.mark.long
def test_memory_does_not_grow_with_the_images(tmp_path: Path) -> None:
    # three, so that both threads have an image with labels at once
    few, few_seconds = peak_of(tmp_path / "few", 3)
    many, seconds = peak_of(tmp_path / "many", 9)
    packed, packed_seconds = peak_of(tmp_path / "packed", 3, "lzw")
    print(f"3: {few} MiB, {few_seconds:.1f} s an image; 9: {many} MiB, {seconds:.1f} s an image")
    print(f"lzw: {packed} MiB, {packed_seconds:.1f} s an image")
    assert many < 1.1 * few
    assert max(few, packed) < 1500
