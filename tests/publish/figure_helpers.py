"""Results of a clustering that is partly right, on images that show their class."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from iic.evaluate.selection import Checkpoint, evaluate
from iic.params.datasets import Dataset
from iic.params.evaluation import EvaluationSettings
from iic.params.experiments import Figure
from iic.params.method import MethodSettings
from iic.params.runs import Plan
from iic.records.assignments import write_assignments
from iic.records.evaluation import (
    Evaluation,
    FractionScores,
    FractionSelection,
    SelectionName,
)
from iic.records.files import sha256_bytes, write_record
from iic.records.paths import RunPaths, receipt_of
from iic.records.prepared import PreparedManifest
from iic.records.snapshots import write_probabilities
from tests.publish.publish_helpers import dataset, make_plan, receipt

CLASSES = (
    "airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck",
)  # fmt: skip
SPLITS = {"train": 60, "test": 90, "unlabeled": 20}
STAR = EvaluationSettings(matching="many_to_one", mapping=("train",), test=("test",))
PAPER_K = {
    "stl10": {"100": 140, "50": 70, "25": 35, "12_5": 18},
    "cifar10": {"100": 140, "50": 70, "25": 35, "12_5": 18},
    "mnist": {"100": 100, "50": 50, "25": 25, "12_5": 13},
}
MODULES = {
    "figure_1": ("clusters", ("stl10/iic",)),
    "figure_5": ("probabilities", ("stl10/iic",)),
    "supp_figure_1": ("examples", ("stl10/iic",)),
    "supp_figure_2": ("examples", ("stl10/iic_star-pct100",)),
    "figure_6": (
        "overclustering",
        tuple(f"{name}/iic_star-pct{share}" for name, all_k in PAPER_K.items() for share in all_k),
    ),
}


def entry(name: str, classes: tuple[str, ...] = CLASSES) -> Dataset:
    """A catalogue entry with splits as STL-10 has them."""
    return dataset(name).model_copy(update={"classes": classes, "splits": SPLITS})


def figures_plan(
    *,
    stand_in: bool = False,
    classes: tuple[str, ...] = CLASSES,
    seeds: tuple[int, ...] = (0,),
    without: tuple[str, ...] = (),
) -> Plan:
    """A plan with the figures of this module; `without` are runs that the scale lacks."""
    datasets = {name: f"{name}_standin" if stand_in else name for name in PAPER_K}
    figures = {
        name: Figure(
            title=name,
            caption="",
            module=f"iic.publish.figures.{module}",
            runs=runs,
            seeds="all" if name == "figure_6" else "first",
            main=("mnist/iic_star-pct25",) if name == "figure_6" else (),
            datasets={"stl10": "STL10", "cifar10": "CIFAR10", "mnist": "MNIST"},
        )
        for name, (module, runs) in MODULES.items()
    }
    wanted = dict.fromkeys(run for figure in figures.values() for run in figure.runs)
    named = {
        f"{datasets[run.split('/')[0]]}/{run.split('/')[1]}": run.split("/")[0]
        for run in wanted
        if run not in without
    }
    plan = make_plan(
        real=not stand_in, datasets=datasets, runs=dict.fromkeys(named, seeds), figures=figures
    )
    runs = {
        name: replace(
            plan.runs[name],
            paper_dataset=paper,
            settings=MethodSettings(evaluation=STAR if "star" in name else EvaluationSettings()),
        )
        for name, paper in named.items()
    }
    entries = {name: entry(name, classes) for name in datasets.values()}
    return replace(plan, runs=runs, datasets=entries)


def images(number: int, classes: int, side: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Colour images (N, 3, side, side) of a bar that turns with the class, and the classes."""
    random = np.random.default_rng(5)
    labels = np.arange(number) % classes
    rows, columns = np.mgrid[:side, :side] / (side - 1) - 0.5
    angle = np.pi * labels / classes
    across = rows * np.cos(angle)[:, None, None] + columns * np.sin(angle)[:, None, None]
    shade = np.clip(1 - 6 * np.abs(across), 0, 1)
    tint = 0.3 + 0.7 * np.random.default_rng(1).random((classes, 3))[labels]
    ground = 0.15 + 0.25 * random.random((number, 3))
    pixels = ground[:, :, None, None] + shade[:, None] * tint[:, :, None, None]
    return (255 * np.clip(pixels, 0, 1)).astype(np.uint8), labels.astype(np.int64)


def write_dataset(root: Path, name: str, classes: tuple[str, ...] = CLASSES) -> None:
    """Prepared images in the three splits, the last of them without labels."""
    pixels, labels = images(sum(SPLITS.values()), len(classes))
    labels[-SPLITS["unlabeled"] :] = -1
    folder = root / "data/prepared" / name
    folder.mkdir(parents=True)
    records = {}
    for kind, array in {"images": pixels, "labels": labels}.items():
        np.save(folder / f"{kind}.npy", array)
        content = (folder / f"{kind}.npy").read_bytes()
        records[kind] = {
            "path": f"data/prepared/{name}/{kind}.npy",
            "sha256": sha256_bytes(content),
            "size": len(content),
            "shape": array.shape,
        }
    stops = np.cumsum([0, *SPLITS.values()]).tolist()
    manifest = PreparedManifest.model_validate(
        {
            "dataset": name,
            "stand_in": name.endswith("_standin"),
            "image": dict(zip(("channels", "height", "width"), pixels.shape[1:], strict=True)),
            "count": len(pixels),
            "classes": classes,
            "splits": tuple(
                {"name": split, "start": start, "stop": stop}
                for split, start, stop in zip(SPLITS, stops, stops[1:], strict=False)
            ),
            **records,
        }
    )
    write_record(folder / "data.json", manifest)


def predictions(labels: np.ndarray, k: int, classes: int, heads: int = 2) -> np.ndarray:
    """Probabilities (n, heads, k) float16: two in three rightly, on shuffled clusters.

    Cluster c belongs to class ``(c + 3) % classes`` in sub-head 1, the one of lower loss, and to
    class ``c % classes`` in sub-head 0.
    """
    random = np.random.default_rng(8)
    n = len(labels)
    wrong = random.random((n, heads)) < 0.34
    guess = np.where(wrong, random.integers(classes, size=(n, heads)), labels[:, None])
    cluster = (guess - 3 * np.arange(heads)) % classes
    copies = random.integers(k // classes, size=(n, heads))
    logits = random.normal(size=(n, heads, k))
    np.put_along_axis(
        logits, (cluster + classes * copies)[:, :, None], 3.5 + random.random((n, heads, 1)), axis=2
    )
    z = np.exp(logits)
    return (z / z.sum(axis=2, keepdims=True)).astype(np.float16)


def write_run(root: Path, plan: Plan, run: str, seed: int = 0, k: int | None = None) -> None:
    """Assignments, probabilities, evaluation and receipts of one seed of a run."""
    chosen = plan.runs[run]
    classes = len(plan.datasets[chosen.dataset].classes)
    k = k or classes
    paths = RunPaths("tiny", run, seed)
    labelled = SPLITS["train"] + SPLITS["test"]
    labels = np.arange(labelled) % classes
    z = predictions(labels, k, classes)
    clusters = z.argmax(axis=2)
    rows = np.arange(labelled)
    star = chosen.settings.evaluation.matching == "many_to_one"
    evaluation = evaluate(
        {"last": Checkpoint(9, clusters.astype(np.int64), np.array([-1.0, -2.0]))},
        labels,
        k_clusters=k,
        k_classes=classes,
        matching=chosen.settings.evaluation.matching,
        mapping_rows=rows < SPLITS["train"] if star else None,
        scoring_rows=rows >= SPLITS["train"] if star else None,
    )
    write_assignments(root / paths.assignments, {"last": clusters}, labels, rows)
    write_probabilities(root / paths.probabilities, z, rows)
    write_record(root / paths.evaluation, evaluation)
    _receipts(root, paths)


def write_fractions(
    root: Path,
    run: str,
    seed: int,
    k: int,
    curve: dict[float, tuple[float, float | None]],
) -> None:
    """An overclustering run's evaluation: accuracy and deviation over draws, by share of labels."""
    accuracy = curve[1.0][0] if curve else 50.0
    labels = np.zeros(10, dtype=np.int64)
    base = evaluate(
        {"last": Checkpoint(9, labels[:, None], None)},
        labels,
        k_clusters=k,
        k_classes=10,
        matching="many_to_one",
    )
    names: tuple[SelectionName, ...] = ("label_free", "mean_head")
    selections = dict(base.selections)
    for name in names:
        selections[name] = selections[name].model_copy(update={"acc": accuracy})
    fractions = [
        FractionScores(
            fraction=fraction,
            labels=10,
            draws=1 if std is None else 10,
            class_balanced=False,
            selections={
                "label_free": FractionSelection(acc=mean, acc_std=std),
                "mean_head": FractionSelection(acc=mean - 1, acc_std=std),
                "as_published": None,
                "as_published_mean": None,
            },
        )
        for fraction, (mean, std) in curve.items()
    ]
    paths = RunPaths("tiny", run, seed)
    evaluation = Evaluation.model_validate(
        base.model_dump() | {"fractions": fractions, "selections": selections}
    )
    write_record(root / paths.evaluation, evaluation)
    _receipts(root, paths)


def _receipts(root: Path, paths: RunPaths) -> None:
    names = {"run": paths.run, "seed": str(paths.seed)}
    write_record(root / paths.receipt, receipt("train", names))
    write_record(root / receipt_of(paths.evaluation), receipt("evaluate", names))
