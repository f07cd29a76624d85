"""The files of a finished model; the receipt is written last."""

from __future__ import annotations

import logging
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from iic.own import model as files
from iic.own.answers import alignment, answers, matched, table_of, write_table
from iic.own.card import card
from iic.own.choice import Choice
from iic.own.findings import stability
from iic.own.kinds import Kind
from iic.own.model import FitReceipt, FitRequest, ModelConfig, OwnModel, SeedSummary
from iic.own.near_copies import write_near_copies
from iic.own.reading import Images, write_skipped
from iic.own.rivals import examples, reduced_by_umap, silhouette, write_examples
from iic.own.training import Trained
from iic.provenance.environment import code_state, environment
from iic.records.files import sha256_file, sha256_json, write_bytes, write_record, write_text

log = logging.getLogger(__name__)

BY_UMAP = "IIC, by UMAP"
"""Which silhouette is that in the space of UMAP."""
CLONE = Path(__file__).resolve().parents[2]


def write_model(
    out: Path,
    request: FitRequest,
    choice: Choice,
    images: Images,
    kind: Kind,
    runs: list[Trained],
    *,
    halves: float | None = None,
    seconds: dict[str, float],
    steps: dict[str, float],
    grey_taken: bool,
) -> OwnModel:
    """Freeze the best training, let it answer for all images, and write everything.

    Args:
        out: Folder of the model.
        request: What was asked for.
        choice: What was chosen.
        images: All images.
        kind: What was trained on.
        runs: A finished training for each seed.
        halves: How far trainings on either half of the images agree, if that was asked.
        seconds: What took how long; the finishing is added.
        steps: Measured seconds of a step by precision.
        grey_taken: Whether coloured images were turned grey.
    """
    begin = time.monotonic()
    best = min(range(len(runs)), key=lambda number: min(runs[number].record.losses))
    run, settings, k = runs[best], choice.settings, choice.settings.head_b.k
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
    write_table(out / files.ASSIGNMENTS, table.sort_values("path", kind="stable"))
    write_listings(out, images)
    # rows of the table, which is in the order of paths
    place = np.argsort(np.argsort(np.array(images.names, dtype=object), kind="stable"))
    write_examples(out / files.EXAMPLES, examples(said, probabilities, k), images.pixels, place)
    config = ModelConfig(
        version=metadata.version("iic"),
        k=k,
        side=choice.side,
        channels=choice.channels,
        grey_taken=grey_taken,
        top=images.top,
        sub_head=run.sub_head,
        alignment=tuple(tuple(map(int, own)) for own in aligned),
        settings=settings,
        backbone=request.backbone,
    )
    measured = stability(by_seed, float(said.agreement.mean()))
    measured = measured.model_copy(update={"halves": halves})
    silhouettes = {
        "IIC": silhouette(kind.points, said.clusters),
        kind.rival: silhouette(kind.points, rival),
    }
    if request.umap:
        silhouettes[BY_UMAP] = silhouette(kind.points, said.clusters, reduced_by_umap)
    seconds["finishing"] = round(time.monotonic() - begin, 2)
    receipt = FitReceipt(
        request=request,
        images=len(images.names),
        distinct=images.distinct,
        skipped=len(images.skipped),
        data_sha256=images.digest,
        features_sha256=None if request.features is None else sha256_file(Path(request.features)),
        choice_sha256=sha256_json(choice.model_dump(mode="json")),
        reported=run.record.seed,
        seeds=tuple(seed_summary(own) for own in runs),
        stability=measured,
        seconds=seconds,
        step_seconds=steps,
        silhouettes=silhouettes,
        rival=kind.rival,
        files={},
        environment=environment(settings.threads, CLONE),
        code=code_state(CLONE),
    )
    return finished(out, config, receipt, network.tensors)


def write_listings(out: Path, images: Images) -> None:
    """Write what was not read, and which images are nearly the same."""
    write_skipped(out / files.SKIPPED, images.skipped)
    write_near_copies(out / files.NEAR_COPIES, images.names, images.pixels)


def finished(
    out: Path, config: ModelConfig, receipt: FitReceipt, tensors: dict[str, NDArray[Any]]
) -> OwnModel:
    """Write weights, config and card; at last the receipt, with the hashes of all files."""
    write_bytes(out / files.WEIGHTS, save(tensors))
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
