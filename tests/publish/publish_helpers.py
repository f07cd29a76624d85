"""Small results trees, written through the record models."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from iic.evaluate.selection import select
from iic.params.datasets import Dataset, ImageShape
from iic.params.experiments import Column, Figure, Listing, Row, Table
from iic.params.method import MethodSettings
from iic.params.runs import Plan, Run
from iic.params.scales import Scale
from iic.records.evaluation import (
    CheckpointScores,
    Evaluation,
    FractionScores,
    FractionSelection,
    SubHeadScores,
)
from iic.records.files import sha256_bytes, write_record
from iic.records.paths import RunPaths, receipt_of
from iic.records.prepared import ImagesRecord, LabelsRecord, PreparedManifest, Split
from iic.records.receipt import Code, Environment, Fingerprint, Receipt, Timing

HASH = sha256_bytes(b"")
FIRST_DAY = datetime(2020, 1, 1, tzinfo=UTC)

TABLE = Table(
    name="table_1",
    title="Unsupervised image clustering",
    caption="Accuracy in percent.",
    columns=(Column(paper="STL10", dataset="stl10"), Column(paper="MNIST", dataset="mnist")),
    rows=(
        Row(row="K-means", run="kmeans", method="iic.methods.kmeans"),
        Row(row="JULE", status="not_run", reason="not implemented yet"),
        Row(row="IIC", run="iic", method="iic.methods.iic.method", selections=("as_published",)),
        Row(row="IIC avg", run="iic", selections=("as_published_mean", "mean_head")),
        Row(row="IIC", run="iic-corrected", like="iic", fidelity="corrected"),
    ),
)
PUBLISHED = """row,column,value,std,mark,source
K-means,STL10,19.2,,†,Table 1
K-means,MNIST,57.2,,†,Table 1
JULE,MNIST,96.4,,*,Table 1
IIC,STL10,59.6,,,Table 1
IIC,MNIST,99.2,,,Table 1
IIC avg,MNIST,98.4,0.652,,Table 1
"""
MARKS = """table,mark,place,meaning
table_1,†,row,based on k-means
table_1,*,number,run by the authors
"""
TOLERANCES = "dataset,tolerance,kind\nmnist,1.0,MNIST\nstl10,2.0,other clustering\n"


def dataset(name: str) -> Dataset:
    """A dataset of ten classes."""
    return Dataset.model_validate(
        {
            "title": f"Title of {name}",
            "description": "Images.",
            "module": "iic.data.digits",
            "classes": tuple("0123456789"),
            "image": {"channels": 1, "height": 8, "width": 8},
            "splits": {"all": 60},
            "stand_in": name.endswith("_standin"),
            "licence": "CC0",
            "citation": "@misc{x}",
            "page": "https://example.org",
            "files": (
                {"name": "a", "size": 1, "sha256": HASH, "embedded": {"package": "a", "path": "b"}},
            ),
        }
    )


def make_plan(
    *,
    real: bool = True,
    datasets: dict[str, str] | None = None,
    runs: dict[str, tuple[int, ...]] | None = None,
    skip: tuple[str, ...] = (),
    notes: dict[str, str] | None = None,
    table: Table = TABLE,
    figures: dict[str, Figure] | None = None,
    listings: dict[str, Listing] | None = None,
) -> Plan:
    """A plan with the table above; `runs` are ``<dataset>/<run>`` with their seeds."""
    datasets = {"mnist": "mnist"} if datasets is None else datasets
    if runs is None:
        runs = {"mnist/kmeans": (0, 1, 2), "mnist/iic": (0, 1, 2), "mnist/iic-corrected": (0,)}
    notes, figures, listings = notes or {}, figures or {}, listings or {}
    scale = Scale(
        name="tiny",
        description="A scale for tests.",
        machine="one core",
        real=real,
        datasets=datasets,
        tables=(table.name,),
        figures=tuple(figures),
        listings=tuple(listings),
        skip=skip,
        skip_reason="too long here" if skip else None,
        seeds={"default": (0,)},
        notes=notes,
    )
    return Plan(
        scale=scale,
        datasets={name: dataset(name) for name in datasets.values()},
        runs={
            name: Run(
                scale="tiny",
                id=name,
                dataset=name.split("/")[0],
                paper_dataset="mnist",
                method="iic.methods.iic.method",
                settings=MethodSettings(),
                seeds=seeds,
                fidelity="as_published",
                note=notes.get(name),
            )
            for name, seeds in runs.items()
        },
        tables={table.name: table},
        figures=figures,
        listings=listings,
    )


def write_published(
    root: Path,
    *,
    numbers: str = PUBLISHED,
    marks: str = MARKS,
    tolerances: str = TOLERANCES,
    table: str = "table_1",
) -> None:
    """The three files of ``params/published``, and no references."""
    folder = root / "params/published"
    folder.mkdir(parents=True, exist_ok=True)
    (root / "params/references.bib").write_text("% none\n", encoding="utf-8")
    for name, text in {table: numbers, "marks": marks, "tolerances": tolerances}.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")


def write_evaluation(
    root: Path,
    run: str,
    seed: int,
    last: list[float],
    best: list[float] | None = None,
    losses: list[float] | None = None,
    fractions: dict[float, tuple[float, float | None]] | None = None,
    miou: list[float] | None = None,
) -> None:
    """An evaluation of these accuracies per sub-head, and its receipt.

    `fractions` are the accuracy and its spread over draws at each share of the labels, the same
    for all selections; `miou` are mean IoUs per sub-head, the same at all checkpoints.
    """

    def scores(epoch: int, accuracies: list[float]) -> CheckpointScores:
        drawn = losses or [float(position) for position in range(len(accuracies))]
        unions = miou or [None] * len(accuracies)
        heads = [
            SubHeadScores(
                acc=acc, nmi=50.0, ari=40.0, loss=loss, mapping=list(range(10)), miou=union
            )
            for acc, loss, union in zip(accuracies, drawn, unions, strict=True)
        ]
        return CheckpointScores(epoch=epoch, sub_heads=heads)

    checkpoints = {"last": scores(9, last)}
    if best is not None:
        checkpoints["best_label"] = scores(5, best)
    evaluation = Evaluation(
        matching="one_to_one",
        k_clusters=10,
        k_classes=10,
        n_mapping=60,
        n_scoring=60,
        checkpoints=checkpoints,
        selections=select(checkpoints),
        fractions=[
            FractionScores(
                fraction=fraction,
                labels=max(1, int(60 * fraction)),
                draws=1 if std is None else 10,
                class_balanced=False,
                selections=dict.fromkeys(
                    select(checkpoints), FractionSelection(acc=acc, acc_std=std)
                ),
            )
            for fraction, (acc, std) in (fractions or {}).items()
        ],
    )
    path = root / RunPaths("tiny", run, seed).evaluation
    write_record(path, evaluation)
    write_record(receipt_of(path), receipt("evaluate", {"run": run, "seed": str(seed)}))


def write_history(root: Path, run: str, seed: int, epochs: list[dict[str, object]]) -> None:
    """A history and the training's receipt."""
    paths = RunPaths("tiny", run, seed)
    (root / paths.folder).mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(epoch) + "\n" for epoch in epochs)
    (root / paths.history).write_text(text, encoding="utf-8")
    write_record(root / paths.receipt, receipt("train", {"run": run, "seed": str(seed)}))


def receipt(rule: str, wildcards: dict[str, str]) -> Receipt:
    """A receipt with the least that one can have."""
    return Receipt(
        rule=rule,
        wildcards=wildcards,
        command=["iic", rule],
        fingerprint=Fingerprint(value=HASH, code={}, settings={}, data={}),
        settings_sha256=HASH,
        inputs=[],
        outputs=[],
        parents=[],
        code=Code(commit=None, dirty=None),
        environment=Environment(
            lock="absent",
            python="3.11",
            packages={},
            platform="linux",
            cpu="cpu",
            cpu_count=1,
            threads=1,
            memory_bytes=1,
        ),
        timing=Timing(start=FIRST_DAY, end=FIRST_DAY, seconds=0.0, peak_memory_bytes=1),
    )


def digits_like(number: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 1, 28, 28) uint8 whose brightness pattern tells their label, and the labels."""
    labels = np.arange(number) % 10
    images = np.zeros((number, 1, 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[0, 4:24, 4 + 2 * label : 7 + 2 * label] = 255
    return images, labels.astype(np.int64)


def write_prepared(root: Path, name: str, images: np.ndarray, labels: np.ndarray) -> None:
    """A prepared dataset."""
    folder = root / "data/prepared" / name
    folder.mkdir(parents=True)
    records = {}
    for kind, array in {"images": images, "labels": labels}.items():
        np.save(folder / f"{kind}.npy", array)
        content = (folder / f"{kind}.npy").read_bytes()
        records[kind] = {
            "path": f"data/prepared/{name}/{kind}.npy",
            "sha256": sha256_bytes(content),
            "size": len(content),
            "shape": array.shape,
        }
    manifest = PreparedManifest(
        dataset=name,
        stand_in=False,
        image=ImageShape(channels=1, height=28, width=28),
        count=len(images),
        classes=tuple("0123456789"),
        splits=(Split(name="all", start=0, stop=len(images)),),
        images=ImagesRecord(**records["images"]),
        labels=LabelsRecord(**records["labels"]),
    )
    write_record(folder / "data.json", manifest)


def progression(labels: np.ndarray, steps: tuple[int, ...]) -> dict[int, np.ndarray]:
    """Predictions (N, 2, 10) float16 that go from uniform to certain; sub-head 1 is the better.

    Cluster c of sub-head 1 is class 9 - c; sub-head 0 mixes the classes 0 and 1 up.
    """
    random = np.random.default_rng(0)
    target = np.stack([np.where(labels < 2, 0, labels), 9 - labels], axis=1)
    one_hot = np.eye(10)[target]
    noise = random.normal(size=one_hot.shape)
    blocks = {}
    for position, step in enumerate(steps):
        logits = position**1.5 * (1.6 * one_hot + 0.45 * noise)
        z = np.exp(logits - logits.max(axis=2, keepdims=True))
        blocks[step] = (z / z.sum(axis=2, keepdims=True)).astype(np.float16)
    return blocks
