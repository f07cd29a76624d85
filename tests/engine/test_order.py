"""Which images each head is trained on, and in which order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from iic.data.in_memory import in_memory
from iic.engine.order import interleaved, training_order
from iic.methods.iic.task import ClusteringTask
from iic.params.training import PairSettings
from tests.engine import tiny

SPLITS = {"train": 4, "unlabeled": 10, "test": 3}


def data(splits: dict[str, int] = SPLITS) -> object:
    number = sum(splits.values())
    return in_memory(np.zeros((number, 1, 2, 2), np.uint8), np.zeros(number, np.int64), 4, splits)


def test_stl10_is_interleaved_as_the_released_code_does() -> None:
    mixed = interleaved(np.arange(5000), np.arange(5000, 105000))
    assert len(mixed) == 105000 and len(np.unique(mixed)) == 105000
    assert mixed[:2].tolist() == [0, 5000] and mixed[20:23].tolist() == [5019, 1, 5020]
    assert mixed[-1] == 104999


def test_what_does_not_fit_evenly_comes_last() -> None:
    assert interleaved(np.arange(3), np.arange(10, 17)).tolist() == [
        0,
        10,
        11,
        1,
        12,
        13,
        2,
        14,
        15,
        16,
    ]


@pytest.mark.parametrize(
    ("splits", "order", "expected"),
    [
        ((), "dataset", list(range(17))),
        ((), "interleaved", list(range(17))),
        (("train", "test"), "interleaved", [0, 1, 2, 3, 14, 15, 16]),
        (("test", "train"), "dataset", [14, 15, 16, 0, 1, 2, 3]),
        (("train", "unlabeled"), "dataset", list(range(14))),
        (
            ("train", "unlabeled", "test"),
            "interleaved",
            [0, 4, 5, 1, 6, 7, 2, 8, 9, 3, 10, 11, 12, 13, 14, 15, 16],
        ),
    ],
)
def test_order_of_an_unshuffled_pass(
    splits: tuple[str, ...], order: str, expected: list[int]
) -> None:
    pairs = PairSettings.model_validate({"order": order})
    assert training_order(data(), splits, pairs).tolist() == expected  # type: ignore[arg-type]


def make_task(tmp_path: Path, **changes: object) -> ClusteringTask:
    run = tiny.context(
        tmp_path,
        number=40,
        splits={"train": 12, "unlabeled": 20, "test": 8},
        pairs={"batch_pairs": 12, "repeats": 3, **changes},  # 4 distinct images a batch
        head_a={"passes": 1, "splits": ["train", "unlabeled"]},
        head_b={"passes": 1, "splits": ["train"]},
        head_order="A first",
        evaluation={"mapping": ["train"], "test": ["test"]},
        schedule={"evaluation_batch": 7},
    )
    return ClusteringTask(run, torch.device("cpu"))


def test_each_head_passes_over_its_own_images(tmp_path: Path) -> None:
    task = make_task(tmp_path)
    assert [task.steps(head) for head in task.passes_of(0)] == [8, 3]
    assert torch.cat(task.order(0, 0)).tolist() == list(range(32))
    assert torch.cat(task.order(0, 1)).tolist() == list(range(12))


def test_shuffled_passes_stay_inside_the_heads_images(tmp_path: Path) -> None:
    task = make_task(tmp_path, order="shuffled")
    first, second = torch.cat(task.order(0, 1)), torch.cat(task.order(1, 1))
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(12))
    assert first.tolist() != second.tolist()


def test_only_evaluated_images_get_predictions(tmp_path: Path) -> None:
    task = make_task(tmp_path)
    assert task.context.protocol.images.tolist() == [*range(12), *range(32, 40)]
    assert task.predict().clusters.shape == (20, 2)


def test_images_that_no_head_and_no_score_needs_are_not_held(tmp_path: Path) -> None:
    task = make_task(tmp_path)
    images = task.context.data.images
    expected = torch.tensor([33, 0, 39])
    np.testing.assert_array_equal(task.store.batch(expected).numpy(), images[expected.numpy()])
    run = tiny.context(
        tmp_path,
        splits={"train": 12, "rest": 28},
        head_b={"splits": ["train"]},
        overclustering_head=False,
        evaluation={"mapping": ["train"], "test": ["train"]},
    )
    assert len(ClusteringTask(run, torch.device("cpu")).store._images) == 12
