"""The verb ``recluster``: another number of clusters on a finished run's frozen encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from iic.cli import workflow
from iic.params.errors import IICError
from iic.params.layers import flattened, merged
from iic.params.runs import PARAMS, Plan, Run, load_plan
from iic.records.files import RecordError, write_text
from iic.records.paths import RunPaths

TABLE = "imc_swav_reclustered"
METHOD = "iic.methods.imc_swav.method"
EPOCHS = 20
"""Of the new classifier, where nothing else is asked for."""


def register(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command()(recluster)


def recluster(
    run: Annotated[str, typer.Argument(help="A finished run, e.g. cifar10/imc_swav.")],
    k: Annotated[int, typer.Option("--k", min=2, help="Clusters of the new classifier.")],
    scale: Annotated[str, typer.Option(help="One of the files in params/scales/.")] = "mini",
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help=f"Epochs of the new classifier; {EPOCHS} in a new row."),
    ] = None,
    start: Annotated[
        bool, typer.Option("--run/--no-run", help="Run the workflow, or only add the row.")
    ] = True,
) -> None:
    """Train a new classifier of K clusters on the frozen encoder of RUN, a run of IMC-SwAV.

    It is a run of its own, with a row in params/experiments/imc_swav_reclustered.yaml that is
    added where it is missing.
    """
    base = _base(load_plan(scale), run)
    for seed in base.seeds:
        weights = RunPaths(scale, base.id, seed).weights
        if not weights.exists():
            raise RecordError(
                f"{weights}: missing, and a new classifier needs its encoder\n"
                f"  remedy: iic run --scale {scale} {base.id}, or iic restore"
            )
    name = f"{base.name.replace('-', '_')}_recluster-k{k}_{base.paper_dataset}"
    planned = load_plan(scale).runs.get(f"{base.dataset}/{name}")
    if planned is None:
        _add(base, name, k, epochs or EPOCHS)
    elif epochs not in (None, own := planned.settings.model_dump()["schedule"]["epochs"]):
        raise IICError(
            f"--epochs {epochs}: {planned.id} is a run of {own} epochs at scale {scale}\n"
            f"  remedy: leave it out, or delete the row {name} of {TABLE}"
        )
    if start:
        workflow.run([f"{base.dataset}/{name}"], scale)


def _base(of_scale: Plan, name: str) -> Run:
    """The run to start from, which trained an encoder of IMC-SwAV, at a scale with the table."""
    base = of_scale.run(name)
    if base.method != METHOD or base.settings.base is not None:
        fitting = [
            run.id
            for run in of_scale.runs.values()
            if run.method == METHOD and run.settings.base is None
        ]
        raise IICError(
            f"{name}: a classifier can be trained anew on a run that trained an encoder of IMC-SwAV"
            f"\n  allowed: {', '.join(fitting) or f'none at scale {of_scale.scale.name}'}"
        )
    if TABLE not in of_scale.tables:
        raise IICError(
            f"params/scales/{of_scale.scale.name}.yaml: tables: {TABLE!r} is not among them\n"
            "  remedy: add it, so that the new run has a place"
        )
    return base


def _like(of_scale: Plan, base: Run) -> str:
    """The run that gives its method, which is what a new row may start from."""
    rows = [row for table in of_scale.tables.values() for row in table.rows if row.defines]
    return next(row.like or base.name for row in rows if row.run == base.name)


def _settings(of_scale: Plan, base: Run, k: int, epochs: int) -> str:
    """What the new run has other than the run that gives its method, as a mapping of YAML."""
    dataset = base.paper_dataset
    own = flattened(of_scale.definitions[f"{dataset}/{base.name}"].own)
    new: dict[str, Any] = {"start_from": base.name, "k": k, "schedule": {"epochs": epochs}}
    if k > len(of_scale.datasets[base.dataset].classes):
        new["evaluation"] = {"matching": "many_to_one"}
    if base.settings.model_dump()["joint"]:
        # a frozen encoder has no gradient
        new["joint"] = False
    mapping = {dataset: merged(own, new)}
    return yaml.safe_dump(mapping, default_flow_style=True, sort_keys=False, width=1000).strip()


def _add(base: Run, name: str, k: int, epochs: int, params: Path = PARAMS) -> None:
    """Add the run's row to the table; where it fits some scale ill, the file stays as it was.

    Raises:
        SettingsError: The new run does not fit its dataset.
    """
    file = params / "experiments" / f"{TABLE}.yaml"
    before = file.read_text(encoding="utf-8")
    of_scale = load_plan(base.scale, params)
    row = (
        f'  - row: "k = {k} on {base.paper_dataset}, from {base.name}"\n'
        f"    run: {name}\n"
        f"    like: {_like(of_scale, base)}\n"
        f"    fidelity: corrected\n"
        f"    datasets: {_settings(of_scale, base, k, epochs)}\n"
    )
    write_text(file, before.rstrip("\n") + "\n" + row)
    load_plan.cache_clear()
    try:
        load_plan(base.scale, params)
    except IICError:
        write_text(file, before)
        load_plan.cache_clear()
        raise
    print(f"{file}: row {name} added")
