"""Results of segmentations that are partly right, on small scenes and on tiles of aerial images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from iic.data.maps import IGNORED, UNLABELLED
from iic.evaluate.run import evaluate_run
from iic.params.datasets import Dataset, ImageShape, LabelMaps
from iic.params.evaluation import EvaluationSettings
from iic.params.experiments import Figure
from iic.params.method import MethodSettings
from iic.params.runs import Plan
from iic.params.segmentation import MapSettings, SegmentationNetworkSettings
from iic.records.counts import write_counts
from iic.records.files import sha256_bytes, write_record
from iic.records.maps import write_maps
from iic.records.paths import RunPaths, receipt_of
from iic.records.prepared import ImagesRecord, Split
from iic.records.prepared_maps import LabelMapsRecord, MapManifest
from tests.publish.publish_helpers import dataset, make_plan, receipt

SIDE = 24
"""Of the network's input, and of a tile."""
TILES = 2
OUTDOOR = ("sky", "plant", "ground")
AERIAL = ("roads_cars", "buildings_clutter", "vegetation")
CLASSES = {"cocostuff3": OUTDOOR, "potsdam3": AERIAL}
SPLITS = {
    "cocostuff3": {"train": 9, "val": 7},
    "potsdam3": {"unlabelled_train": 4, "labelled_train": 5, "labelled_test": 3},
}
CANVAS = {"cocostuff3": (3, 32, 40), "potsdam3": (4, SIDE, SIDE)}
LABELLED = ("labelled_train", "labelled_test")
FIGURES = {
    "figure_1": ("clusters", ("stl10/iic", "potsdam3/iic")),
    "figure_7": (
        "comparison",
        ("cocostuff3/iic", "cocostuff3/iic_star", "potsdam3/iic", "potsdam3/iic_star"),
    ),
    "supp_figure_3": ("side_by_side", ("cocostuff3/iic",)),
    "supp_figure_4": ("side_by_side", ("cocostuff3/iic_star",)),
    "border_artefact": ("borders", ("potsdam3/iic", "potsdam3/iic-corrected")),
}


class Settings(MethodSettings):
    """As much of a segmentation's settings as a figure reads."""

    network: SegmentationNetworkSettings
    maps: MapSettings
    heads_per_epoch: str = "one"


def entry(name: str) -> Dataset:
    """A catalogue entry: ``cocostuff3`` or ``potsdam3``, or the stand-in of one of them."""
    paper = name.removesuffix("_standin")
    channels, height, width = CANVAS[paper]
    tiles = TILES if paper == "potsdam3" else None
    return dataset(name).model_copy(
        update={
            "classes": CLASSES[paper],
            "splits": SPLITS[paper],
            "image": ImageShape(channels=channels, height=height, width=width),
            "maps": LabelMaps(scale=0.5, least_side=SIDE, tiles=tiles),
        }
    )


def settings(run: str) -> Settings:
    """Settings of ``<dataset>/<run>``, as the paper has them."""
    name, method = run.split("/")
    coco, star = name.startswith("coco"), "star" in method
    evaluation = EvaluationSettings(mapping=LABELLED, test=LABELLED)
    if coco:
        evaluation = EvaluationSettings()
    if star:
        mapping, test = (("train",), ("val",)) if coco else (LABELLED[:1], LABELLED[1:])
        evaluation = EvaluationSettings(matching="many_to_one", mapping=mapping, test=test)
    return Settings(
        evaluation=evaluation,
        network=SegmentationNetworkSettings(
            input_size=SIDE,
            in_channels=5 if coco else 4,
            head_padding=0 if "corrected" in method else 1,
        ),
        maps=MapSettings(unlabelled_as_sky=coco and "corrected" not in method),
    )


def maps_plan(
    *,
    stand_in: bool = False,
    without: Sequence[str] = (),
    figures: dict[str, tuple[str, tuple[str, ...]]] | None = None,
) -> Plan:
    """A plan with the figures of segmentations; `without` are runs that the scale lacks."""
    displays = {
        name: Figure(
            title=name,
            caption="",
            module=f"iic.publish.figures.{module}",
            methods={"iic": "IIC", "iic_star": "IIC*"},
            runs=runs,
        )
        for name, (module, runs) in (figures or FIGURES).items()
    }
    places = {name: f"{name}_standin" if stand_in else name for name in CLASSES}
    wanted = dict.fromkeys(run for figure in displays.values() for run in figure.runs)
    papers = {
        f"{places[run.split('/')[0]]}/{run.split('/')[1]}": run.split("/")[0]
        for run in wanted
        if run not in without and run.split("/")[0] in places
    }
    plan = make_plan(
        real=not stand_in, datasets=places, runs=dict.fromkeys(papers, (0,)), figures=displays
    )
    runs = {
        name: replace(plan.runs[name], paper_dataset=paper, settings=settings(name))
        for name, paper in papers.items()
    }
    return replace(plan, runs=runs, datasets={name: entry(name) for name in places.values()})


def scenes(name: str) -> tuple[np.ndarray, np.ndarray, list[tuple[int, int]], list[str]]:
    """Images (N, C, H, W), labels (N, H, W), sizes and names of a dataset."""
    paper = name.removesuffix("_standin")
    channels, height, width = CANVAS[paper]
    number = sum(SPLITS[paper].values())
    random = np.random.default_rng(7)
    images = np.zeros((number, channels, height, width), dtype=np.uint8)
    labels = np.full((number, height, width), IGNORED, dtype=np.uint8)
    sizes, names = [], []
    rows, columns = np.mgrid[:height, :width]
    for image in range(number):
        coco = paper == "cocostuff3"
        size = (
            (SIDE + 2 * (image % 5), min(width, SIDE + 3 * (image % 6)))
            if coco
            else (height, width)
        )
        edge = size[0] // 3 + image % 4 + columns // 5
        classes = np.where(rows < edge, 0, np.where(rows < edge + 7, 1, 2))
        if coco:
            # a person, of no class, and a patch that nobody labelled
            classes[-12:-4, 10:15] = IGNORED
            classes[4:8, 2:6] = UNLABELLED
        if not coco:
            classes = np.where((columns + 3 * image) % 11 < 4, classes.T, classes)
        inside = (rows < size[0]) & (columns < size[1])
        shades = np.array([[60, 140, 220, 90], [40, 120, 50, 220], [140, 120, 90, 60]])
        colour = shades[np.minimum(classes, 2)][..., :channels] + random.integers(
            -25, 26, size=(height, width, channels)
        )
        images[image] = np.where(inside, np.clip(colour, 1, 255).transpose(2, 0, 1), 0)
        labels[image] = np.where(inside, classes, IGNORED)
        sizes.append(size)
        if coco:
            names.append(f"{'train' if image < SPLITS[paper]['train'] else 'val'}2017/{image:012}")
    if paper == "potsdam3":
        labels[: SPLITS[paper]["unlabelled_train"]] = UNLABELLED
        # the labelled tiles of two sources are divided at random, those without labels are not
        order = [0, 1, 2, 3, 0, 3, 1, 6, 5, 2, 4, 7]
        names = [
            f"top_{'u' if row < 4 else 'ab'[tile // 4]}/{tile % 4:03}"
            for row, tile in enumerate(order)
        ]
    return images, labels, sizes, names


def write_scenes(root: Path, name: str) -> None:
    """A prepared dataset for segmentation."""
    paper = name.removesuffix("_standin")
    images, labels, sizes, names = scenes(name)
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
    stops = np.cumsum([0, *SPLITS[paper].values()]).tolist()
    chosen = entry(name)
    assert chosen.maps is not None
    write_record(
        folder / "data.json",
        MapManifest(
            dataset=name,
            stand_in=chosen.stand_in,
            image=chosen.image,
            count=len(images),
            classes=chosen.classes,
            splits=tuple(
                Split(name=split, start=start, stop=stop)
                for split, start, stop in zip(SPLITS[paper], stops, stops[1:], strict=False)
            ),
            maps=chosen.maps,
            images=ImagesRecord(**records["images"]),
            labels=LabelMapsRecord(**records["labels"]),
            names=tuple(names),
            sizes=tuple(sizes),
            empty=tuple(np.flatnonzero((labels >= len(chosen.classes)).all(axis=(1, 2))).tolist()),
        ),
    )


def central(name: str, index: int) -> tuple[slice, slice]:
    """The central crop of an image, in the canvas."""
    height, width = scenes(name)[2][index]
    top, left = (height - SIDE) // 2, (width - SIDE) // 2
    return slice(top, top + SIDE), slice(left, left + SIDE)


def probabilities(truth: np.ndarray, k: int, classes: int, padding: int) -> np.ndarray:
    """Maps (1, k, S, S) float16: three in four pixels right, cluster c being class c + 1.

    With `padding` the outermost pixels are uniform, as the padded network's are.
    """
    random = np.random.default_rng(int(truth.sum()) + k)
    guess = np.where(
        random.random(truth.shape) < 0.25, random.integers(classes, size=truth.shape), truth
    )
    cluster = (guess.astype(np.int64) % classes - 1) % classes
    cluster += classes * random.integers(k // classes, size=truth.shape)
    logits = random.normal(size=(k, *truth.shape))
    np.put_along_axis(logits, cluster[None], 4.0, axis=0)
    if padding:
        logits[:, [0, -1], :] = 0
        logits[:, :, [0, -1]] = 0
    z = np.exp(logits)
    return (z / z.sum(axis=0))[None].astype(np.float16)


def write_segmentation(
    root: Path, plan: Plan, run: str, *, k: int = 3, examples: Sequence[int] | None = None
) -> None:
    """Counts, maps, evaluation and receipts of one seed of a run.

    Args:
        root: Root of the clone.
        plan: As `maps_plan` makes it.
        run: ``<dataset>/<run>``, prepared by `write_scenes`.
        k: Clusters.
        examples: Images whose maps are kept; by default all that are evaluated.
    """
    chosen = plan.runs[run]
    own = chosen.settings
    assert isinstance(own, Settings)
    labels = scenes(chosen.dataset)[1]
    paper = chosen.dataset.removesuffix("_standin")
    classes = len(CLASSES[paper])
    stops = np.cumsum([0, *SPLITS[paper].values()]).tolist()
    places = dict(zip(SPLITS[paper], pairwise(stops), strict=True))
    wanted = {*own.evaluation.mapping, *own.evaluation.test} or set(places)
    evaluated = [
        index
        for split, (start, stop) in places.items()
        if split in wanted
        for index in range(start, stop)
    ]
    counts = np.zeros((len(evaluated), 1, k, classes), dtype=np.int32)
    kept = {}
    for row, index in enumerate(evaluated):
        truth = labels[index][central(chosen.dataset, index)].astype(np.int64)
        if own.maps.unlabelled_as_sky:
            truth[truth == UNLABELLED] = 0
        z = probabilities(truth, k, classes, own.network.head_padding)
        # the first of equal clusters, as torch and numpy have it
        clusters = z[0].argmax(axis=0)
        scored = truth < classes
        np.add.at(counts[row, 0], (clusters[scored], truth[scored]), 1)
        if examples is None or index in examples:
            kept[index] = z
    paths = RunPaths("tiny", run, 0)
    write_counts(root / paths.assignments, {"last": counts}, np.array(evaluated))
    write_maps(root / paths.probabilities, np.stack([*kept.values()]), np.array([*kept]))
    outcome = {
        "k_clusters": k, "k_classes": classes, "steps": 5,
        "checkpoints": {"last": {"epoch": 9, "losses": None}},
    }  # fmt: skip
    names = {"run": paths.run, "seed": "0"}
    write_record(
        root / paths.receipt, receipt("train", names).model_copy(update={"outcome": outcome})
    )
    evaluation = evaluate_run(paths, own.evaluation, plan.datasets[chosen.dataset], root)
    write_record(root / paths.evaluation, evaluation)
    write_record(root / receipt_of(paths.evaluation), receipt("evaluate", names))


def write_all(root: Path, plan: Plan) -> None:
    """The data and all runs of a plan; IIC* with three clusters a class."""
    for name in plan.datasets:
        write_scenes(root, name)
    for run in plan.runs:
        write_segmentation(root, plan, run, k=9 if "star" in run else 3)
