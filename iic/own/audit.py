"""``iic audit MODEL``: whether a model is what its receipt says, down to the images."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from iic.own.choice import Choice, load_choice
from iic.own.errors import OwnDataError
from iic.own.explain import read_assignments
from iic.own.map_predict import areas_again
from iic.own.map_training import MapChoice, load_map_choice
from iic.own.model import ASSIGNMENTS, CHOICE, CONFIG, OwnModel
from iic.own.predict import predict
from iic.own.reading import Progress, scan
from iic.own.sources import listing
from iic.params.errors import IICError
from iic.records.files import sha256_file, sha256_json

TOLERANCE = 1e-4
"""On probabilities: another machine rounds otherwise."""
STATUS = {"failure": 1, "drift": 3}
"""Level -> exit status; the gravest counts, and 0 is left for none of them."""


class AuditFinding(NamedTuple):
    """One thing that an audit found."""

    level: Literal["failure", "drift", "note", "verified"]
    text: str


def audit(model: OwnModel, progress: Progress | None = None) -> list[AuditFinding]:
    """Verify files, settings, data and predictions of a model.

    Args:
        model: The model.
        progress: Told of images that are predicted anew.
    """
    receipt = model.receipt
    found = [AuditFinding("failure", text) for text in model.changed_files()]
    if receipt.seal != receipt.digest:
        found.append(AuditFinding("failure", "fit.json: changed since it was written"))
    if found:
        return found
    found.append(AuditFinding("verified", f"{len(receipt.files)} files are as the receipt says"))
    found.append(_settings(model))
    return [*found, *_data(model, progress)]


def status(found: list[AuditFinding]) -> int:
    """Exit status: 0 verified, 1 a failure, 3 verified but the images have changed."""
    levels = {one.level for one in found}
    return next((number for level, number in STATUS.items() if level in levels), 0)


def _settings(model: OwnModel) -> AuditFinding:
    read = load_map_choice if model.segments else load_choice
    choice: Choice | MapChoice = read(model.folder / CHOICE)
    if sha256_json(choice.model_dump(mode="json")) != model.receipt.choice_sha256:
        return AuditFinding("failure", f"{CHOICE}: not the settings of the receipt")
    if choice.settings != model.config.settings:
        return AuditFinding("failure", f"{CHOICE}: other settings than those of {CONFIG}")
    return AuditFinding("verified", "settings are those of the receipt")


def _data(model: OwnModel, progress: Progress | None) -> list[AuditFinding]:
    receipt = model.receipt
    source = Path(receipt.request.source)
    if not source.exists():
        text = f"{source}: not here, so neither images nor predictions were verified"
        return [AuditFinding("note", text)]
    table = read_assignments(model)
    try:
        kept = set(table["path"])
        scanned = scan(listing(source, model.config.top))
        digests = [entry.digest for entry in scanned.entries if entry.name in kept]
    except IICError as error:
        return [AuditFinding("drift", str(error).splitlines()[0])]
    fresh = len(scanned.entries) - len(digests)
    # images that could be opened and not decoded were skipped by the fit too
    if sha256_json(sorted(digests)) != receipt.data_sha256 or fresh > receipt.skipped:
        text = f"{source}: other images than at the fit: {len(kept):,} then"
        return [AuditFinding("drift", f"{text}, {len(scanned.entries):,} now")]
    features = receipt.request.features
    if features is not None:
        if not Path(features).exists():
            return [AuditFinding("note", f"{features}: not here: predictions were not verified")]
        if sha256_file(Path(features)) != receipt.features_sha256:
            return [AuditFinding("drift", f"{features}: other features than at the fit")]
    backbone = receipt.request.backbone
    if backbone is not None and not Path(backbone.path).exists():
        return [AuditFinding("note", f"{backbone.path}: not here: predictions were not verified")]
    found = [AuditFinding("verified", f"{len(kept):,} images have the contents of the receipt")]
    return [*found, _predictions(model, source, progress)]


def _predictions(model: OwnModel, source: Path, progress: Progress | None) -> AuditFinding:
    before = read_assignments(model).set_index("path")
    try:
        if model.segments:
            now = areas_again(model, source, list(before.index)).set_index("path")
            areas = [name for name in now if name != "path"]
            return _repeated(now[areas], before.loc[now.index, areas], 0)
        path = model.receipt.request.features
        features = None if path is None else Path(path)
        said = predict(model, source, features=features, progress=progress)
        now = said.table.set_index("path")
    except OwnDataError as error:
        return AuditFinding("failure", str(error).splitlines()[0])
    now = now.loc[before.index]
    sure = before["probability"] > 0.5 + TOLERANCE
    moved = int((now["cluster"] != before["cluster"])[sure].sum())
    columns = ["probability", "entropy"]
    return _repeated(now[columns], before[columns], moved)


def _repeated(now: pd.DataFrame, before: pd.DataFrame, moved: int) -> AuditFinding:
    """Whether numbers are those of before, and so many images have moved."""
    difference = float(np.abs(now.to_numpy() - before.to_numpy()).max())
    if moved or difference > TOLERANCE:
        text = f"{ASSIGNMENTS}: {moved:,} images move to another cluster when predicted anew"
        return AuditFinding("failure", f"{text}; probabilities differ by up to {difference:.2g}")
    text = f"predictions are repeated to {difference:.1g}"
    return AuditFinding("verified", text)
