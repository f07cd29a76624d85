"""From experiments and a scale to runs with resolved, checked settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iic.params.datasets import Dataset
from iic.params.errors import SettingsError, nearest
from iic.params.experiments import Fidelity, Row, Table
from iic.params.loading import validate
from iic.params.method import MethodSettings, settings_model
from iic.params.scales import Scale


@dataclass(frozen=True)
class Run:
    """One training: an experiment on a dataset; with each of its seeds it is one job."""

    scale: str
    id: str
    """``<dataset>/<method>[-<variant>]``."""
    dataset: str
    paper_dataset: str
    """The dataset of the paper's column that this run fills."""
    method: str
    """Dotted path of the method's module."""
    settings: MethodSettings
    seeds: tuple[int, ...]
    fidelity: Fidelity
    note: str | None
    """What a reader of the table must know, e.g. reduced epochs."""

    @property
    def name(self) -> str:
        """``<method>[-<variant>]``."""
        return self.id.split("/")[1]

    @property
    def settings_json(self) -> dict[str, Any]:
        """Resolved settings as JSON."""
        return self.settings.model_dump(mode="json")


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `under`: mappings key by key, everything else replaced."""
    result = dict(under)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


def known(name: str, names: Iterable[str], file: str, key: str, kind: str) -> None:
    """Check that `name` is one of `names`.

    Raises:
        SettingsError: It is not; suggests the nearest.
    """
    names = list(names)
    if name not in names:
        raise SettingsError(
            file, key, f"{name!r} is no known {kind}",
            allowed=", ".join(names), candidates=names, given=name,
        )  # fmt: skip


def resolve(
    scale: Scale,
    scale_file: str,
    tables: Mapping[str, Table],
    catalogue: Mapping[str, Dataset],
    params: Path,
) -> dict[str, Run]:
    """All runs of a scale, in the order of their tables.

    Raises:
        SettingsError: For the first wrong key, type or value, by file, key and value.
    """
    resolved: dict[str, Run] = {}
    defined_in: dict[str, str] = {}
    everywhere: set[str] = set()
    for table in tables.values():
        file = str(params / "experiments" / f"{table.name}.yaml")
        definitions = {row.run: row for row in table.rows if row.defines and row.run}
        for position, row in enumerate(table.rows):
            if not row.defines or row.run is None:
                continue
            method, settings, datasets = _definition(row, definitions, file, position)
            for paper_dataset, own in datasets.items():
                key = f"rows.{position}.datasets.{paper_dataset}"
                known(
                    paper_dataset, [column.dataset for column in table.columns], file, key, "column"
                )
                if f"{paper_dataset}/{row.run}" in defined_in:
                    first = defined_in[f"{paper_dataset}/{row.run}"]
                    raise SettingsError(
                        file, key, f"run {paper_dataset}/{row.run} is already defined in {first}",
                        allowed="one definition; refer to it by run alone",
                    )  # fmt: skip
                defined_in[f"{paper_dataset}/{row.run}"] = file
                if paper_dataset not in scale.datasets:
                    continue
                dataset = scale.datasets[paper_dataset]
                identifier = f"{dataset}/{row.run}"
                everywhere.add(identifier)
                if identifier in scale.skip:
                    continue
                change = scale.changes.get(identifier, {})
                full = merged(merged(settings, own), change)
                resolved[identifier] = Run(
                    scale=scale.name,
                    id=identifier,
                    dataset=dataset,
                    paper_dataset=paper_dataset,
                    method=method,
                    settings=_checked(
                        method, full, catalogue[dataset], file, key, scale_file, identifier, change
                    ),
                    seeds=scale.seeds.get(identifier, scale.seeds["default"]),
                    fidelity=row.fidelity,
                    note=scale.notes.get(identifier),
                )
        _references(table, file, defined_in)
    mentioned = {
        "changes": scale.changes, "skip": scale.skip, "notes": scale.notes,
        "seeds": [name for name in scale.seeds if name != "default"],
    }  # fmt: skip
    for key, names in mentioned.items():
        for name in names:
            known(name, everywhere, scale_file, key, "run of this scale")
    return resolved


def _definition(
    row: Row, definitions: Mapping[str, Row], file: str, position: int
) -> tuple[str, dict[str, Any], dict[str, dict[str, Any]]]:
    """Method, common settings and settings by dataset of a row, `like` followed once."""
    if row.like is None:
        assert row.method is not None
        return row.method, row.settings, row.datasets
    key = f"rows.{position}.like"
    known(row.like, [name for name in definitions if name != row.run], file, key, "run here")
    base = definitions[row.like]
    if base.method is None:
        raise SettingsError(file, key, f"run {row.like!r} itself starts from another run")
    names = row.datasets or base.datasets
    datasets = {
        name: merged(merged(base.datasets.get(name, {}), row.settings), row.datasets.get(name, {}))
        for name in names
    }
    return base.method, base.settings, datasets


def _checked(
    method: str,
    full: dict[str, Any],
    dataset: Dataset,
    file: str,
    key: str,
    scale_file: str,
    identifier: str,
    change: Mapping[str, Any],
) -> MethodSettings:
    model = settings_model(method, file, key.rsplit(".datasets.", 1)[0] + ".method")
    # validate the paper's values and the scale's changes together, but blame the right file
    try:
        settings = validate(model, full, file, key)
    except SettingsError as error:
        inner = error.key.removeprefix(key).strip(".")
        if _touches(change, inner):
            raise _moved(error, file, key, scale_file, f"changes.{identifier}") from None
        raise
    for problem in settings.problems(dataset):
        if _touches(change, problem.key):
            file, key = scale_file, f"changes.{identifier}"
        raise SettingsError(file, f"{key}.{problem.key}", problem.message, allowed=problem.allowed)
    return settings


def _touches(change: Mapping[str, Any], path: str) -> bool:
    value: Any = change
    for part in path.split(".") if path else []:
        if not isinstance(value, Mapping):
            return True
        if part not in value:
            return False
        value = value[part]
    return bool(change)


def _moved(error: SettingsError, file: str, key: str, new_file: str, new_key: str) -> SettingsError:
    text = str(error).replace(f"{file}: {key}", f"{new_file}: {new_key}", 1)
    moved = SettingsError(new_file, new_key, "")
    moved.args = (text,)
    return moved


def _references(table: Table, file: str, defined_in: Mapping[str, str]) -> None:
    names = {name.split("/")[1] for name in defined_in}
    for position, row in enumerate(table.rows):
        if row.run is not None and row.run not in names:
            hint = nearest(row.run, names)
            raise SettingsError(
                file, f"rows.{position}.run", f"run {row.run!r} is defined in no experiments file",
                allowed="give method, or name a defined run" + (f" ({hint}?)" if hint else ""),
            )  # fmt: skip
