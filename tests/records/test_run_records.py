"""What a training leaves: assignments, probabilities, snapshots, history, and where."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from iic.records import paths
from iic.records.assignments import read_assignments, write_assignments
from iic.records.files import RecordError
from iic.records.history import dump_history, read_history
from iic.records.paths import RunPaths
from iic.records.snapshots import (
    read_array,
    read_probabilities,
    read_snapshots,
    write_array,
    write_probabilities,
    write_snapshots,
)

ROOT = Path(__file__).resolve().parents[2]


@given(
    number=st.integers(1, 30),
    heads=st.integers(1, 6),
    highest=st.sampled_from([1, 9, 255, 256, 65535]),
    labelled=st.sampled_from(["all", "some", "none"]),
    both=st.booleans(),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_assignments_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory,
    number: int,
    heads: int,
    highest: int,
    labelled: str,
    both: bool,
    data: st.DataObject,
) -> None:
    clusters = arrays.arrays(np.int64, (number, heads), elements=st.integers(0, highest))
    names = ["last", "best_label"] if both else ["last"]
    written = {name: data.draw(clusters) for name in names}
    labels = data.draw(arrays.arrays(np.int64, number, elements=st.integers(0, 99)))
    if labelled == "some":
        labels[data.draw(st.integers(0, number - 1))] = -1
    path = tmp_path_factory.getbasetemp() / "assignments.parquet"
    write_assignments(path, written, None if labelled == "none" else labels)
    read = read_assignments(path)
    assert list(read) == names
    nothing = labelled == "none" or (labels < 0).all()
    for name in names:
        np.testing.assert_array_equal(read[name].clusters, written[name])
        found = read[name].labels
        if nothing:
            assert found is None
        else:
            assert found is not None and found.dtype == np.int64
            np.testing.assert_array_equal(found, labels)
    used = max(int(block.max()) for block in written.values())
    assert read["last"].clusters.dtype == (np.uint8 if used < 256 else np.uint16)


def test_assignments_are_plain_columns(tmp_path: Path) -> None:
    """The contract: checkpoint, index, label or null, one small integer a sub-head."""
    path = tmp_path / "assignments.parquet"
    clusters = np.array([[0, 3], [1, 2], [2, 1]])
    write_assignments(path, {"last": clusters, "best_label": clusters[::-1]}, np.array([7, -1, 9]))
    table = pq.read_table(path)
    assert table.to_pydict() == {
        "checkpoint": ["last"] * 3 + ["best_label"] * 3,
        "index": [0, 1, 2, 0, 1, 2],
        "label": [7, None, 9, 7, None, 9],
        "sub_head_0": [0, 1, 2, 2, 1, 0],
        "sub_head_1": [3, 2, 1, 1, 2, 3],
    }
    assert table.schema.field("sub_head_0").type == pa.uint8()


def test_assignments_of_all_of_mnist_take_less_than_a_megabyte(tmp_path: Path) -> None:
    """70,000 images, 5 sub-heads, 2 checkpoints, accuracies as in the authors' log of model 685."""
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 10, 70_000)

    def trained(wrong: float) -> np.ndarray:
        heads = []
        for _ in range(5):
            names = draw.permutation(10)
            noise = draw.random(labels.size) < wrong
            heads.append(np.where(noise, draw.integers(0, 10, labels.size), names[labels]))
        return np.stack(heads, axis=1).astype(np.uint8)

    path = tmp_path / "assignments.parquet"
    checkpoints = {"last": trained(0.03), "best_label": trained(0.02)}
    write_assignments(path, checkpoints, labels)
    assert path.stat().st_size < 1_000_000
    read = read_assignments(path)
    for name, clusters in checkpoints.items():
        np.testing.assert_array_equal(read[name].clusters, clusters)


@pytest.mark.parametrize(
    ("checkpoints", "labels"),
    [
        ({"last": np.zeros((3, 2), int), "best_label": np.zeros((3, 1), int)}, None),
        ({"last": np.zeros((3, 2), int)}, np.zeros(4, int)),
        ({"last": np.full((3, 2), -1)}, None),
        ({"last": np.full((3, 2), 65536)}, None),
    ],
)
def test_assignments_that_do_not_fit_are_not_written(
    tmp_path: Path, checkpoints: dict[str, np.ndarray], labels: np.ndarray | None
) -> None:
    path = tmp_path / "assignments.parquet"
    with pytest.raises(ValueError, match=r"shape|negative"):
        write_assignments(path, checkpoints, labels)
    assert not path.exists()


def columns(**changes: object) -> dict[str, object]:
    return {
        "checkpoint": pa.array(["last", "last"]).dictionary_encode(),
        "index": [0, 1],
        "label": [1, 2],
        "sub_head_0": [0, 1],
        **changes,
    }


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "missing"),
        (b"", "no assignments"),
        (b"PAR1 but no more", "no assignments"),
        ({"index": [0]}, "no assignments: .*checkpoint"),
        (columns(index=[1, 0]), "checkpoint last: indices do not ascend"),
        (columns(index=[0, 0]), "checkpoint last: indices do not ascend"),
        ({**columns(), "sub_head_2": [0, 0]}, "no assignments: .*sub_head_1"),
        ({key: one for key, one in columns().items() if key != "sub_head_0"}, "no assignments"),
        (columns(label=["a", "b"]), "no assignments"),
    ],
)
def test_damaged_assignments_are_named(tmp_path: Path, content: object, says: str) -> None:
    path = tmp_path / "assignments.parquet"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        pq.write_table(pa.table(content), path)
    with pytest.raises(RecordError, match=rf"^{path}: {says}"):
        read_assignments(path)


@pytest.mark.parametrize("kind", ["assignments", "probabilities", "snapshots"])
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"{kind}.parquet"
    block = np.random.default_rng(0).random((20, 2, 3)).astype(np.float16)
    if kind == "assignments":
        write_assignments(path, {"last": block.argmax(2)}, None)
    elif kind == "probabilities":
        write_probabilities(path, block)
    else:
        write_snapshots(path, {0: block})
    read = {
        "assignments": read_assignments,
        "probabilities": read_probabilities,
        "snapshots": read_snapshots,
    }[kind]
    whole = path.read_bytes()
    for size in range(0, len(whole), max(1, len(whole) // 40)):
        path.write_bytes(whole[:size])
        with pytest.raises(RecordError, match=f"^{path}: no "):
            read(path)
    path.unlink()
    with pytest.raises(RecordError, match=f"^{path}: missing"):
        read(path)


@given(
    block=arrays.arrays(
        np.float16,
        st.tuples(st.integers(1, 12), st.integers(1, 4), st.integers(1, 5)),
        elements=st.floats(0, 1, width=16),
    )
)
@settings(max_examples=40, deadline=None)
def test_probabilities_and_snapshots_come_back_by_sub_head(
    tmp_path_factory: pytest.TempPathFactory, block: np.ndarray
) -> None:
    folder = tmp_path_factory.getbasetemp()
    write_probabilities(folder / "p.parquet", block)
    read = read_probabilities(folder / "p.parquet")
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, block.swapaxes(0, 1))

    write_snapshots(folder / "s.parquet", {50: 1 - block, 0: block})
    snapshots = read_snapshots(folder / "s.parquet")
    assert list(snapshots) == [0, 50], "in the order of the steps"
    np.testing.assert_array_equal(snapshots[0], block.swapaxes(0, 1))
    np.testing.assert_array_equal(snapshots[50], (1 - block).swapaxes(0, 1))


def test_probabilities_are_plain_columns(tmp_path: Path) -> None:
    path = tmp_path / "probabilities.parquet"
    write_probabilities(path, np.array([[[0.25, 0.75]], [[1, 0]]], dtype=np.float16))
    table = pq.read_table(path)
    assert table.schema.field("probabilities").type == pa.list_(pa.float16())
    assert table.to_pydict() == {
        "index": [0, 1], "sub_head": [0, 0], "probabilities": [[0.25, 0.75], [1.0, 0.0]],
    }  # fmt: skip


def test_probabilities_of_uneven_length_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "probabilities.parquet"
    lists = pa.array([[0.5], [0.25, 0.75], [1.0, 0.0]], pa.list_(pa.float16()))
    pq.write_table(pa.table({"sub_head": [0, 0, 0], "probabilities": lists}), path)
    with pytest.raises(RecordError, match="no probabilities"):
        read_probabilities(path)


def test_arrays(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "step.npy"
    values = np.arange(24, dtype=np.float16).reshape(2, 3, 4)
    write_array(path, values)
    np.testing.assert_array_equal(read_array(path), values)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(RecordError, match=f"^{path}: no array"):
        read_array(path)
    path.unlink()
    with pytest.raises(RecordError, match=f"^{path}: missing"):
        read_array(path)


def test_the_same_content_is_the_same_bytes(tmp_path: Path) -> None:
    """Receipts compare hashes of these files between two runs of one seed."""
    block = np.random.default_rng(0).random((50, 2, 3)).astype(np.float16)
    for name in ("a", "b"):
        write_assignments(tmp_path / name / "1", {"last": block.argmax(2)}, np.arange(50))
        write_probabilities(tmp_path / name / "2", block)
        write_snapshots(tmp_path / name / "3", {0: block})
    for number in "123":
        assert (tmp_path / "a" / number).read_bytes() == (tmp_path / "b" / number).read_bytes()


def test_writing_imports_neither_pandas_nor_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import numpy as np\n"
        "from iic.records.assignments import write_assignments\n"
        "from iic.records.snapshots import write_snapshots\n"
        "place = Path(sys.argv[1])\n"
        "write_assignments(place / 'a', {'last': np.zeros((9, 2), np.uint8)}, np.arange(9))\n"
        "write_snapshots(place / 's', {0: np.zeros((9, 2, 3), np.float16)})\n"
        "print({'pandas', 'torch', 'sklearn'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "set()\n"


def test_history_is_one_object_a_line(tmp_path: Path) -> None:
    entries: list[dict[str, Any]] = [
        {"epoch": 0, "loss": None},
        {"epoch": 1, "loss": [-1.5], "accuracy": [90.0]},
    ]
    path = tmp_path / "history.jsonl"
    path.write_text(dump_history(entries))
    assert path.read_text().count("\n") == 2
    assert read_history(path) == entries
    with pytest.raises(ValueError, match="not JSON compliant"):
        dump_history([{"epoch": 1, "loss": float("inf")}])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "missing"),
        (b'{"epoch": 0}\n{"epoch": 1', "no JSON lines"),
        (b"\xff\n", "no JSON lines"),
        (b'{"epoch": 0}\n[]\n', "line 2: not an epoch"),
        (b'{"epoch": 0}\n{"loss": 1}\n', "line 2: not an epoch"),
        (b'{"epoch": 0}\n\n', "no JSON lines"),
    ],
)
def test_a_damaged_history_is_named(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "history.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecordError, match=f"^{path}: {says}"):
        read_history(path)


def test_a_folder_in_place_of_a_history(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be read: Is a directory"):
        read_history(tmp_path)


def test_paths_are_those_of_the_contract() -> None:
    run = RunPaths("mini", "digits/iic-corrected", 2)
    tail = "digits/iic-corrected/seed2"
    assert {
        "folder": f"results/mini/runs/{tail}",
        "receipt": f"results/mini/runs/{tail}/run.json",
        "evaluation": f"results/mini/runs/{tail}/evaluation.json",
        "history": f"results/mini/runs/{tail}/history.jsonl",
        "excerpt": f"results/mini/runs/{tail}/excerpt.safetensors",
        "assignments": f"results/mini/runs/{tail}/assignments.parquet",
        "artifacts": f"results/mini/artifacts/{tail}",
        "weights": f"results/mini/artifacts/{tail}/weights.safetensors",
        "probabilities": f"results/mini/artifacts/{tail}/probabilities.parquet",
        "snapshots": f"results/mini/artifacts/{tail}/snapshots.parquet",
        "scratch": f"scratch/mini/{tail}",
        "log": f"logs/mini/train/{tail}.log",
        "evaluation_log": f"logs/mini/evaluate/{tail}.log",
    } == {
        name: getattr(run, name).as_posix()
        for name in dir(run)
        if not name.startswith("_") and isinstance(getattr(run, name), Path)
    }
    assert paths.receipt_of(run.evaluation).as_posix().endswith("/evaluation.run.json")
    assert paths.raw_manifest("mnist").as_posix() == "data/raw/mnist/files.json"
    assert paths.prepared_manifest("mnist").as_posix() == "data/prepared/mnist/data.json"
    table, figure = paths.table("gpu", "table_1"), paths.figure("gpu", "figure_3")
    assert table.as_posix() == "results/gpu/tables/table_1.csv"
    assert figure.as_posix() == "results/gpu/figures/figure_3.svg"
    for output in (table, figure):
        stem = output.with_suffix("").as_posix()
        assert paths.sources_of(output).as_posix() == f"{stem}.sources.json"
        assert paths.receipt_of(output).as_posix() == f"{stem}.run.json"
    assert paths.audit_report("gpu").as_posix() == "results/gpu/audit.json"
    assert paths.partial_table("gpu", "t").as_posix() == "results/gpu/partial/t.csv"
    assert paths.data_log("prepare", "mnist").as_posix() == "logs/prepare/mnist.log"
