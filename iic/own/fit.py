"""``iic fit``: from a folder to a model, resumable at every step."""

from __future__ import annotations

import contextlib
import logging
import shutil
import time
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
from filelock import FileLock, Timeout

from iic.data.load import PreparedData
from iic.engine.context import Interrupted, RunContext
from iic.own import model as files
from iic.own.backbones import computed
from iic.own.bars import bar
from iic.own.choice import (
    Choice,
    check,
    load_choice,
    overridden,
    save_choice,
    with_time,
    working_side,
)
from iic.own.errors import ModelError, OwnDataError
from iic.own.extras import extra
from iic.own.features import read_features
from iic.own.halves import Context, halves_agree
from iic.own.kinds import FeatureKind, ImageKind, Kind
from iic.own.map_training import map_side
from iic.own.model import FitRequest, OwnModel
from iic.own.near_copies import write_near_copies
from iic.own.reading import ColourFound, Images, Scan, collect, scan
from iic.own.saying import choice_in_words
from iic.own.segment import check_map_request, fit_maps
from iic.own.sources import listing
from iic.own.training import Clock, context_of, prepared, step_seconds, timed, trained
from iic.own.writing import Fitted, write_groups
from iic.params.errors import IICError
from iic.provenance.machine import usable_processors
from iic.records.files import RecordError, read_record, sha256_json, write_record

log = logging.getLogger(__name__)

METHOD: Final = "iic.methods.iic.method"


def fit(
    request: FitRequest,
    out: Path,
    live: bool | None = None,
    clock: Clock = time.perf_counter,
) -> OwnModel:
    """Cluster images, or go on with it.

    Args:
        request: What to do.
        out: Folder of the model, which must not hold another one.
        live: Whether to draw bars; None draws them where stderr is a terminal.
        clock: Measures the step by which the minutes become epochs.

    Raises:
        OwnDataError: There are no images, or too few of them; a setting does not fit.
        ModelError: `out` holds something else, or another process fits it.
        Interrupted: A signal came; the same call goes on.
    """
    _check_request(request)
    finished = check_out(request, out)
    if finished is not None:
        return finished
    work = out / files.WORK
    work.mkdir(parents=True, exist_ok=True)
    lock = FileLock(work / "lock")
    try:
        with lock.acquire(timeout=0):
            write_record(work / "request.json", request)
            model = _fit(request, out, work, live, clock)
    except Timeout:
        raise ModelError(f"{out}: another process fits this model now") from None
    except Interrupted:
        raise
    except IICError:
        if not (out / files.CHOICE).exists():  # refused before any training: leave nothing
            shutil.rmtree(work)
            with contextlib.suppress(OSError):
                out.rmdir()
        raise
    shutil.rmtree(work)
    return model


def _check_request(request: FitRequest) -> None:
    if request.k < 2:
        raise OwnDataError(f"--k {request.k}: nothing would be told apart\n  allowed: 2 or more")
    if not request.minutes > 0:
        raise OwnDataError(f"--minutes {request.minutes:g}: no time to train\n  allowed: above 0")
    threads, usable = request.wishes.threads, usable_processors()
    if threads is not None and threads > usable:
        raise OwnDataError(f"--threads {threads}: more than processors\n  allowed: 1 to {usable}")
    if request.features is not None and request.backbone is not None:
        raise OwnDataError("--features and --backbone exclude each other: leave one out")
    if request.task == "segment":
        check_map_request(request)
    if request.umap:
        with extra("umap"):
            import umap  # noqa: F401


def check_out(request: FitRequest, out: Path) -> OwnModel | None:
    """The model that the same request has made already; None where there is work to do.

    Raises:
        ModelError: `out` lies among the images, or holds something else.
    """
    if Path(request.source).resolve() in (out.resolve(), *out.resolve().parents):
        raise ModelError(f"{out}: lies among the images, and would be read with them")
    remedy = "\n  remedy: another --out, or delete it"
    if out.exists() and not out.is_dir():
        raise ModelError(f"{out}: is a file{remedy}")
    if (out / files.RECEIPT).exists():
        model = OwnModel(out)
        if model.receipt.request != request:
            raise ModelError(f"{out}: holds the model of another fit{remedy}")
        log.info("%s: is finished already", out)
        return model
    try:
        begun = read_record(out / files.WORK / "request.json", FitRequest)
    except RecordError:
        if out.exists() and any(path.name != files.WORK for path in out.iterdir()):
            raise ModelError(f"{out}: exists, and holds no fit to go on with{remedy}") from None
        return None
    if begun != request:
        before, now = (one.model_dump(mode="json") for one in (begun, request))
        changed = [f"{key} was {before[key]!r}" for key in now if before[key] != now[key]]
        raise ModelError(
            f"{out}: holds an unfinished fit with other arguments: {'; '.join(changed)}"
            f"\n  remedy: the same arguments, another --out, or delete it"
        )
    return None


def _fit(request: FitRequest, out: Path, work: Path, live: bool | None, clock: Clock) -> OwnModel:
    seconds: dict[str, float] = {}
    with timed(seconds, "reading"):
        images, fixed, grey_taken = _images(request, work, live)
    if request.task == "segment":
        return fit_maps(request, out, images, work, seconds, live, clock)
    _check_count(request, images)
    with timed(seconds, "features"):
        kind = _kind(request, images, work, live)
    measured: dict[str, float] = {}
    data = prepared(kind.points)
    if (out / files.CHOICE).exists():
        choice = load_choice(out / files.CHOICE)
    elif fixed is not None:
        choice = fixed
    else:
        with timed(seconds, "measuring"):
            settings = kind.choose(request.k, request.wishes, usable_processors())
            choice = Choice(
                method="iic.own.vectors" if isinstance(kind, FeatureKind) else METHOD,
                side=images.pixels.shape[2],
                channels=images.pixels.shape[1],
                seeds=tuple(range(request.wishes.seeds or 2)),
                settings=settings,
            )
            choice, measured = _measured(choice, request, kind, data, work, clock)
    check(choice, len(kind.points), str(out / files.CHOICE))
    if not (out / files.CHOICE).exists():
        save_choice(out / files.CHOICE, choice)
    log.info("%s", choice_in_words(choice, images))
    near = write_near_copies(work / files.NEAR_COPIES, images.names, images.pixels)
    if near:
        log.info("%d images are nearly the same as another one", near)
    context = _contexts(images, live)
    halves = None
    with timed(seconds, "training"):
        runs = [
            trained(context(data, choice.settings, seed, work), work, kind.train)
            for seed in choice.seeds
        ]
        if request.halves and len(kind.points) >= 2 * request.k:
            halves = halves_agree(choice, request.wishes, kind, work, context)
    fitted = Fitted(request, choice, images, runs, seconds, measured, grey_taken)
    return write_groups(out, fitted, kind, halves)


def _kind(request: FitRequest, images: Images, work: Path, live: bool | None) -> Kind:
    source = Path(request.source)
    if request.backbone is not None:
        items = {item.name: item for item in listing(source, images.top).items}
        kept = [items[name] for name in images.names]
        with bar("features", live) as progress:
            folder = work / "features"
            rows = computed(request.backbone, kept, images.digests, folder, progress)
        return FeatureKind(rows)
    if request.features is None:
        return ImageKind(images.pixels)
    features = read_features(Path(request.features), listing(source), source)
    return FeatureKind(np.stack([features[name] for name in images.names]))


def _images(
    request: FitRequest, work: Path, live: bool | None
) -> tuple[Images, Choice | None, bool]:
    """The images, the choice of a settings file, and whether colour may be turned grey."""
    wishes = request.wishes
    fixed = None
    if request.settings is not None:
        fixed = overridden(load_choice(Path(request.settings)), wishes, request.settings)
        if fixed.settings.head_b.k != request.k:
            raise OwnDataError(
                f"{request.settings}: settings.head_b.k: {fixed.settings.head_b.k}, but --k "
                f"{request.k}\n  remedy: the same number in both"
            )
    with bar("images looked at", live) as progress:
        scanned = scan(listing(Path(request.source)), progress)
    if request.task == "segment":
        side = map_side(scanned.side, wishes)
        return _collected(scanned, side, 3, work, False, live), None, False
    channels = fixed.channels if fixed else wishes.channels or (3 if scanned.has_colour() else 1)
    grey_taken = channels == 1 and (fixed is not None or wishes.channels == 1)
    for attempt in (channels, 3):
        side = fixed.side if fixed else working_side(scanned.side, attempt, wishes)
        try:
            return _collected(scanned, side, attempt, work, grey_taken, live), fixed, grey_taken
        except ColourFound as name:
            log.info("%s has colour: the images are taken for coloured ones", name)
    raise AssertionError("images in colour are never refused")


def _collected(
    scanned: Scan, side: int, channels: int, work: Path, grey_taken: bool, live: bool | None
) -> Images:
    with bar("images read", live) as progress:
        path = work / "images.npy"
        return collect(scanned, side, channels, path, grey_taken=grey_taken, progress=progress)


def _check_count(request: FitRequest, images: Images) -> None:
    if images.distinct == 1:
        what = "one image" if len(images.names) == 1 else "the same image again and again"
        raise OwnDataError(f"{request.source}: {what}: nothing to tell apart")
    if images.distinct < request.k:
        raise OwnDataError(
            f"{request.source}: {images.distinct} different images cannot fill {request.k} "
            f"clusters\n  allowed: --k 2 to {images.distinct}"
        )


def _measured(
    choice: Choice,
    request: FitRequest,
    kind: Kind,
    data: PreparedData,
    work: Path,
    clock: Clock,
) -> tuple[Choice, dict[str, float]]:
    """The choice with the faster precision and as many epochs as fit into the time."""
    steps: dict[str, float] = {}
    options: dict[str, Any] = {}
    asked = "float32" if isinstance(kind, FeatureKind) else request.wishes.precision
    for precision in (asked,) if asked else ("float32", "bfloat16"):
        compute = choice.settings.compute.model_copy(update={"precision": precision})
        options[precision] = choice.settings.model_copy(update={"compute": compute})
        probe = context_of(data, options[precision], choice.seeds[0], work, "", False)
        steps[precision] = step_seconds(probe, kind.task, clock)
    fastest = min(steps, key=lambda precision: steps[precision])
    settings = options[fastest]
    if request.wishes.epochs is None:
        # each half takes half the steps
        budget = 60 * request.minutes / (len(choice.seeds) + request.halves)
        settings = with_time(settings, len(data.images), steps[fastest], budget)
    return choice.model_copy(update={"settings": settings}), steps


def _contexts(images: Images, live: bool | None) -> Context:
    """What makes the run of some data, settings and seed, known by all of these."""

    def context(data: PreparedData, settings: Any, seed: int, folder: Path) -> RunContext[Any]:
        points = data.manifest.images.sha256
        own = settings.model_dump(mode="json")
        parts = [metadata.version("iic"), images.digest, points, own, seed]
        return context_of(data, settings, seed, folder, sha256_json(parts), live)

    return context
