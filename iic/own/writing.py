"""The files of a finished model; the receipt is written last."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors.numpy import save

from iic.own import model as files
from iic.own.answers import alignment, answers, matched, table_of, write_table
from iic.own.card import card
from iic.own.choice import Choice
from iic.own.findings import stability
from iic.own.kinds import Kind
from iic.own.map_training import MapChoice
from iic.own.model import (
    FitReceipt,
    FitRequest,
    ModelConfig,
    OwnModel,
    SeedSummary,
    Stability,
)
from iic.own.near_copies import write_near_copies
from iic.own.reading import Images, write_skipped
from iic.own.rivals import examples, reduced_by_umap, silhouette, write_examples
from iic.own.training import Trained, timed
from iic.provenance.environment import code_state, environment
from iic.records.files import sha256_file, sha256_json, write_bytes, write_record, write_text

BY_UMAP = "IIC, by UMAP"
"""Which silhouette is that in the space of UMAP."""
CLONE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Fitted:
    """Finished trainings, and what they were made of.

    Args:
        request: What was asked for.
        choice: What was chosen.
        images: All images.
        runs: A training for each seed.
        seconds: What took how long; the finishing is added.
        steps: Measured seconds of a step by precision.
        grey_taken: Whether coloured images were turned grey.
    """

    request: FitRequest
    choice: Choice | MapChoice
    images: Images
    runs: list[Trained]
    seconds: dict[str, float]
    steps: dict[str, float]
    grey_taken: bool = False

    @cached_property
    def best(self) -> int:
        """Number of the run of lowest loss: the model's."""
        return min(range(len(self.runs)), key=lambda number: min(self.runs[number].record.losses))


@dataclass(frozen=True)
class Found:
    """What the best run says of the images.

    Args:
        table: A row an image: path, and what else is known.
        aligned: `alignment` of its sub-heads.
        stability: How far seeds and sub-heads agree.
        silhouettes: By name of the clustering.
        rival: Name of the clustering that stands beside it.
        tensors: Weights and statistics of its network.
    """

    table: pd.DataFrame
    aligned: NDArray[np.int64]
    stability: Stability
    silhouettes: dict[str, float]
    rival: str
    tensors: dict[str, NDArray[Any]]


def write_groups(out: Path, fitted: Fitted, kind: Kind, halves: float | None = None) -> OwnModel:
    """Freeze the best training, let it answer for all images, and write everything.

    Args:
        out: Folder of the model.
        fitted: The trainings.
        kind: What was trained on.
        halves: How far trainings on either half of the images agree, if that was asked.
    """
    with timed(fitted.seconds, "finishing"):
        found = _groups(out, fitted, kind, halves)
    return write_model(out, fitted, found)


def _groups(out: Path, fitted: Fitted, kind: Kind, halves: float | None) -> Found:
    images, runs, best = fitted.images, fitted.runs, fitted.best
    run, settings, k = runs[best], fitted.choice.settings, fitted.request.k
    network = kind.network(settings, run.tensors)
    probabilities = network.probabilities(kind.points)
    aligned = alignment(probabilities, run.sub_head)
    said = answers(probabilities, run.sub_head, aligned)
    by_seed = np.stack([own.clusters[:, own.sub_head] for own in runs], axis=1)
    rival = kind.rivals(k, settings.threads)
    table = table_of(images.names, said).assign(sha256=images.digests)
    if any(label is not None for label in images.labels):
        table["label"] = images.labels
    for number, own in enumerate(runs):
        if number != best:
            clusters = by_seed[:, number]
            table[f"seed_{own.record.seed}"] = matched(clusters, said.clusters, k)[clusters]
    table["rival"] = matched(rival, said.clusters, k)[rival]
    # rows of the table, which is in the order of paths
    place = np.argsort(np.argsort(np.array(images.names, dtype=object), kind="stable"))
    write_examples(out / files.EXAMPLES, examples(said, probabilities, k), images.pixels, place)
    silhouettes = {
        "IIC": silhouette(kind.points, said.clusters),
        kind.rival: silhouette(kind.points, rival),
    }
    if fitted.request.umap:
        silhouettes[BY_UMAP] = silhouette(kind.points, said.clusters, reduced_by_umap)
    measured = stability(by_seed, float(said.agreement.mean()))
    measured = measured.model_copy(update={"halves": halves})
    return Found(table, aligned, measured, silhouettes, kind.rival, network.tensors)


def write_model(out: Path, fitted: Fitted, found: Found) -> OwnModel:
    """Write everything but the examples; the receipt, with the hashes of all files, at last."""
    request, choice, images = fitted.request, fitted.choice, fitted.images
    run, settings = fitted.runs[fitted.best], choice.settings
    write_table(out / files.ASSIGNMENTS, found.table.sort_values("path", kind="stable"))
    write_skipped(out / files.SKIPPED, images.skipped)
    write_near_copies(out / files.NEAR_COPIES, images.names, images.pixels)
    config = ModelConfig(
        version=metadata.version("iic"),
        k=request.k,
        side=choice.side,
        channels=1 if images.pixels.shape[1] == 1 else 3,
        grey_taken=fitted.grey_taken,
        top=images.top,
        sub_head=run.sub_head,
        alignment=tuple(tuple(map(int, own)) for own in found.aligned),
        settings=settings,
        backbone=request.backbone,
    )
    receipt = FitReceipt(
        request=request,
        images=len(images.names),
        distinct=images.distinct,
        skipped=len(images.skipped),
        data_sha256=images.digest,
        features_sha256=None if request.features is None else sha256_file(Path(request.features)),
        choice_sha256=sha256_json(choice.model_dump(mode="json")),
        reported=run.record.seed,
        seeds=tuple(seed_summary(own) for own in fitted.runs),
        stability=found.stability,
        seconds=fitted.seconds,
        step_seconds=fitted.steps,
        silhouettes=found.silhouettes,
        rival=found.rival,
        files={},
        environment=environment(settings.threads, CLONE),
        code=code_state(CLONE),
    )
    write_bytes(out / files.WEIGHTS, save(found.tensors))
    write_record(out / files.CONFIG, config)
    write_text(out / files.CARD, card(config, receipt))
    digests = {name: sha256_file(out / name) for name in files.HASHED}
    receipt = receipt.model_copy(update={"files": digests})
    write_record(out / files.RECEIPT, receipt.model_copy(update={"seal": receipt.digest}))
    return OwnModel(out)


def seed_summary(run: Trained) -> SeedSummary:
    """What the receipt keeps of a training."""
    record = run.record
    return SeedSummary(
        seed=record.seed,
        loss=min(record.losses),
        steps=record.steps,
        seconds=record.seconds,
        history=record.history,
        sessions=record.sessions,
    )
