"""Every format that is read from outside: a small file of it, and who reads it.

A format is written into a folder of its own. `Format.read` is given that folder, in which the file
is whatever somebody made of it.
"""

from __future__ import annotations

import gzip
import io
import pickletools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tifffile
from PIL import Image

from iic.data import cifar10, mnist, potsdam_archive, stl10, tiny_imagenet
from iic.data.aerial import read_image
from iic.data.batches import Batch
from iic.data.cocostuff import open_maps as open_coco
from iic.data.cocostuff import read_list
from iic.data.standin.content import content as standin
from iic.data.standin.formats import idx_gz, python2_pickle
from iic.data.zip_images import decoded
from iic.data.zips import Members
from iic.own.arrays import array_items, idx_items
from iic.params.datasets import Dataset, load_catalogue
from iic.params.loading import read_yaml
from iic.records.assignments import read_assignments, write_assignments
from iic.records.counts import read_counts, write_counts
from iic.records.files import read_record
from iic.records.history import read_history
from iic.records.receipt import Receipt
from iic.records.snapshots import read_snapshots, write_snapshots
from iic.records.table import read_table
from tests.data.coco_helpers import png, raw_files, write_raw
from tests.data.coco_helpers import tiny as coco
from tests.data.coco_helpers import zipped as stored_zip
from tests.data.potsdam_helpers import entry as potsdam_entry
from tests.data.standin_helpers import CATALOGUE, ROOT, tiny
from tests.data.standin_helpers import write_raw as write_standin
from tests.outside.archives import mat, tarred, zipped

RNG = np.random.default_rng(0)
SIDE = 6
POTSDAM = Dataset.model_validate(
    CATALOGUE["potsdam6_archive"].model_dump()
    | {
        "image": {"channels": 4, "height": SIDE, "width": SIDE},
        "splits": {"unlabelled_train": 1, "labelled_train": 1, "labelled_test": 1},
    }
)
TIF = potsdam_entry()
RECEIPT = ROOT / "results/laptop_cifar10/runs/cifar10_test/kmeans/seed0/run.json"
TABLE = ROOT / "results/laptop_cifar10/tables/table_1.csv"


@dataclass(frozen=True)
class Format:
    """How a file is made, where it lies and who reads it.

    Args:
        content: What is changed to get another file.
        path: Where the file lies in its folder.
        read: Reads the file below a folder.
        wrap: From `content` to the file's bytes.
        besides: Writes what else the reader needs into a folder.
        words: Parts that a file of this format may have.
    """

    content: bytes
    path: str
    read: Callable[[Path], object]
    wrap: Callable[[bytes], bytes] = bytes
    besides: Callable[[Path], object] = lambda folder: None
    words: tuple[bytes, ...] = ()

    def write(self, folder: Path, content: bytes) -> None:
        """Write the file that `content` makes; what lies beside it is there already."""
        path = folder / self.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.wrap(content))


def written(write: Callable[[Path], object]) -> bytes:
    """What `write` writes to a file."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "file")
        return (Path(folder) / "file").read_bytes()


def all_of(batches: object) -> list[Batch]:
    return list(batches)  # type: ignore[call-overload]


def maps_of(reader: object) -> None:
    for piece in reader.pieces:  # type: ignore[attr-defined]
        reader.read(piece)  # type: ignore[attr-defined]


MNIST = tiny("mnist_standin", splits={"train": 3, "test": 2})
CIFAR = tiny("cifar10_standin", splits={"train": 10, "test": 2})
STL = tiny("stl10_standin", splits={"train": 10, "unlabeled": 3, "test": 2})
STL_FOLDS = b"".join(b"%d %d\n" % (fold, (fold + 1) % 10) for fold in range(10))
TINY = tiny("tiny_imagenet_standin", splits={"train": 10, "val": 5})
COCO_FILES = coco()
LABELS = "stuffthingmaps_trainval2017.zip"


@cache
def coco_entry() -> Dataset:
    with tempfile.TemporaryDirectory() as folder:
        return write_raw(Path(folder), raw_files(COCO_FILES))


def tiles() -> list[tuple[str, bytes]]:
    image = RNG.integers(0, 256, (SIDE, SIDE, 4), np.uint8)
    classes = RNG.integers(0, 6, (SIDE, SIDE)).astype(np.int32)
    files = [(f"imgs/{tile}.mat", mat(img=image)) for tile in range(3)]
    files += [(f"gt/{tile}.mat", mat(gt=classes)) for tile in (1, 2)]
    lists = ("unlabelled_train", "labelled_train", "labelled_test")
    return files + [(f"{name}.txt", b"%d\n" % tile) for tile, name in enumerate(lists)]


def with_tile(content: bytes) -> bytes:
    """The archive whose first tile has this content."""
    return gzip.compress(tarred(("imgs/0.mat", content), *tiles()[1:]), 1)


def tif() -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, RNG.integers(0, 256, (24, 24, 4), np.uint8), photometric="rgb")
    return file.getvalue()


def jpg() -> bytes:
    file = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (32, 32, 3), np.uint8)).save(file, "JPEG")
    return file.getvalue()


def assignments(path: Path) -> None:
    clusters = RNG.integers(0, 10, (50, 3)).astype(np.int64)
    write_assignments(path, {"last": clusters, "best_label": clusters[::-1]}, clusters[:, 0])


def counts(path: Path) -> None:
    write_counts(path, {"last": np.ones((4, 2, 3, 3), np.int64)}, np.arange(4))


def snapshots(path: Path) -> None:
    write_snapshots(path, {0: np.ones((4, 2, 3), np.float16), 5: np.ones((4, 2, 3), np.float16)})


def parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, compression="zstd")
    return file.getvalue()


def array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.arange(24, dtype=np.float32).reshape(2, 3, 4))
    return file.getvalue()


BATCH = python2_pickle(
    {
        "batch_label": "one",
        "labels": [0, 1],
        "data": RNG.integers(0, 256, (2, 3072), np.uint8),
        "filenames": ["a.png", "b.png"],
    }
)
IMAGES = idx_gz(RNG.integers(0, 256, (3, 28, 28), np.uint8))
PICKLED = (
    b"cnumpy\nndarray\n",
    b"cos\nsystem\n",
    *(operation.code.encode("latin-1") for operation in pickletools.opcodes),
)
FORMATS = {
    "idx, packed": Format(
        IMAGES,
        "train-images-idx3-ubyte.gz",
        lambda folder: all_of(mnist.read(folder, MNIST)),
        besides=lambda folder: write_standin(MNIST, folder),
    ),
    "idx": Format(
        gzip.decompress(IMAGES),
        "train-images-idx3-ubyte.gz",
        lambda folder: (
            all_of(mnist.read(folder, MNIST)),
            idx_items(folder / "train-images-idx3-ubyte.gz"),
        ),
        wrap=lambda content: gzip.compress(content, 1),
        besides=lambda folder: write_standin(MNIST, folder),
    ),
    "CIFAR's pickle": Format(
        BATCH,
        "cifar-10-batches-py/test_batch",
        lambda folder: all_of(cifar10.read(folder, CIFAR)),
        besides=lambda folder: write_standin(CIFAR, folder),
        words=PICKLED,
    ),
    "STL-10's images": Format(
        bytes(2 * 3 * 48 * 48),
        "stl10_binary/test_X.bin",
        lambda folder: all_of(stl10.read(folder, STL)),
        besides=lambda folder: write_standin(STL, folder),
    ),
    "STL-10's labels": Format(
        b"\1\2",
        "stl10_binary/test_y.bin",
        lambda folder: all_of(stl10.read(folder, STL)),
        besides=lambda folder: write_standin(STL, folder),
    ),
    "STL-10's folds": Format(
        STL_FOLDS,
        "stl10_binary/fold_indices.txt",
        lambda folder: stl10.folds(folder, STL),
        besides=lambda folder: write_standin(STL, folder),
        words=("²".encode(), b"9" * 5000, b" ", b"\n", b"-1", "٣".encode()),
    ),
    "Tiny ImageNet's zip": Format(
        standin("tiny-imagenet-200.zip", TINY),
        "tiny-imagenet-200.zip",
        lambda folder: all_of(tiny_imagenet.read(folder, TINY)),
        words=(b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7"),
    ),
    "COCO's zip": Format(
        raw_files(COCO_FILES)[LABELS],
        f"data/raw/cocostuff3/{LABELS}",
        lambda folder: maps_of(open_coco(folder / "data/raw/cocostuff3", coco_entry())),
        besides=lambda folder: write_raw(folder, raw_files(COCO_FILES)),
        words=(b"PK\1\2", b"PK\3\4", b"PK\5\6"),
    ),
    "COCO's list": Format(
        COCO_FILES["curated/train2017/list.txt"],
        "a/b/list.txt",
        lambda folder: read_list(folder / "a/b/list.txt"),
        words=("²".encode(), b"\n", b"\r", b"\x0b"),
    ),
    "a png in a zip": Format(
        png(np.zeros((20, 20), np.uint8)),
        "a.zip",
        lambda folder: decoded(Members(folder / "a.zip", TINY), "a", "PNG"),
        wrap=lambda content: stored_zip({"a": content}),
        words=(b"IHDR", b"IDAT", b"zTXt", b"PLTE", b"tRNS"),
    ),
    "a jpg in a zip": Format(
        jpg(),
        "a.zip",
        lambda folder: decoded(Members(folder / "a.zip", TINY), "a", "JPEG"),
        wrap=lambda content: stored_zip({"a": content}),
        words=(b"\xff\xc0", b"\xff\xda", b"\xff\xe1", b"\xff\xc2"),
    ),
    "Potsdam's tif in a zip": Format(
        tif(),
        "a.zip",
        lambda folder: read_image(Members(folder / "a.zip", TIF), "a", 4),
        wrap=lambda content: zipped(("a", content)),
    ),
    "Potsdam's tar": Format(
        tarred(*tiles()),
        "Potsdam.tar.gz",
        lambda folder: maps_of(potsdam_archive.open_maps(folder, POTSDAM)),
        wrap=lambda content: gzip.compress(content, 1),
        words=(b"ustar\x0000", b"0" * 11, b"7" * 11, b"x", b"L", b"1", b"\x80" + b"\xff" * 11),
    ),
    "Potsdam's tar, packed": Format(
        gzip.compress(tarred(*tiles()), 1),
        "Potsdam.tar.gz",
        lambda folder: maps_of(potsdam_archive.open_maps(folder, POTSDAM)),
    ),
    "Potsdam's tile": Format(
        tiles()[0][1],
        "Potsdam.tar.gz",
        lambda folder: maps_of(potsdam_archive.open_maps(folder, POTSDAM)),
        wrap=with_tile,
        words=tuple(bytes([kind, 0, 0, 0]) for kind in range(20)),
    ),
    "assignments": Format(
        written(assignments), "a.parquet", lambda folder: read_assignments(folder / "a.parquet")
    ),
    "counts": Format(
        written(counts), "a.parquet", lambda folder: read_counts(folder / "a.parquet")
    ),
    "snapshots": Format(
        written(snapshots), "a.parquet", lambda folder: read_snapshots(folder / "a.parquet")
    ),
    "an array": Format(array(), "a.npy", lambda folder: array_items(folder / "a.npy")),
    "a receipt": Format(
        RECEIPT.read_bytes(),
        "run.json",
        lambda folder: read_record(folder / "run.json", Receipt),
        words=(b"{", b"[", b'"', b"1e999", b"9" * 5000, b"NaN", b"null", b'"rule":', b"\\ud800"),
    ),
    "a history": Format(
        RECEIPT.with_name("history.jsonl").read_bytes(),
        "history.jsonl",
        lambda folder: read_history(folder / "history.jsonl"),
        words=(b"{", b"[", b"9" * 5000, b"\n", b'{"epoch":1}', b"\xff"),
    ),
    "a table": Format(
        TABLE.read_bytes()[:5000],
        "table.csv",
        lambda folder: read_table(folder / "table.csv"),
        words=(b'"', b",", b"\r", b"\0", b"NaN", b"1e9999", b"Infinity", b"9" * 5000),
    ),
    "YAML": Format(
        (ROOT / "params/datasets.yaml").read_bytes().partition(b"\nstl10:")[0],
        "a.yaml",
        lambda folder: (read_yaml(folder / "a.yaml"), load_catalogue(folder / "a.yaml")),
        words=(
            b"&a ",
            b"*a",
            b"<<: *a",
            b"!!int ",
            b"!!timestamp ",
            b"!!omap ",
            b"- ",
            b"? ",
            b"[",
            b"{",
            b": ",
            b"\n",
            b"!!binary ",
            b"0x",
            b"1:1",
            b"!!set ",
            b"%YAML 1.1\n",
        ),
    ),
}
