"""Reading of YAML settings into models, with errors that a person can act on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from iic.params.base import Model
from iic.params.errors import SettingsError

M = TypeVar("M", bound=Model)


class _StrictLoader(yaml.CSafeLoader):
    """Safe YAML in which a key given twice is an error, not a silent override."""


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        key = loader.construct_object(key_node, deep=True)
        if key in keys:
            line = key_node.start_mark.line + 1
            raise yaml.MarkedYAMLError(
                problem=f"key {key!r} is given twice (again on line {line})",
                problem_mark=key_node.start_mark,
            )
        keys.add(key)
    loader.flatten_mapping(node)
    return dict(loader.construct_pairs(node, deep=True))


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(path: Path) -> Any:
    """Content of a YAML file.

    Raises:
        SettingsError: The file is absent, unreadable, no YAML, or gives a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(str(path), "", "no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(str(path), "", f"cannot be read: {error}") from error
    try:
        return yaml.load(text, Loader=_StrictLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SettingsError(str(path), where, f"no valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise SettingsError(str(path), "", f"no valid YAML: {error}") from None


def validate(model: type[M], value: Any, file: str, key: str = "") -> M:
    """`value` as a `model`.

    Args:
        model: The settings model.
        value: What was read from YAML.
        file: File to name in an error.
        key: Dotted path of `value` inside the file.

    Raises:
        SettingsError: For the first thing that is wrong, by file, key, value and what is allowed.
    """
    try:
        # strict JSON mode takes lists for tuples and strings for dates, and nothing looser
        return model.model_validate_json(json.dumps(value, allow_nan=True, default=str))
    except ValidationError as error:
        raise _settings_error(error, model, value, file, key) from None


def _settings_error(
    error: ValidationError, model: type[BaseModel], value: Any, file: str, key: str
) -> SettingsError:
    details = sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    first = details[0]
    location = _keys_only(first["loc"], value)
    path = ".".join(part for part in (key, *(str(one) for one in location)) if part)
    kind, given = first["type"], first["input"]
    if kind == "extra_forbidden":
        word = str(location[-1])
        known = _known_keys(model, location[:-1])
        allowed = ", ".join(known) if known else None
        problem = f"unknown key {word!r} (value {_show(given)})"
        return SettingsError(file, path, problem, allowed=allowed, candidates=known, given=word)
    if kind == "missing":
        return SettingsError(file, path, "missing, and it has no default")
    context = first.get("ctx", {})
    if kind in {"literal_error", "enum", "union_tag_invalid"}:
        expected = str(context.get("expected", context.get("expected_tags", "")))
        words = [word.strip(" '") for word in expected.replace(" or ", ",").split(",")]
        word = str(context.get("tag", given))
        return SettingsError(
            file, path, f"{_show(word)} is none of the known values",
            allowed=expected, candidates=words, given=word,
        )  # fmt: skip
    if kind == "value_error":
        return SettingsError(file, path, f"{context.get('error', first['msg'])}")
    return SettingsError(file, path, f"{_show(given)} does not fit", allowed=first["msg"])


def _keys_only(location: tuple[int | str, ...], value: Any) -> tuple[int | str, ...]:
    """Drop the tags that pydantic puts into a location for unions; they are no keys of the file."""
    kept: list[int | str] = []
    for part in location:
        if isinstance(value, Mapping) and part in value:
            kept.append(part)
            value = value[part]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            kept.append(part)
            value = value[part]
        elif part == location[-1]:
            kept.append(part)
    return tuple(kept)


def _known_keys(model: Any, location: tuple[int | str, ...]) -> list[str]:
    """Field names of the model at `location`, gathered over the members of a union."""
    models = _models_in(model)
    for part in location:
        following: list[Any] = []
        for one in models:
            field = one.model_fields.get(part) if isinstance(part, str) else None
            if field is not None:
                following += _models_in(field.annotation)
        models = following or models
    return sorted({name for one in models for name in one.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
