"""The real samples, prepared: looked at once (images beside coloured labels), pinned since.

An independent script with OpenCV 4.5.5 (`resize` at 0.33 of image and labels, padding, superclasses
as in docs/spec/segmentation.md#coco-stuff) gave the same arrays, value for value.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from iic.data.load_maps import load_maps
from iic.data.maps import IGNORED, UNLABELLED
from iic.data.prepare_maps import prepare_maps
from iic.records.prepared_maps import MapManifest
from tests.data.coco_helpers import needs_samples, raw_files, samples, write_raw

IMAGES = "ec236e357cffa6d2499960ecdeacca80fae29c3ed8a320e75b5d3ba466a9f398"
LABELS = {
    "cocostuff3": "9bf0103e43f9d1cdc62d43bedc0fdd9bf9a598fd91a019ec8eca62f1138c4264",
    "cocostuff15": "81c3a63368b1a3e60488cdf7b60e1f7844fd5d07fce70fe28388da4c389ccc1b",
}
OFFICIAL = {
    "image": {"channels": 3, "height": 211, "width": 211},
    "maps": {"scale": 0.33, "least_side": 128},
}

pytestmark = needs_samples


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, MapManifest]]:
    root = tmp_path_factory.mktemp("clone")
    raw = raw_files(samples())
    manifests = {
        name: prepare_maps(name, write_raw(root, raw, name, **OFFICIAL), root, workers=2)
        for name in LABELS
    }
    return root, manifests


@pytest.mark.parametrize("name", LABELS)
def test_bytes(clone: tuple[Path, dict[str, MapManifest]], name: str) -> None:
    manifest = clone[1][name]
    assert manifest.images.sha256 == IMAGES
    assert manifest.labels.sha256 == LABELS[name]


def test_what_the_pictures_show(clone: tuple[Path, dict[str, MapManifest]]) -> None:
    root, manifests = clone
    three = load_maps("cocostuff3", root)
    place = {name: index for index, name in enumerate(three.names)}
    assert manifests["cocostuff3"].splits[1].start == 13
    assert manifests["cocostuff15"].empty == (place["train2017/000000184101"],)
    # 000000001503, 320x240: padded on all four sides
    small = place["val2017/000000001503"]
    assert three.sizes[small].tolist() == [128, 128]
    filled = np.argwhere(three.images[small].any(axis=0))
    assert (filled.min(axis=0).tolist(), filled.max(axis=0).tolist()) == ([25, 11], [103, 116])
    # 000000001584, a red bus: R, G, B
    bus = place["val2017/000000001584"]
    assert three.sizes[bus].tolist() == [202, 202]
    red, green, blue = three.images[bus, :, 150, 60].astype(int)
    assert red > 2 * green and red > 2 * blue
    # 000000138805, riders on a beach: sky above, a strip of sand, and the sea, which is no class
    beach = three.labels[place["train2017/000000138805"]]
    assert set(np.unique(beach[:60])) <= {0, UNLABELLED}
    assert np.count_nonzero(beach == 2) > 500
    assert np.all(beach[120:] == IGNORED)
    # as superclasses of stuff: sky is 11, ground 9, water 14
    fifteen = load_maps("cocostuff15", root).labels[place["train2017/000000138805"]]
    assert np.array_equal(fifteen == 11, beach == 0) and np.array_equal(fifteen == 9, beach == 2)
    assert np.all(fifteen[120:158] == 14) and np.all(fifteen[158:] == IGNORED)
