"""Data of one's own: images without labels, that exist only in a folder of this machine."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from iic.params.runs import load_plan
from iic.records.evaluation import Evaluation
from iic.records.files import read_record, sha256_file
from iic.records.paths import RunPaths, table
from iic.records.table import read_table
from tests.workflow.workflow_helpers import (
    NOTHING,
    append,
    commit,
    contents,
    iic,
    snakemake,
    write_scale,
)

READER = '''"""A zip of pictures without labels."""

import io
import zipfile

import numpy as np
from PIL import Image

from iic.data.batches import Batch


def read(raw, dataset):
    """Grey images in the order of their names."""
    with zipfile.ZipFile(raw / "pictures.zip") as pictures:
        contents = [pictures.read(name) for name in sorted(pictures.namelist())]
        opened = [Image.open(io.BytesIO(content)) for content in contents]
        yield Batch(np.stack([np.asarray(picture)[None] for picture in opened]), None)
'''
SCALE, NUMBER = "own", 1000
FOLDER = Path("pictures")


def pictures(path: Path) -> None:
    """Squares and stripes, 28x28, as PNGs in a zip."""
    random = np.random.default_rng(0)
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as target:
        for number in range(NUMBER):
            image = random.integers(0, 60, (28, 28)).astype(np.uint8)
            image[8:20, 8:20] = 220 if number % 2 else image[8:20, 8:20]
            image[::3] = image[::3] if number % 2 else 200
            encoded = io.BytesIO()
            Image.fromarray(image).save(encoded, "png")
            target.writestr(f"{number:03}.png", encoded.getvalue())


def enter(clone: Path, archive: Path) -> None:
    """Catalogue entry, reader and scale, as docs/own_data.md says."""
    entry = {
        "title": "Own pictures",
        "description": "Squares and stripes.",
        "module": "iic.data.own",
        "classes": [],
        "image": {"channels": 1, "height": 28, "width": 28},
        "splits": {"all": NUMBER},
        "licence": "ours",
        "mirrors": [f"./{FOLDER}/"],
        "files": [{"name": archive.name, "size": archive.stat().st_size,
                   "sha256": sha256_file(archive)}],
    }  # fmt: skip
    append(clone / "params/datasets.yaml", "\n" + yaml.safe_dump({"own": entry}, sort_keys=False))
    (clone / "iic/data/own.py").write_text(READER)
    write_scale(clone, SCALE, "digits/kmeans")
    scale = clone / f"params/scales/{SCALE}.yaml"
    content = yaml.safe_load(scale.read_text().replace("digits/", "own/"))
    small = {"batch_pairs": 20, "repeats": 2}
    content["datasets"] = {"mnist": "own"}
    content["skip"].remove("own/iic")
    content["changes"] = {
        "own/kmeans": {"k": 2},
        "own/iic": {
            **load_plan("smoke").run("digits/iic").settings_json,
            "head_a": {"k": 4},
            "head_b": {"k": 2},
            "pairs": small,
            "schedule": {"epochs": 2, "max_steps": 6},
        },
    }
    scale.write_text(yaml.safe_dump(content))


@pytest.fixture
def own(clone: Path) -> Path:
    """A clone with such data."""
    pictures(clone / FOLDER / "pictures.zip")
    enter(clone, clone / FOLDER / "pictures.zip")
    (clone / ".gitignore").open("a").write(f"/{FOLDER}/\n")
    commit(clone)
    return clone


def test_unlabelled_data_of_ones_own_from_folder_to_table_and_audit(own: Path) -> None:
    aside = own / "aside"
    (own / FOLDER).rename(aside)
    absent = snakemake(own, "data", scale=SCALE, expect=1).said
    assert f"{FOLDER}: {FOLDER}/pictures.zip: No such file or directory" in absent
    assert "remedy: put the file (" in absent and f") into {FOLDER}, or at DIR/own/" in absent
    assert "Traceback" not in absent
    aside.rename(own / FOLDER)

    snakemake(own, scale=SCALE)
    assert not (own / "data/prepared/own/labels.npy").exists()
    for run in ("kmeans", "iic"):
        place = RunPaths(SCALE, f"own/{run}", 0)
        assignments = pq.read_table(own / place.assignments)
        assert set(assignments["label"].to_pylist()) == {None}
        assert assignments.num_rows == NUMBER
        evaluation = read_record(own / place.evaluation, Evaluation)
        assert evaluation.k_classes is None
        chosen = evaluation.selections["label_free"]
        assert chosen is not None and chosen.acc is chosen.nmi is chosen.ari is None
        assert evaluation.selections["as_published"] is None
        heads = evaluation.checkpoints["last"].sub_heads
        assert all(head.loss is not None and head.mapping is None for head in heads)
    csv = table(SCALE, "table_1")
    status = {(line.row, line.selection): line.status for line in read_table(own / csv)}
    assert status["K-means", "label_free"] == "unlabelled"
    assert "have no labels" in (own / csv.with_suffix(".md")).read_text()

    assert NOTHING in snakemake(own, scale=SCALE).said
    before = contents(own / "results")
    audit = iic(own, "audit", "--scale", SCALE, "--rerun", "1").said
    assert "verified: " in audit and "same bytes" in audit
    assert {
        name: content for name, content in contents(own / "results").items() if "audit" not in name
    } == {name: content for name, content in before.items() if "audit" not in name}
