"""The loaded settings of scale paper against docs/spec/images.md#table-1 and its other tables.

What stands here was typed from those facts, on purpose a second time.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from iic.methods import kmeans
from iic.methods.adc import machine as adc_machine
from iic.methods.deep_infomax import method as deep_infomax
from iic.methods.exemplar import machine as exemplar_machine
from iic.methods.exemplar import method as exemplar
from iic.methods.finetune import method as finetune
from iic.methods.iic import method as iic
from iic.methods.iic import random_network
from iic.methods.iic import star as iic_star
from iic.methods.spectral import method as spectral
from iic.methods.wide_residual import cutout, scattering
from iic.params.runs import Plan, load_plan
from iic.params.splits import image_count

EVERYTHING: tuple[str, ...] = ()
LABELLED = ("train", "test")


class Clustering(NamedTuple):
    """A line of the table in docs/spec/images.md#table-1."""

    family: str
    channels: int
    n: int
    r: int
    originals: int
    k_a: int
    k_b: int
    input_size: int
    order: str
    passes: tuple[int, int]
    """Of head A, of head B."""
    tracked: bool
    double: bool
    flag: int
    real: int
    steps: tuple[int, int]
    """In each epoch, for head A, for head B."""
    head_a: tuple[str, ...] = EVERYTHING
    head_b: tuple[str, ...] = EVERYTHING


STL10 = Clustering(
    "A", 2, 700, 5, 140, 70, 10, 64, "A first", (1, 1), True, True, 2000, 388, (808, 93),
    ("train", "unlabeled", "test"), LABELLED,
)  # fmt: skip
CLUSTERINGS = {
    "stl10/iic": STL10,
    "stl10/iic-run570": STL10._replace(
        order="B first", passes=(1, 2), real=606, steps=(808, 2 * 93)
    ),
    "cifar10/iic": Clustering(
        "A", 2, 660, 3, 220, 70, 10, 32, "A first", (1, 2), False, False, 2000, 1446, (273, 2 * 273)
    ),
    "cifar100_20/iic": Clustering(
        "A", 2, 1000, 5, 200, 140, 20, 32, "B first", (1, 1), True, False, 2000, 1050, (300, 300)
    ),
    "mnist/iic": Clustering(
        "B", 1, 700, 5, 140, 50, 10, 24, "B first", (1, 2), False, False, 3200, 462, (500, 2 * 500)
    ),
    # Table 2
    "stl10/iic-no_overclustering": STL10._replace(k_a=10),
    "stl10/iic-one_sub_head": STL10,
    "stl10/iic-no_repeats": STL10._replace(r=1, originals=700, steps=(162, 19)),
    "stl10/iic-no_unlabelled": STL10._replace(head_a=LABELLED, steps=(93, 93)),
}


@pytest.fixture(scope="module")
def paper() -> Plan:
    return load_plan("paper")


def settings_of(paper: Plan, run: str, model: type[Any]) -> Any:
    settings = paper.run(run).settings
    assert isinstance(settings, model)
    return settings


def steps(paper: Plan, run: str, splits: tuple[str, ...], batch: int) -> int:
    """Optimiser steps of one pass; the last batch may be smaller."""
    dataset = paper.datasets[run.split("/")[0]]
    return math.ceil(image_count(splits, dataset) / batch)


@pytest.mark.parametrize("run", CLUSTERINGS)
def test_clustering(paper: Plan, run: str) -> None:
    settings, expected = settings_of(paper, run, iic.Settings), CLUSTERINGS[run]
    network, pairs = settings.network, settings.pairs
    assert (network.family, network.in_channels) == (expected.family, expected.channels)
    assert network.input_size == settings.augmentation.input_size == expected.input_size
    assert network.stage_channels == (64, 128, 256, 512)
    assert network.batchnorm_running_statistics is expected.tracked
    if expected.family == "A":
        assert network.stage_blocks == (3, 4, 6, 3)
    assert (pairs.batch_pairs, pairs.repeats) == (expected.n, expected.r)
    assert pairs.batch_images == expected.originals
    assert pairs.order == ("interleaved" if run.startswith("stl10") else "dataset")
    a, b = settings.head_a, settings.head_b
    assert (a.k, b.k) == (expected.k_a, expected.k_b)
    assert (a.lam, b.lam) == (1.0, 1.0)
    assert (a.passes, b.passes) == expected.passes
    assert settings.head_order == expected.order
    assert (a.splits, b.splits) == (expected.head_a, expected.head_b)
    assert settings.sub_heads == (1 if "one_sub_head" in run else 5)
    assert settings.overclustering_head is (run != "mnist/iic")
    schedule = settings.schedule
    assert (schedule.published_epochs, schedule.epochs) == (expected.flag, expected.real)
    assert schedule.double_evaluation is expected.double
    assert (schedule.evaluation_batch, schedule.evaluate_every) == (expected.n, 1)
    assert schedule.max_steps is None
    counted = tuple(
        head.passes * steps(paper, run, head.splits, pairs.batch_images) for head in (a, b)
    )
    assert counted == expected.steps
    adam = settings.optimiser
    assert (adam.learning_rate, adam.beta1, adam.beta2, adam.epsilon) == (1e-4, 0.9, 0.999, 1e-8)
    assert settings.compute.precision == "float32"
    evaluation = settings.evaluation
    assert evaluation.matching == "one_to_one" and evaluation.mapping == evaluation.test
    dataset = paper.datasets[run.split("/")[0]]
    labelled = dataset.count - dataset.splits.get("unlabeled", 0)
    assert image_count(evaluation.test, dataset) == labelled
    assert labelled == {"stl10": 13_000, "mnist": 70_000}.get(run.split("/")[0], 60_000)


def test_epochs_are_those_after_which_the_logs_end(paper: Plan) -> None:
    """Epoch 0 of a log is the untrained network, and no training."""
    with Path("params/published/learning_curves.csv").open(encoding="utf-8") as file:
        rows = [(row["run"], int(row["epoch"])) for row in csv.DictReader(file)]
    ends = {run: max(epoch for name, epoch in rows if name == run) for run, _ in rows}
    assert ends == {run: paper.run(run).settings.schedule.epochs for run in ends}
    assert len(ends) == 11
    # heads take turns: the log of pass 108 ends on head B, of pass 27 on head A
    columns = ("cocostuff3", "cocostuff15", "potsdam3", "potsdam6")
    assert [ends[f"{column}/iic"] % 2 for column in columns] == [0, 0, 1, 0]


def test_what_is_corrected(paper: Plan) -> None:
    """IIC on MNIST alone, its head A; elsewhere the released code does what the paper says."""
    corrected = [run for run in paper.definitions if run.endswith("-corrected")]
    segmented = [
        f"{dataset}/{method}-corrected"
        for dataset in ("cocostuff3", "cocostuff15", "potsdam3", "potsdam6")
        for method in ("iic", "doersch", "isola")
    ]
    bounded = [
        f"{dataset}/triplets-corrected" for dataset in ("stl10", "cifar10", "cifar100_20", "mnist")
    ]
    assert sorted(corrected) == sorted(
        ["mnist/iic-corrected", "stl10/finetune-corrected", *segmented, *bounded]
    )
    base, other = (paper.run(f"mnist/{name}").settings_json for name in ("iic", "iic-corrected"))
    assert base["overclustering_head"] is False
    assert {**base, "overclustering_head": True, "schedule": other["schedule"]} == other


class Overclustering(NamedTuple):
    """A line of the table in docs/spec/images.md#overclustering."""

    family: str
    channels: int
    n: int
    r: int
    originals: int
    k: tuple[int, int, int, int]
    """For 100, 50, 25 and 12.5 % of the largest."""
    input_size: int
    steps: int
    labels: int
    test: int
    splits: tuple[str, ...] = ("train",)


OVERCLUSTERINGS = {
    "stl10": Overclustering(
        "A", 2, 1400, 5, 280, (140, 70, 35, 18), 64, 375, 5_000, 8_000, ("train", "unlabeled")
    ),
    "cifar10": Overclustering("A", 2, 1320, 3, 440, (140, 70, 35, 18), 32, 114, 50_000, 10_000),
    "cifar100_20": Overclustering("B", 5, 2800, 5, 560, (280, 140, 70, 35), 24, 90, 50_000, 10_000),
    # no command; n is our choice
    "cifar100": Overclustering(
        "B", 5, 5000, 5, 1000, (1000, 500, 250, 125), 24, 50, 50_000, 10_000
    ),
    "mnist": Overclustering("B", 1, 350, 5, 70, (100, 50, 25, 13), 24, 858, 60_000, 10_000),
}
SHARES = ("pct100", "pct50", "pct25", "pct12_5")
FRACTIONS = (1.0, 0.5, 0.25, 0.1, 0.01)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("dataset", OVERCLUSTERINGS)
def test_overclustering(paper: Plan, dataset: str, share: str) -> None:
    run = f"{dataset}/iic_star-{share}"
    settings, expected = settings_of(paper, run, iic_star.Settings), OVERCLUSTERINGS[dataset]
    assert settings.head.k == expected.k[SHARES.index(share)]
    # the smaller k are a half, a quarter, an eighth of the largest, rounded up
    assert settings.head.k == math.ceil(expected.k[0] / 2 ** SHARES.index(share))
    check_overclustering(paper, run, settings, expected)
    # the epochs that were really run are unknown: as many as in Table 1
    table_1 = "cifar100_20" if dataset == "cifar100" else dataset
    assert settings.schedule.epochs == CLUSTERINGS[f"{table_1}/iic"].real
    assert settings.schedule.published_epochs == (None if dataset == "cifar100" else 3200)


def test_features_for_finetuning(paper: Plan) -> None:
    run = "stl10/iic_star-features"
    settings = settings_of(paper, run, iic_star.Settings)
    assert settings.head.k == 70
    expected = OVERCLUSTERINGS["stl10"]._replace(n=700, originals=140, steps=750)
    check_overclustering(paper, run, settings, expected)


def check_overclustering(
    paper: Plan, run: str, settings: iic_star.Settings, expected: Overclustering
) -> None:
    network, pairs = settings.network, settings.pairs
    assert (network.family, network.in_channels) == (expected.family, expected.channels)
    assert network.input_size == settings.augmentation.input_size == expected.input_size
    assert network.batchnorm_running_statistics
    assert (pairs.batch_pairs, pairs.repeats) == (expected.n, expected.r)
    assert pairs.batch_images == expected.originals
    assert pairs.order == ("interleaved" if "unlabeled" in expected.splits else "dataset")
    assert settings.head.splits == expected.splits
    assert (settings.head.lam, settings.head.passes, settings.sub_heads) == (1.0, 1, 5)
    assert steps(paper, run, expected.splits, pairs.batch_images) == expected.steps
    assert settings.optimiser.learning_rate == 1e-4
    assert settings.schedule.evaluation_batch == expected.n
    assert not settings.schedule.double_evaluation
    evaluation = settings.evaluation
    assert (evaluation.matching, evaluation.mapping) == ("many_to_one", ("train",))
    assert (evaluation.test, evaluation.label_fractions) == (("test",), FRACTIONS)
    dataset = paper.datasets[run.split("/")[0]]
    assert image_count(evaluation.mapping, dataset) == expected.labels
    assert image_count(evaluation.test, dataset) == expected.test


def test_transforms(paper: Plan) -> None:
    for run in paper.runs.values():
        g: Any = getattr(run.settings, "augmentation", None)
        # see test_paper_segmentation.py, and the released transforms below
        if g is None or g.kind in ("segmentation", "warp"):
            continue
        assert (g.brightness, g.contrast) == (0.4, 0.4)
        if run.dataset == "mnist":
            fast = run.name == "iic-fast"  # a recipe of our own
            crops = (24, (20, 24, 28)) if fast else (20, (16, 20, 24))
            assert (g.kind, g.crop, g.crops, g.centre_probability) == ("grey", *crops, 0.5)
            assert (g.affine is not None) == fast
            assert (g.rotation_degrees, g.rotation_probability) == (25.0, 0.5)
            continue
        assert (g.kind, g.crop) == ("colour", 64 if run.dataset == "stl10" else 20)
        assert (g.saturation, g.hue, g.flip_probability, g.sobel) == (0.4, 0.125, 0.5, True)
        rgb = run.dataset.startswith("cifar100") and run.name.startswith("iic_star")
        assert g.channels == ("rgb+grey" if rgb else "grey")
        if run.name.startswith(("finetune", "supervised")):
            assert g.affine is not None and g.cutout is not None
            assert (g.affine.probability, g.affine.rotation_degrees) == (0.5, 18.0)
            assert (g.affine.scale, g.affine.translate) == ((0.9, 1.1), 0.1)
            assert g.affine.shear_degrees == 10.0
            assert (g.cutout.probability, g.cutout.side) == (0.5, (12, 44))
        else:
            assert g.affine is None and g.cutout is None


def test_transforms_of_dac_and_adc(paper: Plan) -> None:
    """docs/spec/baselines.md#dac and #adc: rotation, magnification, shift, brightness, noise."""
    released = {
        "stl10/dac": (96, 10, (0.95, 1.05), 0.1, 0.05, 0),
        "mnist/dac": (28, 10, (0.95, 1.05), 0.1, 0.05, 0),
        "cifar10/dac": (32, 20, (0.85, 1.15), 0.18, 0.1, 0),
        "cifar100_20/dac": (32, 20, (0.85, 1.15), 0.18, 0.1, 0),
        "stl10/adc": (64, 15, (1.0, 1.5), 0.16, 0.65, 0.025),
        "cifar10/adc": (32, 10, (1.0, 1.25), 0.1, 0.25, 0.025),
        "cifar100_20/adc": (32, 10, (1.0, 1.25), 0.1, 0.25, 0.025),
        "mnist/adc": (28, 15, (1.0, 1.25), 0.1, 0.25, 0.025),
    }  # fmt: skip
    warped = {
        run.id
        for run in paper.runs.values()
        if getattr(getattr(run.settings, "augmentation", None), "kind", "") == "warp"
    }
    same_crop = {"stl10/dac-all_samples", "cifar10/dac-all_samples", "stl10/adc_machine"}
    assert warped == {*released, *same_crop}
    for name, values in released.items():
        g: Any = getattr(paper.run(name).settings, "augmentation", None)
        colour = not name.startswith("mnist")
        assert (g.kind, g.image_channels, g.input_size) == ("warp", 3 if colour else 1, g.crop)
        assert (
            g.crop, g.affine.rotation_degrees, g.affine.scale, g.affine.translate, g.shift, g.noise
        ) == values, name  # fmt: skip
        assert (g.affine.probability, g.affine.shear_degrees) == (1.0, 0.0)
        assert g.flip_probability == (0.5 if colour else 0.0)
        assert bool(g.hue) == (colour and name.endswith("adc"))


def test_classifiers_of_table_3(paper: Plan) -> None:
    """docs/spec/baselines.md#cutout, #scattering-hybrid, #deep-infomax and #exemplar-cnn."""
    cut = settings_of(paper, "stl10/cutout", cutout.Settings)
    hybrid = settings_of(paper, "stl10/scattering", scattering.Settings)
    both = (cut, hybrid)
    assert [(one.batch_images, one.shift, one.square) for one in both] == [
        (128, 12, 32),
        (32, 8, 0),
    ]
    assert [one.surroundings for one in both] == ["black", "mirrored"]
    for one, epochs, milestones, nesterov in (
        (cut, 1000, (300, 400, 600, 800), True),
        (hybrid, 5000, (1500, 2000, 3000, 4000), False),
    ):
        rate = one.schedule.learning_rate
        assert (one.schedule.epochs, rate.milestones, rate.decay) == (epochs, milestones, 0.2)
        own = one.optimiser
        assert (own.learning_rate, own.momentum, own.weight_decay) == (0.1, 0.9, 5e-4)
        assert own.nesterov == nesterov and one.flip_probability == 0.5
    network = cut.classifier
    assert (network.stem, network.widths, network.blocks) == (16, (128, 256, 512), 2)
    network = hybrid.classifier
    assert (network.stem, network.widths, network.blocks) == (256, (256, 512), 2)
    assert network.scattering is not None and network.scattering.coefficients == 81
    adc = settings_of(paper, "stl10/adc_machine", adc_machine.Settings)
    assert (adc.machine.kernel, adc.machine.gamma, adc.machine.penalties) == ("rbf", "auto", (1.0,))
    dim = settings_of(paper, "stl10/deep_infomax-features", deep_infomax.Settings)
    assert (dim.batch_images, dim.units, dim.optimiser.learning_rate) == (64, 2048, 1e-4)
    assert dim.encoder.channels == (96, 192, 384, 384, 192)
    patches = settings_of(paper, "stl10/exemplar-features", exemplar.Settings)
    steps_of_all = 83 * patches.exemplars * patches.copies // patches.batch_images
    assert steps_of_all == pytest.approx(1.56e6, rel=0.003)
    first = patches.schedule.learning_rate.milestones[0]
    assert first * 16_000 * 150 // 128 == 1_200_000
    own = patches.optimiser
    assert (own.learning_rate, own.momentum, own.weight_decay) == (0.01, 0.9, 0.004)
    last = own.learning_rate * patches.schedule.learning_rate.factor(0, 82, 1)
    assert last == pytest.approx(1e-4, rel=0.01)
    machine = settings_of(paper, "stl10/exemplar-fold3", exemplar_machine.Settings).machine
    assert (machine.kernel, machine.standardised, len(machine.penalties)) == ("linear", True, 7)


def test_finetuning(paper: Plan) -> None:
    settings = settings_of(paper, "stl10/finetune", finetune.Settings)
    assert (settings.start_from, settings.checkpoint) == ("iic_star-features", "best_label")
    assert (settings.splits, settings.fold, settings.batch_images) == (("train",), None, 700)
    assert steps(paper, "stl10/finetune", settings.splits, settings.batch_images) == 8
    assert (settings.features, settings.head, settings.hidden) == ("penultimate", "two_layer", 2048)
    assert (settings.trunk_learning_rate, settings.head_learning_rate) == (1e-4, 1e-3)
    assert settings.ten_crop
    assert (settings.schedule.epochs, settings.schedule.published_epochs) == (8000, 8000)
    evaluation = settings.evaluation
    assert (evaluation.matching, evaluation.mapping) == ("identity", ("test",))
    assert evaluation.test == ("test",)
    base = settings.model_dump()
    changes = {
        "finetune-corrected": {"features": "pooled", "head": "linear", "checkpoint": "last"},
        "supervised": {"start_from": None},
        "finetune-fold9": {"fold": 9},
    }
    for name, change in changes.items():
        assert paper.run(f"stl10/{name}").settings.model_dump() == {**base, **change}


@pytest.mark.parametrize("dataset", ["stl10", "cifar10", "cifar100_20", "mnist"])
def test_untrained_network_k_means_and_spectral_clustering(paper: Plan, dataset: str) -> None:
    clusters = settings_of(paper, f"{dataset}/kmeans", kmeans.Settings)
    untrained = settings_of(paper, f"{dataset}/random", random_network.Settings)
    trained = settings_of(paper, f"{dataset}/iic", iic.Settings)
    assert (untrained.network, untrained.augmentation) == (trained.network, trained.augmentation)
    assert untrained.evaluation_batch == trained.schedule.evaluation_batch
    assert (untrained.pairs.batch_pairs, untrained.pairs.repeats, untrained.sub_heads) == (
        trained.pairs.batch_pairs,
        trained.pairs.repeats,
        5,
    )
    assert clusters.k == untrained.k == trained.head_b.k
    assert clusters.evaluation == untrained.evaluation == trained.evaluation
    graph = settings_of(paper, f"{dataset}/spectral", spectral.Settings)
    assert (graph.k, graph.evaluation) == (clusters.k, clusters.evaluation)
    assert (graph.restarts, graph.max_iterations) == (clusters.restarts, clusters.max_iterations)
    assert graph.neighbours == 20


VARIANT = {
    "first": 0.99, "chunk_images": 1000, "chunk_epochs": 10, "error": "entropy", "own_weight": 10.0,
}  # fmt: skip


def test_further_ablations_change_one_thing(paper: Plan) -> None:
    one_thing: dict[str, dict[str, Any]] = {
        "stl10/iic-lam_1_25": {"head_a": {"lam": 1.25}, "head_b": {"lam": 1.25}},
        "stl10/iic-lam_1_5": {"head_a": {"lam": 1.5}, "head_b": {"lam": 1.5}},
        "stl10/iic-sub_heads_2": {"sub_heads": 2},
        "stl10/iic-sub_heads_10": {"sub_heads": 10},
        "stl10/iic-repeats_2": {"pairs": {"repeats": 2}},
        "stl10/iic-repeats_4": {"pairs": {"repeats": 4}},
        "stl10/iic-auxiliary_20": {"head_a": {"k": 20}},
        "stl10/iic-auxiliary_35": {"head_a": {"k": 35}},
        "stl10/iic-auxiliary_140": {"head_a": {"k": 140}},
        "stl10/iic-no_double_evaluation": {"schedule": {"double_evaluation": False}},
        "cifar10/iic-running_statistics": {"network": {"batchnorm_running_statistics": True}},
        "cifar10/iic-shuffled": {"pairs": {"order": "shuffled"}},
        "stl10/triplets-rate_of_script": {"optimiser": {"learning_rate": 0.01}},
        "cifar10/triplets-rate_of_script": {"optimiser": {"learning_rate": 0.01}},
        "cifar10/triplets-running_statistics": {"network": {"batchnorm_running_statistics": True}},
        "stl10/sparse_ae-sigmoid_code": {"penalised": "code"},
        "cifar10/sparse_ae-sigmoid_code": {"penalised": "code"},
        # the released variant with its own epochs
        "stl10/dac-all_samples": {
            "all_samples": VARIANT | {"last": 0.5},
            "schedule": {"epochs": 75, "evaluate_every": 130},
        },
        "cifar10/dac-all_samples": {
            "all_samples": VARIANT | {"last": 0.75},
            "schedule": {"epochs": 50, "evaluate_every": 600},
        },
    }
    runs = [run for run in paper.table_runs("further_ablations") if run.name != "iic"]
    assert {run.id for run in runs} == set(one_thing)
    for run in runs:
        full = run.id.split("-")[0]
        expected = paper.definitions[full].settings.model_dump()
        for key, value in one_thing[run.id].items():
            both = {**(expected[key] or {}), **value} if isinstance(value, dict) else value
            expected[key] = both
        assert paper.definitions[run.id].settings.model_dump() == expected
