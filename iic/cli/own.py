"""The verbs for images of one's own. They need no clone: any folder will do to stand in."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iic.engine.threads import library_threads
from iic.params.escaping import visible

if TYPE_CHECKING:
    from iic.own.model import OwnModel

log = logging.getLogger(__name__)

NO_STABLE_CLUSTERING = 3
"""Exit status where other seeds find other clusters, or nearly all images are in one."""
ModelArgument = Annotated[Path, typer.Argument(help="Folder that `iic fit` wrote.")]


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    for verb in (fit, predict, explain, import_released, doctor):
        app.command()(verb)


def fit(
    folder: Annotated[
        Path, typer.Argument(help="Folder, zip, listing (csv, parquet), .npy, .npz or idx.")
    ],
    k: Annotated[str, typer.Option(help="Clusters: 10; 2..30 to compare; auto for 2..12.")],
    out: Annotated[Path, typer.Option(help="Folder of the model, which must not be there yet.")],
    minutes: Annotated[float, typer.Option(help="Time to train, for all seeds.")] = 5.0,
    task: Annotated[
        str, typer.Option(help="`group`: a cluster an image; `segment`: a cluster a pixel.")
    ] = "group",
    settings: Annotated[
        Path | None, typer.Option(help="A settings.yaml of another fit, in place of choosing.")
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(help=".npy, .parquet or .safetensors: a row an image, in place of pixels."),
    ] = None,
    backbone: Annotated[
        str | None, typer.Option(help="Makes features: resnet50, dinov2_vitb14, ...")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Its weights, a local file.")] = None,
    size: Annotated[int | None, typer.Option(help="Working size in pixels.")] = None,
    grey: Annotated[
        bool | None, typer.Option("--grey/--colour", help="In place of looking at the images.")
    ] = None,
    sobel: Annotated[
        bool | None, typer.Option("--sobel/--rgb", help="What the network sees of colour images.")
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Distinct images in a batch.")] = None,
    repeats: Annotated[int | None, typer.Option(help="Transforms of each image.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of Adam, at its highest.")] = None,
    epochs: Annotated[int | None, typer.Option(help="In place of --minutes.")] = None,
    width: Annotated[float | None, typer.Option(help="Factor on the network's channels.")] = None,
    sub_heads: Annotated[int | None, typer.Option(help="Of each head; 20 by default.")] = None,
    precision: Annotated[str | None, typer.Option(help="float32 or bfloat16.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Trainings; 2 by default.")] = None,
    threads: Annotated[int | None, typer.Option(help="All by default.")] = None,
    umap: Annotated[
        bool, typer.Option("--umap", help="Silhouettes in the space of UMAP too (an extra).")
    ] = False,
    log_to: Annotated[
        tuple[str, Path] | None,
        typer.Option("--log", help="`tensorboard DIR`: losses as they come (an extra)."),
    ] = None,
) -> None:
    """Cluster images of your own: a folder in, a model out. The same call goes on where it was."""
    from iic.own.boards import board
    from iic.own.fit import fit as run
    from iic.own.k_range import fit_range, parse
    from iic.own.model import FitRequest
    from iic.params.loading import validate

    wishes = {
        "side": size,
        "channels": None if grey is None else 1 if grey else 3,
        "sobel": sobel,
        "batch": batch,
        "repeats": repeats,
        "learning_rate": learning_rate,
        "epochs": epochs,
        "width": width,
        "sub_heads": sub_heads,
        "precision": precision,
        "seeds": seeds,
        "threads": threads,
    }
    ks = parse(k)
    content = {
        "source": str(folder.resolve()),
        "task": task,
        "k": ks[0],
        "minutes": minutes,
        "wishes": wishes,
        "settings": None if settings is None else str(settings.resolve()),
        "features": None if features is None else str(features.resolve()),
        "backbone": _backbone(backbone, weights),
        "umap": umap,
    }
    request = validate(FitRequest, content, "command line")
    with board(*(log_to or (None, None))):
        if len(ks) == 1:
            _explained(run(request, out), None)
            return
        said = fit_range(request, ks, out)
    log.info("%s", said.text)
    if said.k is None:
        raise typer.Exit(NO_STABLE_CLUSTERING)


def _backbone(name: str | None, weights: Path | None) -> dict[str, object] | None:
    from iic.own.backbones import backbone_of
    from iic.own.errors import OwnDataError

    if name is None and weights is None:
        return None
    if name is None or weights is None:
        raise OwnDataError(
            "--backbone NAME and --weights FILE need each other: nothing is fetched\n"
            "  remedy: the file of weights that torchvision names for this model"
        )
    return backbone_of(name, weights).model_dump(mode="json")


def predict(
    model: ModelArgument,
    folder: Annotated[Path, typer.Argument(help="Whatever `iic fit` takes, or a single image.")],
    out: Annotated[
        Path, typer.Option(help="Table, .csv or .parquet; of a segmentation a new folder.")
    ],
    features: Annotated[
        Path | None, typer.Option(help="Features of the images, for a model of features.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Of the model's backbone, if moved since the fit.")
    ] = None,
    sub_heads: Annotated[bool, typer.Option("--sub-heads", help="Their clusters too.")] = False,
    assign_into: Annotated[
        Path | None, typer.Option(help="New folder, with a link to each image by cluster.")
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copies there, not links.")] = False,
) -> None:
    """Clusters of images by a model: cluster, probability, entropy, agreement of sub-heads."""
    from iic.own import predict as room
    from iic.own.answers import check_table_path, write_table
    from iic.own.bars import bar
    from iic.own.model import OwnModel
    from iic.own.reading import write_skipped

    opened = OwnModel(model)
    if opened.segments:
        _predict_maps(opened, folder, out)
        return
    check_table_path(out)
    with library_threads(opened.threads), bar("images") as progress:
        said = room.predict(
            opened,
            folder,
            features=features,
            weights=weights,
            sub_heads=sub_heads,
            progress=progress,
        )
    write_table(out, said.table)
    if said.skipped:
        skipped = out.with_suffix(".skipped.csv")
        write_skipped(skipped, said.skipped)
        log.warning("%d files skipped: %s", len(said.skipped), skipped)
    if assign_into is not None:
        room.assign_into(assign_into, folder, said.table, copy=copy)
    log.info("%s", room.said_of(said.table, opened.config.k))


def _predict_maps(model: OwnModel, folder: Path, out: Path) -> None:
    from iic.own.answers import write_table
    from iic.own.bars import bar
    from iic.own.map_predict import TABLE, predict_maps
    from iic.own.reading import write_skipped

    with library_threads(model.threads), bar("images") as progress:
        said = predict_maps(model, folder, out, progress)
    write_table(out / TABLE, said.table)
    write_skipped(out / "skipped.csv", said.skipped)
    log.info("%s: labels and overlays of %d images", out, len(said.table))


def explain(
    model: ModelArgument,
    labels: Annotated[
        str | None, typer.Option(help="`folders`, or a csv with columns path and label.")
    ] = None,
) -> None:
    """MODEL/report.html: clusters, what they are worth, and scores against labels."""
    from iic.own.model import OwnModel

    _explained(OwnModel(model), labels)


def _explained(model: OwnModel, labels: str | None) -> None:
    from iic.own.explain import explain as write
    from iic.own.model import REPORT

    said = write(model, labels)
    for finding in said:
        log.info("%s: %s", finding.level, finding.text)
    log.info("%s", model.folder / REPORT)
    if any(finding.level == "bad" for finding in said):
        raise typer.Exit(NO_STABLE_CLUSTERING)


def import_released(
    file: Annotated[Path, typer.Argument(help="Weights: a state dict that torch.save wrote.")],
    images: Annotated[
        Path, typer.Argument(help="Images like those of the training; whatever `iic fit` takes.")
    ],
    arch: Annotated[str, typer.Option(help="Name in the released code: net5g, net6c or net10a.")],
    out: Annotated[Path, typer.Option(help="Folder of the model, which must not be there yet.")],
    size: Annotated[int | None, typer.Option(help="Working size of images in pixels.")] = None,
    crop: Annotated[int | None, typer.Option(help="Side of the central crop in pixels.")] = None,
    input_size: Annotated[
        int | None, typer.Option(help="Side of net5g's input: 32, 64 or 96.")
    ] = None,
) -> None:
    """Make a model of weights of the authors' release; nothing is trained.

    Images say which sub-head has the lowest loss, and give BatchNorm its statistics where the
    release kept none (MNIST, CIFAR10).
    """
    from iic.own.importing import import_released as run
    from iic.own.released import architecture_of

    architecture = architecture_of(arch)
    model = run(images, file, architecture, out, side=size, input_size=input_size, crop=crop)
    _explained(model, None)


def doctor() -> None:
    """What works on this machine, and what would make the rest work."""
    from iic.own.doctor import doctor as look
    from iic.own.doctor import healthy

    checks = look(Path())
    for check in checks:
        remedy = f" ({check.remedy})" if check.remedy else ""
        typer.echo(visible(f"{check.level:7} {check.name:10} {check.text}{remedy}"))
    raise typer.Exit(0 if healthy(checks) else 1)


def audit_model(folder: Path) -> int:
    """Verify a model of one's own: 0 verified, 1 a failure, 3 the images have changed."""
    from iic.own.audit import audit, status
    from iic.own.bars import bar
    from iic.own.model import OwnModel

    model = OwnModel(folder)
    with library_threads(model.threads), bar("images") as progress:
        said = audit(model, progress)
    for finding in said:
        typer.echo(visible(f"{finding.level:8} {finding.text}"))
    return status(said)
