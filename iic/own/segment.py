"""``iic fit --task segment``: from images to a model that gives every pixel a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iic.data.load_maps import PreparedMaps
from iic.methods.iic.maps import Settings as MapSettings
from iic.own import model as files
from iic.own.answers import DIGITS, alignment, answers
from iic.own.choice import save_choice, with_time
from iic.own.errors import OwnDataError
from iic.own.findings import stability
from iic.own.map_network import MapNetwork, areas_of
from iic.own.map_training import (
    SMALLEST_SIDE,
    MapChoice,
    OwnMapTask,
    choose_maps,
    map_context,
    prepared_maps,
    train_maps,
)
from iic.own.model import FitRequest, OwnModel
from iic.own.reading import Images, Progress
from iic.own.rivals import kmeans_on_points, silhouette
from iic.own.training import Clock, step_seconds, timed, trained
from iic.own.writing import Fitted, Found, write_model
from iic.provenance.machine import usable_processors
from iic.records.files import atomic_file, sha256_json, write_bytes

MOST_K = 255
"""A label image has a byte for a pixel."""
SHOWN = 12
"""Images on the page."""
COMPARED = 60
"""Images on whose pixels seeds, sub-heads and k-means are compared, evenly spaced."""
STEP = 3
"""Of these images every third pixel of every third row."""
RIVAL = "k-means on colours"


def check_map_request(request: FitRequest) -> None:
    """Check what is asked for of a segmentation.

    Raises:
        OwnDataError: More clusters than a label image can hold, or what only groups can have.
    """
    if request.k > MOST_K:
        raise OwnDataError(f"--task segment: --k {request.k}\n  allowed: 2 to {MOST_K}")
    side = request.wishes.side
    if side is not None and side < SMALLEST_SIDE:
        raise OwnDataError(
            f"--task segment: --size {side}: less than the network sees\n"
            f"  allowed: {SMALLEST_SIDE} or more"
        )
    for option in ("settings", "features", "backbone", "umap"):
        if getattr(request, option):
            raise OwnDataError(f"--task segment sees pixels: leave --{option} out")


def fit_maps(
    request: FitRequest,
    out: Path,
    images: Images,
    work: Path,
    seconds: dict[str, float],
    live: bool | None,
    clock: Clock,
) -> OwnModel:
    """Train on images (n, 3, S, S), or go on, and write the model."""
    data = prepared_maps(images.pixels, images.names)
    steps: dict[str, float] = {}
    with timed(seconds, "measuring"):
        choice = _chosen(request, images, data, work, steps, clock)
        save_choice(out / files.CHOICE, choice)
    with timed(seconds, "training"):
        runs = []
        for seed in choice.seeds:
            own = choice.settings.model_dump(mode="json")
            fingerprint = sha256_json([metadata.version("iic"), images.digest, own, seed])
            context = map_context(data, choice.settings, seed, work, fingerprint, live)
            runs.append(trained(context, work, train_maps))
    return write_maps(out, Fitted(request, choice, images, runs, seconds, steps))


def _chosen(
    request: FitRequest,
    images: Images,
    data: PreparedMaps,
    work: Path,
    steps: dict[str, float],
    clock: Clock,
) -> MapChoice:
    """The choice of a fit that was stopped, or a new one, its length by a measured step."""
    kept = work / "choice.json"
    if kept.exists():
        return MapChoice.model_validate_json(kept.read_bytes())
    wishes, side = request.wishes, images.pixels.shape[2]
    threads = usable_processors()
    settings = choose_maps(len(images.names), side, request.k, wishes, threads)
    seeds = tuple(range(wishes.seeds or 2))
    probe = map_context(data, settings, seeds[0], work, "", False)
    steps[settings.compute.precision] = seconds = step_seconds(probe, OwnMapTask, clock, "A")
    if wishes.epochs is None:
        budget = 60 * request.minutes / len(seeds)
        settings = with_time(settings, len(images.names), seconds, budget)
    choice = MapChoice(side=side, seeds=seeds, settings=settings)
    write_bytes(kept, choice.model_dump_json().encode())
    return choice


def write_maps(out: Path, fitted: Fitted) -> OwnModel:
    """Let the best training segment all images, and write everything."""
    with timed(fitted.seconds, "finishing"):
        found = _segmented(out, fitted)
    return write_model(out, fitted, found)


def _segmented(out: Path, fitted: Fitted) -> Found:
    images, runs, best = fitted.images, fitted.runs, fitted.best
    settings, sub_head, k = fitted.choice.settings, runs[best].sub_head, fitted.request.k
    assert isinstance(settings, MapSettings)
    networks = [MapNetwork(settings, own.tensors) for own in runs]
    pixels = images.pixels[_spread(len(images.names), COMPARED)]
    points = pixels[:, :, ::STEP, ::STEP].transpose(0, 2, 3, 1).reshape(-1, 3)
    by_network = [_sampled(network, pixels) for network in networks]
    aligned = alignment(by_network[best], sub_head)
    said = answers(by_network[best], sub_head, aligned)
    by_seed = np.stack(
        [own[:, run.sub_head].argmax(axis=1) for own, run in zip(by_network, runs, strict=True)],
        axis=1,
    )
    rival = kmeans_on_points(points, k, settings.threads, 255.0)
    table = areas_table(networks[best], sub_head, images.names, images.pixels)
    _write_examples(out / files.EXAMPLES, networks[best], sub_head, images)
    return Found(
        table.assign(sha256=images.digests),
        aligned,
        stability(by_seed, float(said.agreement.mean())),
        {"IIC": silhouette(points, said.clusters), RIVAL: silhouette(points, rival)},
        RIVAL,
        networks[best].tensors,
    )


def areas_table(
    network: MapNetwork,
    sub_head: int,
    names: Sequence[str],
    pixels: Iterable[NDArray[np.uint8]],
    progress: Progress | None = None,
) -> pd.DataFrame:
    """One row an image (3, H, W): path, share of its pixels in each cluster, certainty."""
    rows = []
    for number, (name, image) in enumerate(zip(names, pixels, strict=True)):
        own = areas_of(network.probabilities(image)[sub_head])
        shares = {f"area_{i}": round(float(share), DIGITS) for i, share in enumerate(own.shares)}
        certainty = {"probability": own.probability, "entropy": own.entropy}
        certainty = {key: round(value, DIGITS) for key, value in certainty.items()}
        rows.append({"path": name, **shares, **certainty})
        if progress:
            progress(number + 1, len(names))
    return pd.DataFrame(rows)


def _write_examples(path: Path, network: MapNetwork, sub_head: int, images: Images) -> None:
    """Some images and the clusters of their pixels, for the page."""
    pixels = images.pixels[_spread(len(images.names), SHOWN)]
    maps = [network.probabilities(one)[sub_head].argmax(dim=0).numpy() for one in pixels]
    with atomic_file(path) as file:
        np.savez_compressed(file, pixels=pixels, maps=np.stack(maps).astype(np.uint8))


def _spread(count: int, most: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def _sampled(network: MapNetwork, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probabilities of some pixels of images by every sub-head, (points, h, k)."""
    parts = []
    for image in pixels:
        own = network.probabilities(image)[:, :, ::STEP, ::STEP]
        parts.append(own.flatten(2).permute(2, 0, 1).numpy())
    return np.concatenate(parts)
