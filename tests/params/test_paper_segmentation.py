"""The segmentation experiments at the paper's values against docs/spec/segmentation.md#table-4.

What stands here was typed from those facts, on purpose a second time.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import pytest
import torch

from iic.methods import kmeans_colours
from iic.methods.deepcluster import maps as deepcluster_segmentation
from iic.methods.iic import maps as iic_segmentation
from iic.methods.iic import random_maps as random_cnn
from iic.methods.iic import star_maps as iic_star_segmentation
from iic.methods.patch_pairs import doersch, isola
from iic.methods.sift import method as sift
from iic.params.datasets import Dataset, load_catalogue
from iic.params.runs import load_plan
from iic.params.segmentation import SegmentationNetworkSettings
from iic.params.splits import image_count


class Segmentation(NamedTuple):
    """A line of the tables in docs/spec/segmentation.md#table-4 and below it."""

    n: int
    k_a: int | None
    k: int
    channels: int
    side: int
    learning_rate: float
    lam_a: float
    lam_b: float
    d: int
    jitter: tuple[float, float, float, float]
    sobel: bool
    passes: int
    steps: int
    images: int
    evaluated: int


COCO_JITTER, POTSDAM_JITTER = (0.4, 0.4, 0.4, 0.125), (0.1, 0.1, 0.1, 0.1)
COCO3 = Segmentation(
    120, 15, 3, 5, 128, 1e-4, 1.0, 1.5, 10, COCO_JITTER, True, 108, 306, 36_660, 36_660
)
POTSDAM3 = Segmentation(
    75, 24, 3, 4, 200, 1e-5, 1.0, 1.5, 10, POTSDAM_JITTER, False, 27, 114, 8_550, 5_400
)
TWO_HEADS = {
    "cocostuff3/iic": COCO3,  # 555
    "cocostuff3/iic-lam_1": COCO3._replace(lam_b=1.0, passes=47),  # 714
    "cocostuff15/iic": COCO3._replace(  # 512
        n=60, k_a=45, k=15, lam_b=1.0, passes=28, steps=864, images=51_804, evaluated=51_804
    ),
    "potsdam3/iic": POTSDAM3,  # 545
    "potsdam3/iic-lam_1": POTSDAM3._replace(lam_b=1.0, passes=40),  # 711
    "potsdam6/iic": POTSDAM3._replace(  # 544
        n=60, k_a=36, k=6, learning_rate=1e-6, lam_b=1.0, d=5, passes=20, steps=143
    ),
}
STAR = {
    "cocostuff3/iic_star": COCO3._replace(  # 496
        n=180, k=15, steps=196, images=35_228, evaluated=1_432
    ),
    "cocostuff15/iic_star": COCO3._replace(  # 521
        n=90, k=45, passes=28, steps=552, images=49_629, evaluated=2_175
    ),
    "potsdam3/iic_star": POTSDAM3._replace(k=9, steps=103, images=7_695, evaluated=855),  # 482
    "potsdam6/iic_star": POTSDAM3._replace(  # 487
        n=60, k=24, passes=20, steps=129, images=7_695, evaluated=855
    ),
}
# images of a chunk that DataParallel sends to a GPU: of the commands' visible GPUs
CHUNKS = {
    "cocostuff3/iic": (30, 30, 30, 30),
    "cocostuff15/iic": (15, 15, 15, 15),
    "potsdam3/iic": (38, 37),
    "potsdam6/iic": (15, 15, 15, 15),
    "cocostuff3/iic-lam_1": (30, 30, 30, 30),
    "potsdam3/iic-lam_1": (38, 37),
    "cocostuff3/iic_star": (45, 45, 45, 45),
    "cocostuff15/iic_star": (23, 23, 23, 21),
    "potsdam3/iic_star": (38, 37),
    "potsdam6/iic_star": (30, 30),
}
CLASSES = {"cocostuff3": 3, "cocostuff15": 15, "potsdam3": 3, "potsdam6": 6}


@pytest.fixture(scope="module")
def catalogue() -> dict[str, Dataset]:
    return load_catalogue()


def settings_of(run: str, model: type[Any]) -> Any:
    settings = load_plan("mini").definitions[run].settings
    assert isinstance(settings, model)
    return settings


def check_common(settings: Any, expected: Segmentation, run: str) -> None:
    network, transforms = settings.network, settings.augmentation
    assert (network.family, network.channels) == ("C", (64, 128, 256, 512))
    assert (network.in_channels, network.head_padding) == (expected.channels, 1)
    assert network.input_size == transforms.input_size == expected.side
    assert network.batchnorm_running_statistics is True
    strengths = ("brightness", "contrast", "saturation", "hue")
    assert tuple(getattr(transforms, strength) for strength in strengths) == expected.jitter
    assert (transforms.sobel, transforms.flip_probability) == (expected.sobel, 0.5)
    coco = run.startswith("cocostuff")
    assert transforms.channel_order == ("bgr" if coco else "rgb")
    assert (settings.pairs.batch_pairs, settings.pairs.repeats) == (expected.n, 1)
    assert settings.pairs.order == "shuffled"
    assert settings.sub_heads == 1
    shifts = settings.shifts
    assert (shifts.half_side, shifts.expectation) == (expected.d, "outside")
    assert (shifts.sparse_min, shifts.sparse_max) == (0, 0)
    adam = settings.optimiser
    assert (adam.learning_rate, adam.beta1, adam.beta2, adam.epsilon) == (
        expected.learning_rate,
        0.9,
        0.999,
        1e-8,
    )
    assert settings.schedule.epochs == expected.passes
    assert settings.schedule.double_evaluation is False
    maps = settings.maps
    assert maps.unlabelled_as_sky is run.startswith("cocostuff3")
    assert (maps.training_mask, maps.evaluation_area) == (coco, "centre")


@pytest.mark.parametrize("run", CHUNKS)
def test_batchnorm_normalises_what_a_gpu_had(run: str) -> None:
    settings = load_plan("mini").definitions[run].settings
    batch = torch.zeros(settings.pairs.batch_pairs)
    chunks = batch.chunk(settings.network.batchnorm_parts)
    assert tuple(len(chunk) for chunk in chunks) == CHUNKS[run]


def of_one_gpu(network: SegmentationNetworkSettings) -> SegmentationNetworkSettings:
    """The network of methods of which nobody knows on how many GPUs they ran."""
    return network.model_copy(update={"batchnorm_parts": 1})


@pytest.mark.parametrize("run", TWO_HEADS)
def test_two_heads(catalogue: dict[str, Dataset], run: str) -> None:
    settings, expected = settings_of(run, iic_segmentation.Settings), TWO_HEADS[run]
    dataset = catalogue[run.split("/")[0]]
    check_common(settings, expected, run)
    a, b = settings.head_a, settings.head_b
    assert (a.k, b.k, a.lam, b.lam) == (expected.k_a, expected.k, expected.lam_a, expected.lam_b)
    assert (a.passes, b.passes) == (1, 1)
    later = run.endswith("lam_1")
    assert settings.heads_per_epoch == ("both" if later else "one")
    assert settings.head_order == ("B first" if later else "A first")
    for head in (a, b):
        images = image_count(head.splits, dataset)
        assert (images, math.ceil(images / expected.n)) == (expected.images, expected.steps)
    evaluation = settings.evaluation
    assert evaluation.matching == "one_to_one" and evaluation.mapping == evaluation.test
    assert image_count(evaluation.test, dataset) == expected.evaluated


@pytest.mark.parametrize("run", STAR)
def test_overclustering(catalogue: dict[str, Dataset], run: str) -> None:
    settings, expected = settings_of(run, iic_star_segmentation.Settings), STAR[run]
    dataset = catalogue[run.split("/")[0]]
    check_common(settings, expected._replace(lam_b=1.0), run)
    assert (settings.head.k, settings.head.lam, settings.head.passes) == (expected.k, 1.0, 1)
    images = image_count(settings.head.splits, dataset)
    assert (images, math.ceil(images / expected.n)) == (expected.images, expected.steps)
    evaluation = settings.evaluation
    assert evaluation.matching == "many_to_one"
    mapped = "train" if run.startswith("cocostuff") else "labelled_train"
    assert evaluation.mapping == (mapped,)
    assert image_count(evaluation.test, dataset) == expected.evaluated


@pytest.mark.parametrize("dataset", CLASSES)
def test_untrained_and_colours(dataset: str) -> None:
    """Both are scored like the trained network of the same column."""
    trained = settings_of(f"{dataset}/iic", iic_segmentation.Settings)
    untrained = settings_of(f"{dataset}/random", random_cnn.Settings)
    colours = settings_of(f"{dataset}/kmeans", kmeans_colours.Settings)
    assert (
        untrained.network == of_one_gpu(trained.network)
        and untrained.augmentation == trained.augmentation
    )
    assert untrained.k == colours.k == CLASSES[dataset]
    assert colours.input_size == trained.network.input_size
    assert colours.samples == (50_000_000 if dataset.startswith("cocostuff") else 10_000_000)
    for settings in (untrained, colours):
        assert settings.maps == trained.maps and settings.evaluation == trained.evaluation


@pytest.mark.parametrize("dataset", CLASSES)
def test_descriptors_and_deepcluster(dataset: str) -> None:
    """SIFT on the same crops; DeepCluster on the same crops, base and transforms, 10 k clusters."""
    trained = settings_of(f"{dataset}/iic", iic_segmentation.Settings)
    descriptors = settings_of(f"{dataset}/sift", sift.Settings)
    deepcluster = settings_of(f"{dataset}/deepcluster", deepcluster_segmentation.Settings)
    assert descriptors.input_size == trained.network.input_size
    assert deepcluster.network == of_one_gpu(trained.network)
    assert deepcluster.augmentation == trained.augmentation
    for settings in (descriptors, deepcluster):
        assert settings.k == CLASSES[dataset] and settings.splits == ()
        assert settings.maps == trained.maps and settings.evaluation == trained.evaluation
    assert deepcluster.clusters == 10 * CLASSES[dataset]
    assert deepcluster.batch_images == trained.pairs.batch_pairs
    samples = 50_000_000 if dataset.startswith("cocostuff") else 10_000_000
    assert deepcluster.samples == deepcluster.evaluation_clusters.samples == samples
    assert deepcluster.evaluation_clusters.feature_sampling == "uniform"
    assert deepcluster.components == 256 and deepcluster.network.channels[-1] == 512
    momentum = deepcluster.optimiser
    assert (momentum.learning_rate, momentum.momentum, momentum.weight_decay) == (0.05, 0.9, 1e-5)


@pytest.mark.parametrize("dataset", CLASSES)
def test_what_is_corrected(dataset: str) -> None:
    published = settings_of(f"{dataset}/iic", iic_segmentation.Settings).model_dump()
    corrected = settings_of(f"{dataset}/iic-corrected", iic_segmentation.Settings).model_dump()
    changed = {
        "network": {"head_padding": 0, "batchnorm_parts": 1},
        "augmentation": {"channel_order": "rgb"},
        "maps": {"unlabelled_as_sky": False, "evaluation_area": "whole"},
    }
    for part, values in changed.items():
        published[part] |= values
    assert corrected == published


@pytest.mark.parametrize("dataset", CLASSES)
@pytest.mark.parametrize("name", ["doersch", "isola"])
def test_pairs_of_patches(dataset: str, name: str) -> None:
    """As docs/spec/baselines.md#patch-pairs, on crops, base and transforms of IIC's column."""
    trained = settings_of(f"{dataset}/iic", iic_segmentation.Settings)
    model = {"doersch": doersch.Settings, "isola": isola.Settings}[name]
    settings = settings_of(f"{dataset}/{name}", model)
    assert settings.network == of_one_gpu(trained.network)
    assert settings.augmentation == trained.augmentation
    assert settings.maps == trained.maps and settings.evaluation == trained.evaluation
    assert settings.batch_images == trained.pairs.batch_pairs and settings.splits == ()
    assert settings.k == CLASSES[dataset]
    assert (settings.patches.side, settings.patches.shared_place) == (11, True)
    head = settings.patch_head
    assert (head.branch_channels, head.hidden, head.dropout) == (1024, 1024, 0.5)
    adam = settings.optimiser
    assert adam == trained.optimiser  # each released command gives a rate; these are not known
    assert settings.schedule.epochs == 30
    clusters = settings.evaluation_clusters
    assert clusters.feature_sampling == "released"
    assert clusters.samples == (50_000_000 if dataset.startswith("cocostuff") else 10_000_000)
    if name == "doersch":
        assert (settings.outputs, settings.colour_dropping) == (9, True)
    else:
        assert (settings.outputs, settings.positive) == (1, 0.5)


@pytest.mark.parametrize("dataset", CLASSES)
@pytest.mark.parametrize("name", ["doersch", "isola"])
def test_what_is_corrected_of_pairs_of_patches(dataset: str, name: str) -> None:
    model = {"doersch": doersch.Settings, "isola": isola.Settings}[name]
    published = settings_of(f"{dataset}/{name}", model).model_dump()
    corrected = settings_of(f"{dataset}/{name}-corrected", model).model_dump()
    changed = {
        "patches": {"shared_place": False},
        "evaluation_clusters": {"feature_sampling": "uniform"},
        "augmentation": {"channel_order": "rgb"},
        "maps": {"unlabelled_as_sky": False, "evaluation_area": "whole"},
    }
    for part, values in changed.items():
        published[part] |= values
    if name == "doersch":
        published["directions"] = 8
    assert corrected == published
