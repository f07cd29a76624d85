"""Which settings count for what: the part of ``params/`` that each fingerprint hashes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from iic.params.datasets import Dataset
from iic.params.experiments import Table
from iic.params.runs import Plan, Run


def influencing(settings: BaseModel) -> dict[str, Any]:
    """Settings as JSON, without the fields that have no influence on a result, at any depth.

    Those are marked with ``json_schema_extra={"no_influence": True}``.
    """
    values: dict[str, Any] = settings.model_dump(mode="json")
    for name, field in type(settings).model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and extra.get("no_influence"):
            del values[name]
        else:
            values[name] = _influencing(getattr(settings, name), values[name])
    return values


def _influencing(value: Any, plain: Any) -> Any:
    """`plain`, the JSON of `value`, without what the models in it mark."""
    if isinstance(value, BaseModel):
        return influencing(value)
    if isinstance(value, Mapping):
        # JSON has the same entries in the same order, under keys of text
        pairs = zip(value.values(), plain.items(), strict=True)
        return {key: _influencing(inner, json_of) for inner, (key, json_of) in pairs}
    if isinstance(value, list | tuple):
        return [_influencing(*both) for both in zip(value, plain, strict=True)]
    return plain


def prepared(entry: Dataset) -> dict[str, Any]:
    """What decides how raw files become arrays."""
    settings = entry.model_dump(mode="json", include={"classes", "image", "stand_in", "module"})
    if entry.maps is not None:
        settings["maps"] = entry.maps.model_dump(mode="json")
    # images lie in the order of the splits, and the hash knows no order of keys
    return {**settings, "splits": [list(split) for split in entry.splits.items()]}


def evaluated(run: Run, entry: Dataset) -> dict[str, Any]:
    """What decides how a run's assignments are scored."""
    settings = run.settings.evaluation.model_dump(mode="json")
    splits = [list(split) for split in entry.splits.items()]
    return {"classes": len(entry.classes), "splits": splits, **settings}


def used(plan: Plan) -> dict[str, Any]:
    """The datasets of a scale as they are prepared, and which splits its runs use for what."""
    runs = {}
    for run in plan.runs.values():
        settings = run.settings.model_dump(mode="json")
        splits = {
            name: part["splits"]
            for name, part in settings.items()
            if isinstance(part, dict) and "splits" in part
        }
        runs[run.id] = {**splits, "test": settings["evaluation"]["test"]}
    datasets = {name: prepared(entry) for name, entry in plan.datasets.items()}
    return {"places": dict(plan.scale.datasets), "datasets": datasets, "runs": runs}


def shown(plan: Plan, runs: Iterable[Run] = (), table: Table | None = None) -> dict[str, Any]:
    """What a display says of the scale, and of those datasets and runs that it shows.

    Nothing else of the scale, so that a display which is added or removed leaves the others alone.
    """
    runs = list(runs)
    scale = plan.scale.model_dump(
        mode="json", include={"name", "description", "machine", "real", "skip_reason"}
    )
    columns = {run.paper_dataset for run in runs}
    if table is not None:
        columns |= set(table.datasets)
        of_table = {run for row in table.rows for run in row.runs}
        running = {plan.scale.datasets.get(column) for column in columns}
        cells = (f"{dataset}/{run}" for dataset in running for run in of_table)
        scale["skip"] = sorted(cell for cell in cells if plan.scale.skips(cell))
    scale["datasets"] = {
        paper: dataset for paper, dataset in plan.scale.datasets.items() if paper in columns
    }
    fields = {"title", "stand_in", "classes", "image"} | ({"citation"} if table else set())
    datasets = {
        name: plan.datasets[name].model_dump(mode="json", include=fields)
        for name in scale["datasets"].values()
    }
    described = {
        run.id: {"seeds": list(run.seeds), "fidelity": run.fidelity, "note": run.note}
        for run in runs
    }
    return {"scale": scale, "datasets": datasets, "runs": described}
