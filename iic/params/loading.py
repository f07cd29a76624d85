"""Reading of YAML settings into models, with errors that a person can act on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from pydantic import BaseModel, ValidationError

from iic.params.base import Model
from iic.params.errors import SettingsError
from iic.params.escaping import quoted
from iic.params.explain import explained, keys_of, show
from iic.params.layers import merged

M = TypeVar("M", bound=Model)

PLAIN = (str, bool, int, float, type(None))
DEEPEST = 50
"""Levels of nesting: ten times what any settings need, and far from Python's own limit."""


LARGEST, MOST_NODES = 10_000_000, 200_000
"""Bytes of a file; texts, lists and mappings in it, those that aliases repeat counted each time."""
LARGEST_NUMBER = 1 << 63


class _StrictLoader(yaml.CSafeLoader):
    """Safe YAML in which a key given twice is an error, not a silent override."""


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        if not isinstance(key_node, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(
                problem="a key has to be text, not a list or a mapping",
                problem_mark=key_node.start_mark,
            )
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


def _check_size(text: str) -> None:
    """Refuse what would take the loader without end: deep nesting, aliases of aliases of aliases.

    Raises:
        yaml.MarkedYAMLError: It would.
    """
    sizes: dict[str, int] = {}
    begun: list[tuple[str | None, int]] = [(None, 0)]
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        size = 0
        if isinstance(event, yaml.CollectionStartEvent):
            begun.append((event.anchor, 1))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = begun.pop()
            sizes[anchor or ""] = size
        elif isinstance(event, yaml.AliasEvent):
            size = sizes.get(event.anchor or "", 1)
        elif isinstance(event, yaml.ScalarEvent):
            size = 1
        anchor, before = begun[-1]
        begun[-1] = anchor, before + size
        problem = "nested too deeply" if len(begun) > 2 * DEEPEST else None
        if before + size > MOST_NODES:
            problem = (
                f"more than {MOST_NODES:,} texts, lists and mappings, with what aliases repeat"
            )
        if problem:
            mark = cast(yaml.Mark, event.start_mark)
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def read_yaml(path: Path) -> Any:
    """Content of a YAML file: text, numbers, true, false, null, lists, and mappings by text.

    Raises:
        SettingsError: The file is absent, unreadable, no YAML, gives a key twice, or holds
            anything else.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise SettingsError(str(path), "", f"has more than {LARGEST:,} bytes")
        text = content.decode()
    except FileNotFoundError:
        raise SettingsError(str(path), "", "no such file") from None
    except UnicodeDecodeError as error:
        raise SettingsError(
            str(path), "", f"byte {error.start} is no UTF-8", allowed="text in UTF-8"
        ) from None
    except OSError as error:
        raise SettingsError(str(path), "", f"cannot be read: {error.strerror}") from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, file: str) -> Any:
    """What YAML from anywhere says, as `read_yaml` gives it.

    Raises:
        SettingsError: It is no such YAML; names `file`.
    """
    try:
        _check_size(text)
        value = yaml.load(text, Loader=_StrictLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SettingsError(file, where, f"no valid YAML: {error.problem}") from None
    except Exception as error:
        # the tags of numbers, dates and bytes raise anything where the text does not fit them
        reason = " ".join(str(error).split()) or type(error).__name__
        raise SettingsError(file, "", f"no valid YAML: {reason}") from None
    _check_plain(value, file, ())
    return value


def _check_plain(value: Any, file: str, path: tuple[str, ...]) -> None:
    key = ".".join(path)
    if len(path) > DEEPEST:
        raise SettingsError(file, ".".join(path[:3]), "nested too deeply")
    elif isinstance(value, list):
        for index, part in enumerate(value):
            _check_plain(part, file, (*path, str(index)))
    elif isinstance(value, dict):
        for name, part in value.items():
            if not isinstance(name, str):
                raise SettingsError(
                    file,
                    key,
                    f"key {show(name)} is no text",
                    allowed=f'text, in quotes where YAML takes it for another thing: "{name}"',
                )
            _check_plain(part, file, (*path, name))
    elif isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        raise SettingsError(file, key, "the number has more than 64 bits")
    elif not isinstance(value, PLAIN):
        raise SettingsError(
            file,
            key,
            f"{quoted(value)} is a {type(value).__name__}",
            allowed="text, a number, true, false, null, a list or a mapping; text that looks like "
            "a date in quotes",
        )


def _filled(model: type[BaseModel], value: Any) -> Any:
    """`value` with what a model's own default for a block sets, where the block is given in part.

    pydantic alone would take what is left out from the block's class: ``optimiser: {learning_rate:
    0.1}`` would take a method's weight decay away.
    """
    if not isinstance(value, Mapping):
        return value
    filled = dict(value)
    for name in filled.keys() & model.model_fields.keys():
        default = model.model_fields[name].default
        if isinstance(default, BaseModel) and isinstance(value[name], Mapping):
            kept = default.model_dump(mode="json", exclude_unset=True)
            filled[name] = merged(kept, _filled(type(default), value[name]))
    return filled


def validate(model: type[M], value: Any, file: str, key: str = "") -> M:
    """`value` as a `model`.

    What a block leaves out is as in the model's own default for that block.

    Args:
        model: The settings model.
        value: What was read from YAML.
        file: File to name in an error.
        key: Dotted path of `value` inside the file.

    Raises:
        SettingsError: For the first thing that is wrong, by file, key, value and what is allowed.
    """
    if value is None and not key:
        raise SettingsError(file, "", "the file is empty", allowed=keys_of(model))
    try:
        # strict JSON mode takes lists for tuples, and nothing looser
        given = json.dumps(_filled(model, value), allow_nan=True, default=str)
        return model.model_validate_json(given)
    except ValidationError as error:
        raise explained(error, model, value, file, key) from None
