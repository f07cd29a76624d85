"""Pydantic's errors retold: file, key, value, what is allowed, and the nearest known word."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError

from iic.params.errors import SettingsError


def explained(
    error: ValidationError, model: type[BaseModel], value: Any, file: str, key: str
) -> SettingsError:
    """The first of pydantic's errors as a person wants it told.

    Args:
        error: What pydantic raised.
        model: The model that `value` does not fit.
        value: What was read.
        file: File to name.
        key: Dotted path of `value` inside the file.
    """
    # a misspelt key is the cause of the key that is missing, so it is told first
    details = sorted(error.errors(), key=lambda detail: detail["type"] != "extra_forbidden")
    first = details[0]
    location = _keys_only(first["loc"], value)
    kind, given, context = first["type"], first["input"], first.get("ctx", {})
    if kind == "union_tag_not_found":
        unknown = [name for name in given if name not in _known_keys(model, location, value)]
        # the key that tells the models apart may be there, but misspelt
        kind = "extra_forbidden" if unknown else "missing"
        location = (*location, unknown[0] if unknown else _discriminator(context))
        given = given[unknown[0]] if unknown else given
    path = ".".join(part for part in (key, *(str(step) for step in location)) if part)
    if kind == "extra_forbidden":
        word = str(location[-1])
        names = _known_keys(model, location[:-1], value)
        problem = f"unknown key {word!r} (value {show(given)})"
        return SettingsError(
            file, path, problem, allowed=", ".join(names) or None, candidates=names, given=word
        )
    if kind == "missing":
        words = _tags(model, location, value)
        return SettingsError(
            file, path, "missing, and it has no default", allowed=", ".join(words) or None
        )
    if kind in {"literal_error", "enum", "union_tag_invalid"}:
        expected = str(context.get("expected", context.get("expected_tags", "")))
        words = [word.strip(" '") for word in expected.replace(" or ", ",").split(",")]
        if kind == "union_tag_invalid":
            path = f"{path}.{_discriminator(context)}"
            given = context["tag"]
        return SettingsError(
            file,
            path,
            f"{show(given)} is none of the known values",
            allowed=expected,
            candidates=words,
            given=str(given),
        )
    if kind == "value_error":
        return SettingsError(file, path, f"{context.get('error', first['msg'])}")
    return SettingsError(
        file,
        path,
        f"{show(given)} does not fit",
        allowed=_words(first["msg"]),
        candidates=_folders(given, context.get("pattern")),
        given=str(given),
    )


def _folders(given: Any, pattern: Any) -> list[str]:
    """The text as a folder, where this alone makes it fit a pattern: ``a`` as ``./a/``."""
    if not isinstance(given, str) or not isinstance(pattern, str):
        return []
    folder = f"{given.rstrip('/')}/"
    forms = [folder] if "://" in folder else [folder, f"./{folder}"]
    return [form for form in forms if re.fullmatch(pattern, form)]


def _discriminator(context: Mapping[str, Any]) -> str:
    """The key that tells the members of a union apart."""
    return str(context["discriminator"]).strip("'")


def _words(message: str) -> str:
    """Pydantic's message in the words of YAML."""
    message = message.removeprefix("Input should be ")
    return {
        "an object": "a mapping of keys",
        "a valid dictionary": "a mapping of keys",
        "a valid array": "a list",
        "a valid string": "text",
        "a valid boolean": "true or false",
        "a valid integer": "a whole number",
        "a valid number": "a number",
    }.get(message, message)


def _keys_only(location: tuple[int | str, ...], value: Any) -> tuple[int | str, ...]:
    """Drop the tags that pydantic puts into a location for unions; they are no keys of the file."""
    kept: list[int | str] = []
    for position, part in enumerate(location):
        if isinstance(value, Mapping) and part in value:
            kept.append(part)
            value = value[part]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            kept.append(part)
            value = value[part]
        elif position == len(location) - 1 and part != "[key]":
            kept.append(part)
    return tuple(kept)


def keys_of(model: type[BaseModel]) -> str:
    """The keys of a model, in a line."""
    return ", ".join(sorted(model.model_fields))


def _known_keys(model: type[BaseModel], location: tuple[int | str, ...], value: Any) -> list[str]:
    """Field names of the model at `location`; of a union, of the member that `value` names."""
    return sorted(
        {
            name
            for candidate in _models_at(model, location, value)
            for name in candidate.model_fields
        }
    )


def _tags(model: type[BaseModel], location: tuple[int | str, ...], value: Any) -> list[str]:
    """What the missing key `location` may hold where it tells the members of a union apart."""
    fields = [
        candidate.model_fields.get(str(location[-1]))
        for candidate in _models_at(model, location[:-1], value)
    ]
    return [
        str(word)
        for field in fields
        if field is not None and get_origin(field.annotation) is Literal
        for word in get_args(field.annotation)
    ]


def _models_at(
    model: type[BaseModel], location: tuple[int | str, ...], value: Any
) -> list[type[BaseModel]]:
    models = [model]
    for part in location:
        following: list[type[BaseModel]] = []
        for candidate in models:
            field = candidate.model_fields.get(part) if isinstance(part, str) else None
            if field is not None:
                following += _models_in(field.annotation)
        # a key of a dict and an index of a list lead to no other model
        models = following or models
        value = _inside(value, part)
        if len(models) > 1:
            models = [meant for meant in models if _is_meant(meant, value)] or models
    return models


def _inside(value: Any, part: int | str) -> Any:
    if isinstance(value, Mapping):
        return value.get(part)
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return value[part]
    return None


def _is_meant(model: type[BaseModel], value: Any) -> bool:
    """Whether the words that `value` has for the model's literal fields are words of the model."""
    return isinstance(value, Mapping) and all(
        value[name] in get_args(field.annotation)
        for name, field in model.model_fields.items()
        if name in value and get_origin(field.annotation) is Literal
    )


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


def show(value: Any) -> str:
    """A value as an error quotes it: in the words of YAML, cut where it is long."""
    text = {True: "true", False: "false", None: "null"}[value] if _is_word(value) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _is_word(value: Any) -> bool:
    return value is None or isinstance(value, bool)
