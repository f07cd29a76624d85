"""JSON schemas of pydantic models, made fit for an editor and for csv files.

Pydantic writes the schema; here it is made as strict as the reader of the files (no unknown keys),
loosened where a file gives only a part of the settings, and freed of noise.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
NAMED = ("properties", "patternProperties", "$defs")
"""Keywords whose value holds schemas by name."""
NESTED = ("items", "additionalProperties", "not", "if", "then", "else", "propertyNames")
LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")
WHOLE_NUMBER = r"^\d+$"
DECIMAL = r"^-?\d+(\.\d+)?$"


def of_model(model: type[BaseModel]) -> Schema:
    """The schema of files that are read as `model`."""
    return tidy(model.model_json_schema(mode="validation"))


def of_output(model: type[BaseModel]) -> Schema:
    """The schema of what is written from `model` and never read: computed values are part of it."""
    return tidy(model.model_json_schema(mode="serialization"))


def of_models(models: Sequence[type[BaseModel]]) -> tuple[list[Schema], Schema]:
    """References to several models, and the definitions that they share.

    Returns:
        One ``{"$ref": ...}`` a model, and the definitions by name.
    """
    references_by_model, schemas = models_json_schema([(model, "validation") for model in models])
    references = [dict(references_by_model[model, "validation"]) for model in models]
    definitions: Schema = {
        name: tidy(definition, named=True) for name, definition in schemas.get("$defs", {}).items()
    }
    return references, definitions


def of_top_model(top: type[BaseModel], *others: type[BaseModel]) -> tuple[Schema, Schema]:
    """The schema of `top` without its definitions, and the definitions of all models."""
    (reference, *_), definitions = of_models([top, *others])
    schema: Schema = definitions.pop(reference["$ref"].rsplit("/", 1)[1])
    return schema, definitions


def of_csv(columns: Mapping[str, Schema], title: str, description: str) -> Schema:
    """The schema of one line of a csv: an object of texts, an empty text where there is none."""
    return {
        "title": title,
        "description": description,
        "type": "object",
        "properties": dict(columns),
        "required": list(columns),
        "additionalProperties": False,
    }


def csv_columns(model: type[BaseModel]) -> dict[str, Schema]:
    """The columns of a csv whose lines are a `model`; numbers are digits, None is empty."""
    schema = of_model(model)
    columns = {}
    for name, column_schema in schema["properties"].items():
        choices = column_schema.get("anyOf", [column_schema])
        # a decimal number may be given as a number or as its text
        number = {"type": "number"} in choices
        texts = [_as_text(choice) for choice in choices if not (number and _is_text(choice))]
        column = texts[0] if len(texts) == 1 else {"anyOf": texts}
        if "description" in column_schema:
            column["description"] = column_schema["description"]
        columns[name] = column
    return columns


def _is_text(schema: Schema) -> bool:
    return schema.get("type") == "string"


def _as_text(schema: Schema) -> Schema:
    kind = schema.get("type")
    if kind == "null":
        return {"const": ""}
    if kind in ("integer", "number"):
        return {"type": "string", "pattern": WHOLE_NUMBER if kind == "integer" else DECIMAL}
    kept = {
        key: value for key, value in schema.items() if key in ("type", "enum", "const", "pattern")
    }
    # a text that may be empty is the other choice, if it is one
    return kept if len(kept) > 1 else {**kept, "minLength": 1}


def tidy(schema: Schema, named: bool = False) -> Schema:
    """A copy without titles of single values, with descriptions on one line and closed objects.

    Args:
        schema: The schema.
        named: Whether it keeps its title, as models do.
    """

    def change(node: Schema) -> Schema:
        if node.get("type") != "object" or "properties" not in node:
            node.pop("title", None)
        if isinstance(text := node.get("description"), str):
            paragraphs = re.split(r"\n\s*\n", text)
            node["description"] = "\n\n".join(" ".join(part.split()) for part in paragraphs)
        if "patternProperties" in node:
            node.setdefault("additionalProperties", False)
        return node

    title = schema.get("title")
    result = walked(schema, change)
    return {**result, "title": title} if named and title else result


def partial(schema: Schema) -> Schema:
    """A copy for files that give a part of the settings: nothing is required, at any depth."""

    def change(node: Schema) -> Schema:
        node.pop("required", None)
        node.pop("discriminator", None)
        if "oneOf" in node:
            # without the key that tells them apart, a part may fit several
            node["anyOf"] = node.pop("oneOf")
        return node

    return walked(schema, change)


def union(schemas: Iterable[Schema]) -> Schema:
    """An object that has the keys of any of `schemas`, each as one of those that have it."""
    keys: dict[str, list[Schema]] = {}
    for schema in schemas:
        for name, property_schema in schema["properties"].items():
            choices = keys.setdefault(name, [])
            if all(_meaning(property_schema) != _meaning(other) for other in choices):
                choices.append(property_schema)
    properties = {
        name: alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}
        for name, alternatives in sorted(keys.items())
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


def reachable(references: Iterable[Schema], definitions: Schema) -> set[str]:
    """Names of the definitions that schemas refer to, directly or through others."""
    names: set[str] = set()
    pending = [*references]
    while pending:
        text = str(pending.pop())
        for name in re.findall(r"#/\$defs/(\w+)", text):
            if name not in names:
                names.add(name)
                pending.append(definitions[name])
    return names


def walked(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """A deep copy in which `change` was called on every schema, the inner ones first."""
    result = copy.deepcopy(schema)
    for keyword in NAMED:
        if keyword in result:
            result[keyword] = {name: _inner(part, change) for name, part in result[keyword].items()}
    for keyword in NESTED:
        if keyword in result:
            result[keyword] = _inner(result[keyword], change)
    for keyword in LISTED:
        if keyword in result:
            result[keyword] = [_inner(part, change) for part in result[keyword]]
    return change(result)


def _inner(schema: Any, change: Callable[[Schema], Schema]) -> Any:
    return walked(schema, change) if isinstance(schema, dict) else schema


def _meaning(schema: Schema) -> Schema:
    """What a schema allows, whatever it says about that."""
    return {key: value for key, value in schema.items() if key not in ("description", "default")}
