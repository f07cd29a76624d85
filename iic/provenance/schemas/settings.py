"""Schemas of the files in ``params/`` and of each method's settings."""

from __future__ import annotations

from iic.params.datasets import Dataset
from iic.params.experiments import DOTTED, Table
from iic.params.method import MethodSettings, settings_model
from iic.params.modules import method_modules
from iic.params.scales import Scale
from iic.provenance.schemas.derive import (
    WHOLE_NUMBER,
    Schema,
    of_csv,
    of_models,
    of_top_model,
    partial,
    reachable,
    union,
)
from iic.publish.learning_curves import COLUMNS as CURVES
from iic.publish.published import MARKS, NUMBERS, PLACES, TOLERANCES

PERCENT = r"^\d+(\.\d+)?$"


def methods() -> list[str]:
    """Dotted paths of all methods."""
    return method_modules()


def settings_of(method: str) -> type[MethodSettings]:
    """The settings of one of `methods`."""
    return settings_model(method, "iic/methods", method)


def scale_schema() -> Schema:
    """A scale's file, whole, or a part where it extends another; settings are of any method."""
    schema, definitions = of_top_model(Scale)
    required = schema.pop("required")
    schema["required"] = ["name"]
    schema["anyOf"] = [
        {"properties": {"extends": {"type": "string"}}, "required": ["extends"]},
        {"required": required},
    ]
    parts, shared = _partial_settings()
    anything = {"$ref": "#/$defs/AnySettings"}
    properties = schema["properties"]
    for pattern in properties["defaults"]["patternProperties"]:
        properties["defaults"]["patternProperties"][pattern] = anything
    properties["changes"]["additionalProperties"] = anything
    schema["$defs"] = {
        **definitions,
        **shared,
        "AnySettings": union(shared[name] for name in parts.values()),
    }
    return schema


def experiments_schema() -> Schema:
    """A table's file; settings are those of the row's method, or of any where it is ``like``."""
    schema, definitions = of_top_model(Table)
    parts, shared = _partial_settings()
    row = definitions["Row"]
    row["properties"]["method"]["anyOf"][:1] = [
        {"enum": list(parts)},
        # a method of another package, of whose settings nothing is known here
        {"type": "string", "pattern": DOTTED, "not": {"pattern": r"^iic\."}},
    ]
    row["allOf"] = [
        _settings_of({"const": method}, {"$ref": f"#/$defs/{name}"})
        for method, name in parts.items()
    ]
    row["allOf"].append(
        {
            "if": {"properties": {"like": {"type": "string"}}, "required": ["like"]},
            "then": _both({"$ref": "#/$defs/AnySettings"}),
        }
    )
    schema["$defs"] = {
        **definitions,
        **shared,
        "AnySettings": union(shared[name] for name in parts.values()),
    }
    return schema


def catalogue_schema() -> Schema:
    """The catalogue: datasets by name."""
    (reference,), definitions = of_models([Dataset])
    return {
        "title": "Catalogue",
        "description": "All datasets by name.",
        "type": "object",
        "minProperties": 1,
        "patternProperties": {r"^[a-z0-9_]+$": reference},
        "additionalProperties": False,
        "$defs": definitions,
    }


def numbers_schema() -> Schema:
    """A line of a table's published numbers."""
    columns: dict[str, Schema] = {name: {"type": "string"} for name in NUMBERS}
    columns["value"] = {"type": "string", "pattern": PERCENT}
    columns["std"] = {"type": "string", "pattern": f"^$|{PERCENT}"}
    columns["source"] = {"type": "string", "minLength": 1}
    return of_csv(columns, "Number", "One number as the paper prints it, in percent.")


def marks_schema() -> Schema:
    """A line of the marks' meanings."""
    columns: dict[str, Schema] = {name: {"type": "string", "minLength": 1} for name in MARKS}
    columns["mark"] = {"type": "string", "minLength": 1, "maxLength": 1}
    columns["place"] = {"enum": list(PLACES)}
    return of_csv(columns, "Mark", "A sign beside a name or a number, explained in the legend.")


def tolerances_schema() -> Schema:
    """A line of the tolerances."""
    columns: dict[str, Schema] = {name: {"type": "string", "minLength": 1} for name in TOLERANCES}
    columns["tolerance"] = {"type": "string", "pattern": PERCENT}
    return of_csv(columns, "Tolerance", "Percentage points that count as reproduced.")


def curves_schema() -> Schema:
    """A line of the learning curves that the authors' logs show."""
    columns: dict[str, Schema] = {name: {"type": "string", "minLength": 1} for name in CURVES}
    columns |= {name: {"type": "string", "pattern": PERCENT} for name in ("best", "mean")}
    columns["epoch"] = {"type": "string", "pattern": WHOLE_NUMBER}
    return of_csv(columns, "Epoch", "One epoch of a run, as logged by the authors; in percent.")


def _partial_settings() -> tuple[dict[str, str], Schema]:
    """Dotted path of each method -> its definition; and all definitions, nothing required."""
    modules = methods()
    references, definitions = of_models([settings_of(name) for name in modules])
    names = [reference["$ref"].rsplit("/", 1)[1] for reference in references]
    used = reachable(references, definitions)
    return dict(zip(modules, names, strict=True)), {
        name: partial(definitions[name]) for name in definitions if name in used
    }


def _settings_of(method: Schema, settings: Schema) -> Schema:
    condition = {"properties": {"method": method}, "required": ["method"]}
    return {"if": condition, "then": _both(settings)}


def _both(settings: Schema) -> Schema:
    """A row's settings on every dataset, and those by dataset."""
    return {"properties": {"settings": settings, "datasets": {"additionalProperties": settings}}}
