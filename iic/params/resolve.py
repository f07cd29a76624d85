"""From definitions and a scale to runs with resolved, checked settings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import filter as fitting
from typing import Any

from iic.params.datasets import Dataset
from iic.params.definitions import Definition
from iic.params.errors import SettingsError
from iic.params.experiments import Fidelity, Table
from iic.params.explain import show
from iic.params.layers import Layer, check_known, few, flattened, given, leaves, merged, origin
from iic.params.loading import validate
from iic.params.method import MethodSettings
from iic.params.scales import Scale
from iic.params.training import ScheduleSettings

__all__ = ["Run", "merged", "resolve"]

NETWORKS = ("network", "encoder", "embedder")
"""What settings of methods call what they train."""


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
    given_by: dict[str, tuple[Layer, ...]] = {}
    shown = _shown(scale, tables, definitions)
    defaults = {pattern: frozenset(fitting(shown, pattern)) for pattern in scale.defaults}
    # before any settings: a key that is wrong in a default may look like a wrong value elsewhere
    _check_patterns(scale, layers, shown, defaults)
    for identifier, definition in shown.items():
        dataset = scale.datasets[definition.paper_dataset]
        fit = [pattern for pattern, runs in defaults.items() if identifier in runs]
        changes = _changes(definition, identifier, fit, layers)
        settings = _settings(definition, changes, catalogue, dataset)
        _check_variant(definition, identifier, changes)
        given_by[identifier] = (*definition.layers, *changes)
        resolved[identifier] = Run(
            scale=scale.name,
            id=identifier,
            dataset=dataset,
            paper_dataset=definition.paper_dataset,
            method=definition.method,
            settings=settings,
            seeds=scale.seeds.get(identifier, scale.seeds["default"]),
            fidelity=definition.fidelity,
            note=scale.notes.get(identifier)
            or (_shortened(definition.settings, settings) if scale.real else None),
        )
    mentioned: dict[str, Iterable[str]] = {
        "changes": scale.changes,
        "notes": scale.notes,
        "seeds": [name for name in scale.seeds if name != "default"],
    }
    for key, names in mentioned.items():
        for name in names:
            path = f"{key}.{name}"
            source = origin(layers, path).source(path)
            check_known(name, resolved, source, "run of this scale")
    skipped = {name for pattern in scale.skip for name in fitting(resolved, pattern)}
    kept = {name: run for name, run in resolved.items() if name not in skipped}
    for run in kept.values():
        if run.settings.base is not None:
            _check_base(run, kept, given_by[run.id])
    return kept


def _check_patterns(
    scale: Scale,
    layers: tuple[Layer, ...],
    shown: Mapping[str, Definition],
    defaults: Mapping[str, Collection[str]],
) -> None:
    """Whether each pattern fits a run, and each default is a setting of a run that it fits."""
    patterns = {f"skip.{position}": pattern for position, pattern in enumerate(scale.skip)}
    patterns |= {f"defaults.{pattern}": pattern for pattern in scale.defaults}
    for path, pattern in patterns.items():
        runs = fitting(shown, pattern) if path.startswith("skip.") else defaults[pattern]
        if not runs:
            raise SettingsError(
                *origin(layers, path).source(path),
                f"{pattern!r} fits no run of this scale",
                allowed=few(shown),
                candidates=shown,
                given=pattern,
            )
        if path.startswith("skip."):
            continue
        models = {shown[name].model for name in runs}
        fields = sorted({field for model in models for field in model.model_fields})
        for key, value in scale.defaults[pattern].items():
            if key not in fields:
                source = origin(layers, f"{path}.{key}").source(f"{path}.{key}")
                raise SettingsError(
                    *source,
                    f"unknown key {key!r} (value {show(value)})",
                    allowed=", ".join(fields),
                    candidates=fields,
                    given=key,
                )


def _check_variant(definition: Definition, identifier: str, changes: tuple[Layer, ...]) -> None:
    """Whether defaults leave alone what makes a run another than the one that it starts from.

    Else a pattern for many runs would make an ablation the same as the full setting, unnoticed.
    """
    *defaults, of_run = changes
    special = {path: (value, own) for own in definition.own for path, value in leaves(own.values)}
    for layer in defaults:
        for path, value in leaves(layer.values):
            if path not in special or special[path][0] == value or given([of_run], path):
                continue
            meant, own = special[path]
            raise SettingsError(
                *layer.source(path),
                f"{show(value)} would undo the {show(meant)} that makes run "
                f"{identifier} what it is ({': '.join(own.source(path))})",
                allowed=f"a pattern that does not fit this run, or {path} in its changes",
            )


def _check_base(run: Run, runs: Mapping[str, Run], layers: tuple[Layer, ...]) -> None:
    """Whether the run that `run` starts from is there, with its seeds and the same network."""
    name = run.settings.base
    fields = type(run.settings).model_fields
    key = next((field for field in fields if getattr(run.settings, field) == name), "")
    source = origin(layers, key).source(key)
    base = runs.get(f"{run.dataset}/{name}")
    if base is None:
        there = [other.name for other in runs.values() if other.dataset == run.dataset]
        raise SettingsError(
            *source,
            f"run {run.id} starts from {name!r}, which this scale does not run",
            allowed=few(there),
            candidates=there,
            given=name,
        )
    if missing := sorted(set(run.seeds) - set(base.seeds)):
        raise SettingsError(
            *source,
            f"run {run.id} has seeds {missing}, but {base.id}, from which it starts, has "
            f"{list(base.seeds)}",
            allowed=f"seeds of {base.id} for {run.id}, or none of these",
        )
    if base.settings.base is not None:
        raise SettingsError(
            *source,
            f"run {run.id} starts from {base.id}, which itself starts from {base.settings.base!r}",
            allowed="a run that starts from none",
        )
    part = next((name for name in NETWORKS if name in fields), "")
    mine, theirs = (getattr(each.settings, part, None) for each in (run, base))
    if mine is None or theirs is None:
        raise SettingsError(
            *source,
            f"run {run.id} starts from {base.id}, and one of them has no network",
            allowed="runs that both train one",
        )
    for field in type(mine).model_fields:
        value, other = getattr(mine, field), getattr(theirs, field)
        if value != other:
            source = origin(layers, f"{part}.{field}").source(f"{part}.{field}")
            raise SettingsError(
                *source,
                f"{value}, but run {run.id} starts from {base.id}, whose network has {other}",
                allowed=f"{other}",
            )


def _shortened(paper: MethodSettings, mine: MethodSettings) -> str | None:
    """A note on a training that is shorter than the paper's, for the tables."""
    schedules = [getattr(settings, "schedule", None) for settings in (paper, mine)]
    if not all(isinstance(schedule, ScheduleSettings) for schedule in schedules):
        return None
    theirs, ours = schedules
    assert isinstance(theirs, ScheduleSettings) and isinstance(ours, ScheduleSettings)
    parts = []
    if ours.epochs != theirs.epochs:
        parts.append(f"{ours.epochs:,} epochs in place of {theirs.epochs:,}")
    if ours.max_steps is not None:
        parts.append(f"at most {ours.max_steps:,} steps")
    if ours.evaluate_every != theirs.evaluate_every:
        parts.append(f"evaluated every {ours.evaluate_every} epochs")
    return ", ".join(parts) or None


def _shown(
    scale: Scale, tables: Iterable[Table], definitions: Mapping[str, Definition]
) -> dict[str, Definition]:
    """What the tables show at this scale, by ``<dataset that runs>/<run>``, each once."""
    shown: dict[str, Definition] = {}
    for table in tables:
        for row in table.rows:
            for dataset in (row.dataset,) if table.by_fraction else table.datasets:
                running = scale.datasets.get(dataset or "")
                for name in row.runs:
                    definition = definitions.get(f"{dataset}/{name}")
                    if running is not None and definition is not None:
                        shown[f"{running}/{name}"] = definition
    return shown


def _changes(
    definition: Definition, identifier: str, patterns: Iterable[str], layers: tuple[Layer, ...]
) -> tuple[Layer, ...]:
    """What a scale changes in a run: its defaults whose patterns fit, then its changes.

    The last of these layers is always that of the run's own changes, perhaps empty.
    """
    fields = definition.model.model_fields
    defaults: list[Layer] = []
    for pattern in patterns:
        path = f"defaults.{pattern}"
        for layer in layers:
            if given([layer], path):
                values = layer.values["defaults"][pattern]
                shared = {key: value for key, value in values.items() if key in fields}
                defaults.append(Layer(layer.file, path, shared))
    path = f"changes.{identifier}"
    own = [
        Layer(layer.file, path, layer.values["changes"][identifier])
        for layer in layers
        if given([layer], path)
    ]
    return *defaults, *(own or [Layer(layers[-1].file, path, {})])


def _settings(
    definition: Definition,
    changes: tuple[Layer, ...],
    catalogue: Mapping[str, Dataset],
    dataset: str,
) -> MethodSettings:
    """The definition's settings with the scale's changes.

    The definition was found right by itself, so what is wrong here is the scale's doing: its
    changes, or the dataset that it runs in place of the paper's.
    """
    try:
        settings = validate(definition.model, flattened([*definition.layers, *changes]), "", "")
    except SettingsError as error:
        raise error.at(*origin(changes, error.key).source(error.key)) from None
    for problem in settings.problems(catalogue[dataset]):
        unchecked = definition.paper_dataset not in catalogue
        blamed = definition.layers if unchecked and not given(changes, problem.key) else changes
        source = origin(blamed, problem.key).source(problem.key)
        raise SettingsError(*source, problem.message, allowed=problem.allowed)
    return settings
