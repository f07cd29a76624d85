from __future__ import annotations

import gzip
import hashlib
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

import iic.data.digits
import iic.data.mnist
from iic.data.batches import Batch, whole_numbers
from iic.data.digits import lay_out
from iic.data.download import download
from iic.data.errors import DataError
from iic.data.load import load
from iic.data.prepare import prepare
from iic.params.datasets import Dataset, load_catalogue
from iic.records.files import RecordError, read_record
from iic.records.prepared import PreparedManifest
from tests.data.faulty_server import SHARED, file_entry

CATALOGUE = load_catalogue(Path(__file__).resolve().parents[2] / "params" / "datasets.yaml")
DIGITS, MNIST = CATALOGUE["digits"], CATALOGUE["mnist"]
needs_mnist = pytest.mark.skipif(not (SHARED / "mnist").is_dir(), reason=f"no MNIST in {SHARED}")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("digits")
    download(DIGITS, "digits", root)
    prepare("digits", DIGITS, root)
    return root


def with_csv(root: Path, lines: list[str]) -> Dataset:
    """Digits whose catalogue entry fits the given lines, so that only the reader can object."""
    content = gzip.compress("\n".join(lines).encode())
    path = root / "data/raw/digits/digits.csv.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    file = {**file_entry("digits.csv.gz", content), "embedded": DIGITS.files[0].embedded}
    entry = DIGITS.model_dump() | {"files": (file,)}
    return Dataset.model_validate(entry | {"splits": {"all": 3}})


def csv_line(*changes: tuple[int, str]) -> str:
    cells = ["0"] * 65
    for column, value in changes:
        cells[column] = value
    return ",".join(cells)


def test_digits_as_prepared(digits: Path) -> None:
    data = load("digits", digits)
    assert data.images.shape == (1797, 1, 28, 28)
    assert data.labels is not None
    assert np.array_equal(data.labels, load_digits().target)
    box = data.images[:, 0, 4:-4, 4:-4]
    assert data.images.astype(np.int64).sum() == box.astype(np.int64).sum() > 0
    assert data.images.max() == 255
    assert data.manifest.split("train") == slice(0, 1297)
    assert data.manifest.split("test") == slice(1297, 1797)
    assert data.manifest.folds is None
    assert data.manifest == read_record(digits / "data/prepared/digits/data.json", PreparedManifest)


def test_digits_have_the_same_bytes_everywhere(digits: Path) -> None:
    # rounding is exact, so a change here is a change of the dataset and of every number on it
    pixels = load("digits", digits).images.tobytes()
    assert hashlib.sha256(pixels).hexdigest() == DIGITS_PIXELS


DIGITS_PIXELS = "de77a57d67c2b949670a7cf0384f375dea4496a1381113ae82360db7fc84ce03"


def test_digits_enlarged_as_pillow_does() -> None:
    grey = load_digits().images[:200]
    ours = lay_out(grey.astype(np.int64))[:, 4:-4, 4:-4]
    for image, laid_out in zip(grey, ours, strict=True):
        oracle = Image.fromarray((image * 255 / 16).astype(np.float32)).resize(
            (20, 20), Image.Resampling.BILINEAR
        )
        assert np.abs(np.asarray(oracle) - laid_out).max() <= 0.501


@given(st.integers(0, 16))
def test_uniform_grey_stays_uniform(level: int) -> None:
    box = lay_out(np.full((1, 8, 8), level))[0, 4:-4, 4:-4]
    assert np.unique(box).tolist() == [(level * 255 + 8) // 16]


def test_k_means_finds_the_digits(digits: Path) -> None:
    data = load("digits", digits)
    assert data.labels is not None
    clusters = KMeans(10, n_init=4, random_state=0).fit_predict(data.images.reshape(1797, -1))
    counts = np.zeros((10, 10), dtype=int)
    np.add.at(counts, (clusters, data.labels), 1)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    assert 70 < 100 * counts[rows, columns].sum() / 1797 < 90


def test_preparing_again_gives_the_same_bytes(digits: Path, tmp_path: Path) -> None:
    shutil.copytree(digits / "data/raw", tmp_path / "data/raw")
    prepare("digits", DIGITS, tmp_path)
    for name in ("images.npy", "labels.npy", "data.json"):
        path = f"data/prepared/digits/{name}"
        assert (tmp_path / path).read_bytes() == (digits / path).read_bytes()


def test_cut_raw_file(digits: Path, tmp_path: Path) -> None:
    shutil.copytree(digits / "data", tmp_path / "data")
    path = tmp_path / "data/raw/digits/digits.csv.gz"
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(DataError, match="cut short: 20,000 bytes, expected 57,523") as caught:
        prepare("digits", DIGITS, tmp_path)
    assert str(path) in str(caught.value) and "iic download --dataset digits" in str(caught.value)
    # what was prepared before is not lost
    assert load("digits", tmp_path).images.shape == (1797, 1, 28, 28)


def test_missing_raw_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"digits.csv.gz: missing\n  remedy: `iic download"):
        prepare("digits", DIGITS, tmp_path)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (csv_line((7, "nan")), r"value nan at index \(1, 7\)"),
        (csv_line((7, "inf")), r"value inf at index \(1, 7\)"),
        (csv_line((0, "17")), r"value 17.0 at index \(1, 0\)"),
        (csv_line((0, "-1")), r"value -1.0 at index \(1, 0\)"),
        (csv_line((3, "0.5")), r"value 0.5 at index \(1, 3\)"),
        (csv_line((64, "10")), r"value 10.0 at index \(1,\)"),
        (csv_line((64, "nan")), r"value nan at index \(1,\)"),
        (csv_line((5, "x")), "cut or corrupt: could not convert"),
        (csv_line() + ",0", "cut or corrupt"),
    ],
)
def test_bad_value_in_digits(tmp_path: Path, line: str, problem: str) -> None:
    dataset = with_csv(tmp_path, [csv_line(), line, csv_line()])
    with pytest.raises(DataError, match=problem) as caught:
        prepare("digits", dataset, tmp_path)
    assert "digits.csv.gz" in str(caught.value)
    assert not (tmp_path / "data/prepared/digits/images.npy").exists()


def test_wrong_number_of_digits(tmp_path: Path) -> None:
    dataset = with_csv(tmp_path, [csv_line()] * 2)
    with pytest.raises(DataError, match="2 rows of 65 columns, expected 3 of 65"):
        prepare("digits", dataset, tmp_path)


@given(st.lists(st.integers(-20, 20), min_size=1), st.integers(-5, 0), st.integers(1, 5))
def test_whole_numbers(values: list[int], low: int, high: int) -> None:
    array = np.array(values, dtype=np.float32)
    if all(low <= value <= high for value in values):
        assert whole_numbers(array, Path("f"), low, high).tolist() == values
    else:
        first = next(i for i, value in enumerate(values) if not low <= value <= high)
        with pytest.raises(DataError, match=rf"at index \({first},\)"):
            whole_numbers(array, Path("f"), low, high)


def prepare_batches(
    monkeypatch: pytest.MonkeyPatch,
    root: Path,
    batches: list[Batch],
    classes: tuple[str, ...] = ("x", "y"),
) -> PreparedManifest:
    """Prepare three images of two by two pixels that a reader yields as `batches`."""

    def read(raw: Path, dataset: Dataset) -> Iterator[Batch]:
        yield from batches

    dataset = with_csv(root, [csv_line()])
    image = {"channels": 1, "height": 2, "width": 2}
    changes = {"image": image, "splits": {"a": 1, "b": 2}, "classes": classes}
    monkeypatch.setattr(iic.data.digits, "read", read)
    return prepare("digits", Dataset.model_validate(dataset.model_dump() | changes), root)


def images(count: int, **changes: object) -> np.ndarray:
    return np.full((count, 1, 2, 2), count, dtype=changes.get("dtype", np.uint8))


def test_batches_need_not_follow_the_splits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    manifest = prepare_batches(
        monkeypatch,
        tmp_path,
        [Batch(images(2), np.array([1, -1])), Batch(images(1), None)],
    )
    assert [(one.name, one.start, one.stop) for one in manifest.splits] == [
        ("a", 0, 1),
        ("b", 1, 3),
    ]
    data = load("digits", tmp_path)
    assert data.labels is not None and data.labels.tolist() == [1, -1, -1]
    assert data.images[:, 0, 0, 0].tolist() == [2, 2, 1]


def test_unlabelled_data_has_no_labels_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stale = tmp_path / "data/prepared/digits/labels.npy"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"from before")
    manifest = prepare_batches(monkeypatch, tmp_path, [Batch(images(3), None)], classes=())
    assert manifest.labels is None
    assert load("digits", tmp_path).labels is None
    assert not stale.exists()


def test_labels_where_the_catalogue_says_that_there_are_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="label 1 of image 0 is none of the 0 classes"):
        prepare_batches(monkeypatch, tmp_path, [Batch(images(3), np.array([1, 0, 0]))], classes=())


@pytest.mark.parametrize(
    ("batch", "problem"),
    [
        (Batch(images(2), None), "2 images read, expected 3"),
        (Batch(images(4), None), "more than the expected 3 images"),
        (
            Batch(images(3), None),
            r"gives no image a label, but .* names 2 classes\n.*classes: \[\]",
        ),
        (Batch(images(3, dtype=np.float32), None), "yields float32 images"),
        (Batch(images(3)[:, :, :1], None), r"of shape \(1, 1, 2\), expected uint8 of \(1, 2, 2\)"),
        (Batch(images(3), np.array([0, 2, 1])), "label 2 of image 1 is none of the 2 classes"),
        (Batch(images(3), np.array([0, -2, 1])), "label -2 of image 1"),
        (Batch(images(3), np.array([0, 1])), r"labels of shape \(2,\) for 3 images"),
    ],
)
def test_reader_that_breaks_its_word(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, batch: Batch, problem: str
) -> None:
    with pytest.raises(DataError, match=problem):
        prepare_batches(monkeypatch, tmp_path, [batch])
    assert not (tmp_path / "data/prepared/digits/data.json").exists()


def test_unknown_reader(tmp_path: Path) -> None:
    dataset = with_csv(tmp_path, [csv_line()])
    wrong = Dataset.model_validate(dataset.model_dump() | {"module": "iic.data.digitz"})
    with pytest.raises(DataError, match=r"digits.module: 'iic.data.digitz' has no function read"):
        prepare("digits", wrong, tmp_path)


def test_full_disk(digits: Path, disk: Callable[..., Path]) -> None:
    small = disk("1m")
    shutil.copytree(digits / "data/raw", small / "data/raw")
    with pytest.raises(RecordError, match=r"images.npy: cannot be written: No space left"):
        prepare("digits", DIGITS, small)
    assert list((small / "data/prepared/digits").iterdir()) == []


def test_read_only_folder(digits: Path, disk: Callable[..., Path], tmp_path: Path) -> None:
    locked = disk("1m", read_only="prepared")
    shutil.copytree(digits / "data/raw", tmp_path / "data/raw")
    (tmp_path / "data/prepared").symlink_to(locked / "prepared")
    with pytest.raises(RecordError, match=r"images.npy: cannot be written: Read-only"):
        prepare("digits", DIGITS, tmp_path)


@needs_mnist
def test_mnist(tmp_path: Path) -> None:
    download(MNIST, "mnist", tmp_path, str(SHARED))
    manifest = prepare("mnist", MNIST, tmp_path)
    data = load("mnist", tmp_path)
    assert data.images.shape == (70_000, 1, 28, 28)
    assert manifest.split("train") == slice(0, 60_000)
    assert manifest.split("test") == slice(60_000, 70_000)
    for split, prefix in (("train", "train"), ("test", "t10k")):
        # read by hand: a header of 16 or 8 bytes, then the values
        pixels = gzip.decompress((SHARED / f"mnist/{prefix}-images-idx3-ubyte.gz").read_bytes())
        digits = gzip.decompress((SHARED / f"mnist/{prefix}-labels-idx1-ubyte.gz").read_bytes())
        assert data.images[manifest.split(split)].tobytes() == pixels[16:]
        assert data.labels is not None
        assert data.labels[manifest.split(split)].astype(np.uint8).tobytes() == digits[8:]


def idx(*shape: int, kind: int = 8, value: int = 1) -> bytes:
    header = struct.pack(">BBBB", 0, 0, kind, len(shape)) + struct.pack(f">{len(shape)}I", *shape)
    return header + bytes([value]) * int(np.prod(shape))


def test_mnist_files_of_other_names(tmp_path: Path) -> None:
    read_mnist(tmp_path)
    path = tmp_path / "t10k-labels-idx1-ubyte.gz"
    path.rename(tmp_path / "test-labels.gz")
    with pytest.raises(DataError) as caught:
        read_mnist_again(tmp_path)
    first, expected, remedy = str(caught.value).splitlines()
    assert first.startswith(
        f"{path}: missing; {tmp_path} holds t10k-images-idx3-ubyte.gz, test-labe"
    )
    assert expected.strip().startswith("expected: train-images-idx3-ubyte.gz, train-labels-idx1-")
    assert remedy.strip().startswith("remedy: give the files these names")


def read_mnist(raw: Path, **changed: bytes) -> list[Batch]:
    """Read two training and two test images, after replacing the unpacked content of a file."""
    contents = {
        "train_images": idx(2, 28, 28),
        "train_labels": idx(2),
        "t10k_images": idx(2, 28, 28),
        "t10k_labels": idx(2),
    }
    for name, content in {**contents, **changed}.items():
        prefix, what = name.split("_")
        axes = 3 if what == "images" else 1
        path = raw / f"{prefix}-{what}-idx{axes}-ubyte.gz"
        path.write_bytes(content if content[:2] == b"\x1f\x8b" else gzip.compress(content))
    return read_mnist_again(raw)


def read_mnist_again(raw: Path) -> list[Batch]:
    small = Dataset.model_validate(MNIST.model_dump() | {"splits": {"train": 2, "test": 2}})
    return list(iic.data.mnist.read(raw, small))


def test_mnist_files_as_they_should_be(tmp_path: Path) -> None:
    assert [batch.images.shape for batch in read_mnist(tmp_path)] == [(2, 1, 28, 28)] * 2


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (
            {"train_images": idx(2, 28, 28)[:-1]},
            "train-images.*1,583 bytes unpacked, expected 1,584",
        ),
        ({"train_images": gzip.compress(idx(2, 28, 28))[:-9]}, "train-images.*cut or corrupt"),
        ({"t10k_labels": gzip.compress(idx(2))[:12]}, "t10k-labels.*cut or corrupt"),
        ({"t10k_images": b"\x1f\x8bno gzip"}, "t10k-images.*cut or corrupt: 0 bytes"),
        ({"t10k_images": idx(2, 28, 27)}, "t10k-images.*1,528 bytes unpacked"),
        ({"t10k_images": idx(2, 56, 14)}, r"t10k-images.*shape \(2, 56, 14\)"),
        ({"train_labels": idx(2, kind=9)}, "train-labels.*no idx file"),
        ({"train_labels": idx(2, kind=1)}, "train-labels.*no idx file"),
        ({"t10k_labels": idx(2, value=10)}, r"t10k-labels.*value 10 at index \(0,\)"),
    ],
)
def test_bad_mnist_file(tmp_path: Path, changed: dict[str, bytes], problem: str) -> None:
    with pytest.raises(DataError, match=problem) as caught:
        read_mnist(tmp_path, **changed)
    assert "remedy" in str(caught.value)


@needs_mnist
def test_cut_mnist_file(tmp_path: Path) -> None:
    raw = tmp_path / "data/raw/mnist"
    shutil.copytree(SHARED / "mnist", raw, copy_function=shutil.copyfile)
    cut = raw / "train-images-idx3-ubyte.gz"
    with cut.open("r+b") as file:
        file.truncate(5_000_000)
    with pytest.raises(DataError, match="cut short: 5,000,000 bytes, expected 9,912,422") as caught:
        prepare("mnist", MNIST, tmp_path)
    assert str(cut) in str(caught.value) and "iic download --dataset mnist" in str(caught.value)
