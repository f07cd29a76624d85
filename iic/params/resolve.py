"""From definitions and a scale to runs with resolved, checked settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from iic.params.datasets import Dataset
from iic.params.definitions import Definition
from iic.params.errors import SettingsError
from iic.params.experiments import Fidelity, Table
from iic.params.layers import Layer, flattened, given, known, merged, origin
from iic.params.loading import validate
from iic.params.method import MethodSettings
from iic.params.scales import Scale

__all__ = ["Run", "merged", "resolve"]


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


def resolve(
    scale: Scale,
    layers: tuple[Layer, ...],
    tables: Iterable[Table],
    definitions: Mapping[str, Definition],
    catalogue: Mapping[str, Dataset],
) -> dict[str, Run]:
    """All runs of a scale, in the order of its tables.

    Args:
        scale: The scale.
        layers: The scale's file, after the one that it extends.
        tables: The tables that the scale shows.
        definitions: All runs of all experiments, by ``<paper's dataset>/<run>``.
        catalogue: All datasets.

    Raises:
        SettingsError: For the first wrong key, type or value, by file, key and value.
    """
    resolved: dict[str, Run] = {}
    for definition in _shown(scale, tables, definitions):
        dataset = scale.datasets[definition.paper_dataset]
        identifier = f"{dataset}/{definition.id.split('/')[1]}"
        resolved[identifier] = Run(
            scale=scale.name,
            id=identifier,
            dataset=dataset,
            paper_dataset=definition.paper_dataset,
            method=definition.method,
            settings=_settings(definition, identifier, layers, catalogue, dataset),
            seeds=scale.seeds.get(identifier, scale.seeds["default"]),
            fidelity=definition.fidelity,
            note=scale.notes.get(identifier),
        )
    mentioned = {
        "changes": scale.changes, "skip": scale.skip, "notes": scale.notes,
        "seeds": [name for name in scale.seeds if name != "default"],
    }  # fmt: skip
    for key, names in mentioned.items():
        for position, name in enumerate(names):
            path = f"{key}.{position if key == 'skip' else name}"
            place = origin(layers, path).place(path)
            known(name, resolved, place, "run of this scale")
    return {name: run for name, run in resolved.items() if name not in scale.skip}


def _shown(
    scale: Scale, tables: Iterable[Table], definitions: Mapping[str, Definition]
) -> list[Definition]:
    """The definitions that the tables show on the datasets of the scale, each once."""
    shown: dict[str, Definition] = {}
    for table in tables:
        for row in table.rows:
            for column in table.columns:
                identifier = f"{column.dataset}/{row.run}"
                if column.dataset in scale.datasets and identifier in definitions:
                    shown[identifier] = definitions[identifier]
    return list(shown.values())


def _settings(
    definition: Definition,
    identifier: str,
    scale_layers: tuple[Layer, ...],
    catalogue: Mapping[str, Dataset],
    dataset: str,
) -> MethodSettings:
    """The definition's settings with the scale's changes.

    The definition was found right by itself, so what is wrong here is the scale's doing: its
    changes, or the dataset that it runs in place of the paper's.
    """
    path = f"changes.{identifier}"
    changes = [
        Layer(layer.file, path, layer.values["changes"][identifier])
        for layer in scale_layers
        if given([layer], path)
    ] or [Layer(scale_layers[-1].file, path, {})]
    try:
        settings = validate(definition.model, flattened([*definition.layers, *changes]), "", "")
    except SettingsError as error:
        raise error.at(*origin(changes, error.key).place(error.key)) from None
    for problem in settings.problems(catalogue[dataset]):
        unchecked = definition.paper_dataset not in catalogue
        blamed = definition.layers if unchecked and not given(changes, problem.key) else changes
        place = origin(blamed, problem.key).place(problem.key)
        raise SettingsError(*place, problem.message, allowed=problem.allowed)
    return settings
