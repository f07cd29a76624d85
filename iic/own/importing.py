"""``iic import-released``: weights of the authors' release as a model that `iic predict` takes."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from iic.own.bars import bar
from iic.own.choice import Wishes
from iic.own.fit import check_out
from iic.own.model import WORK, FitRequest, OwnModel, ReleasedWeights
from iic.own.reading import Images, collect, scan
from iic.own.released import Architecture, read_released
from iic.own.released_groups import ReleasedGroups
from iic.own.released_maps import ReleasedMaps
from iic.own.sources import listing
from iic.own.training import timed
from iic.records.files import sha256_file

log = logging.getLogger(__name__)


def import_released(
    source: Path,
    weights: Path,
    architecture: Architecture,
    out: Path,
    *,
    side: int | None = None,
    input_size: int | None = None,
    crop: int | None = None,
    live: bool | None = None,
) -> OwnModel:
    """Write a model from released weights.

    Args:
        source: Images, by which sub-heads are compared, and of which BatchNorm gets its statistics
            if the release kept none.
        weights: A state dict of the release.
        architecture: Name in the released code.
        out: Folder of the model, which must not be there.
        side: Working size of images in pixels.
        input_size: Side of the network's input in pixels, where the weights do not tell.
        crop: Side of the central crop in pixels, if not that of the release's commands.
        live: Whether to draw bars.

    Raises:
        OwnDataError: The weights or images cannot be read, or do not fit together.
        ModelError: `out` holds something.
    """
    seconds: dict[str, float] = {}
    released = read_released(weights, architecture)
    request = FitRequest(
        source=str(source.resolve()),
        task="segment" if released.segments else "group",
        k=released.clusters["B"],
        minutes=0,
        wishes=Wishes(side=side),
        released=ReleasedWeights(
            path=str(weights.resolve()),
            architecture=architecture,
            sha256=sha256_file(weights),
            input_size=input_size,
            crop=crop,
        ),
    )
    finished = check_out(request, out)
    if finished is not None:
        return finished
    kind = ReleasedMaps if released.segments else ReleasedGroups
    network: ReleasedMaps | ReleasedGroups = kind(released, side, input_size, crop)
    work = out / WORK
    work.mkdir(parents=True, exist_ok=True)
    try:
        with timed(seconds, "reading"):
            images = _images(source, network, work, live)
        model = network.write(out, request, images, work, seconds)
    finally:
        shutil.rmtree(work)
        if not any(out.iterdir()):
            out.rmdir()
    log.info("sub-head %d of %d is reported", model.config.sub_head, released.sub_heads)
    return model


def _images(
    source: Path, network: ReleasedMaps | ReleasedGroups, work: Path, live: bool | None
) -> Images:
    with bar("images looked at", live) as progress:
        scanned = scan(listing(source), progress)
    with bar("images read", live) as progress:
        path = work / "images.npy"
        return collect(scanned, network.side, network.channels, path, progress=progress)
