"""The verbs ``export ...``: what is known here, in forms that other programs read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from iic.cli.own import ModelArgument
from iic.cli.own_clone import require_clone
from iic.params.errors import IICError

export = typer.Typer(help="Write what other programs read.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.add_typer(export, name="export")


@export.callback()
def _setup(context: typer.Context) -> None:
    if context.invoked_subcommand not in ("onnx", "torch"):
        require_clone()


@export.command()
def schemas(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Folder for all schemas, also those of the methods' settings. Without it, "
            "docs/schemas/ is written, without these."
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; fail where a schema is out of date.")
    ] = False,
) -> None:
    """Write the JSON schemas of settings and records."""
    from iic.provenance.schemas.publish import FOLDER, differing, publish, write_all

    if folder is not None:
        print(f"{len(write_all(folder))} schemas written to {folder}")
    elif not check:
        for path in publish():
            print(path)
    elif wrong := differing():
        raise IICError(
            f"{FOLDER}: out of date with the models: {', '.join(path.name for path in wrong)}\n"
            "  remedy: run `iic export schemas` and commit what it writes"
        )


@export.command()
def operations(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; fail where the file is out of date.")
    ] = False,
) -> None:
    """Count the operations of all scales' networks, from which `iic status` estimates hours.

    Networks are built without numbers, so this takes no memory, and about half a minute.
    """
    from iic.networks.operations import counted
    from iic.params.operations import FILE, text
    from iic.params.runs import load_plan, scale_names
    from iic.records.files import write_text

    content = text(counted(load_plan(scale) for scale in scale_names()))
    if not check:
        write_text(FILE, content)
        print(FILE)
    elif not FILE.is_file() or FILE.read_text(encoding="utf-8") != content:
        raise IICError(
            f"{FILE}: out of date with networks or params\n"
            "  remedy: run `iic export operations` and commit what it writes"
        )


@export.command()
def rocrate(
    folder: Annotated[Path, typer.Argument(help="Folder of results, e.g. results/mini.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Where the crate goes; scratch/rocrate/SCALE if not given."),
    ] = None,
    zipped: Annotated[
        bool, typer.Option("--zip", help="Write one zip file, not a folder.")
    ] = False,
    artifacts: Annotated[
        bool, typer.Option("--artifacts", help="Put weights and probabilities in as well.")
    ] = False,
    unverified: Annotated[
        bool,
        typer.Option("--unverified", help="Export results that do not verify; the crate says so."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier crate.")] = False,
) -> None:
    """Write results as a Workflow Run RO-Crate: jobs, settings, code, receipts and tables.

    Prepared and raw data are named by hash and source, and not put in.
    """
    from iic.provenance.crate.export import export as write

    done = write(
        folder, out, zipped=zipped, artifacts=artifacts, unverified=unverified, force=force
    )
    typer.echo(f"{done.out}: {done.jobs} jobs")
    if done.failures:
        typer.echo(f"NOT VERIFIED: {done.failures} checks failed, and the crate says so")


@export.command()
def excerpt(
    run: Annotated[str, typer.Option(help="Such as mnist/iic-fast.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the run.")] = 0,
    scale: Annotated[str, typer.Option(help="One of the files in params/scales/.")] = "laptop",
) -> None:
    """Write the part of a run's weights from which `iic audit` computes its predictions again.

    It lies beside the run's receipt, where git keeps it, so that a fresh clone can do the same.
    """
    from iic.params.runs import load_plan
    from iic.provenance.excerpting import take_excerpt

    plan = load_plan(scale)
    plan.run(run)
    typer.echo(take_excerpt(plan, run, seed))


@export.command("torch")
def torch_program(
    model: ModelArgument,
    out: Annotated[Path | None, typer.Option(help="MODEL/model.pt2 if not given.")] = None,
) -> None:
    """Write a model of your own for `torch.export.load`, which opens it without this package."""
    from iic.own.model import OwnModel
    from iic.own.portable import export_torch

    path = out or model / "model.pt2"
    export_torch(OwnModel(model), path)
    typer.echo(path)


@export.command()
def onnx(
    model: ModelArgument,
    out: Annotated[Path | None, typer.Option(help="MODEL/model.onnx if not given.")] = None,
) -> None:
    """Write a model of your own as ONNX, which other programs and languages run."""
    from iic.own.model import OwnModel
    from iic.own.portable import export_onnx

    path = out or model / "model.onnx"
    export_onnx(OwnModel(model), path)
    typer.echo(path)
