"""The one list of runs: experiments x scale -> every training with its resolved settings.

The workflow, ``status``, ``prune`` and ``dvc sync`` all read this list, so that none of them can
disagree about what a scale holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from iic.params.datasets import Dataset, load_catalogue
from iic.params.errors import SettingsError, nearest
from iic.params.experiments import RUN, Displays, Fidelity, Figure, Listing, Row, Table
from iic.params.loading import read_yaml, validate
from iic.params.method import MethodSettings, settings_model
from iic.params.scales import Scale

PARAMS = Path("params")


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


@dataclass(frozen=True)
class Plan:
    """Everything that one scale holds."""

    scale: Scale
    datasets: dict[str, Dataset]
    """The datasets that run at this scale, by name."""
    runs: dict[str, Run]
    tables: dict[str, Table]
    figures: dict[str, Figure]
    listings: dict[str, Listing]

    def run(self, identifier: str) -> Run:
        """The run ``<dataset>/<run>``.

        Raises:
            SettingsError: This scale has no such run.
        """
        if identifier not in self.runs:
            raise SettingsError(
                f"params/scales/{self.scale.name}.yaml", "",
                f"scale {self.scale.name!r} has no run {identifier!r}",
                allowed=", ".join(self.runs), candidates=self.runs, given=identifier,
            )  # fmt: skip
        return self.runs[identifier]

    def figure_runs(self, figure: Figure) -> list[Run]:
        """The runs that `figure` is drawn from at this scale, where they exist."""
        wanted = []
        for name in figure.runs:
            dataset, run = name.split("/")
            identifier = f"{self.scale.datasets.get(dataset, dataset)}/{run}"
            if identifier in self.runs:
                wanted.append(self.runs[identifier])
        return wanted


def scale_names(params: Path = PARAMS) -> list[str]:
    """Names of all scales that have a file."""
    return sorted(path.stem for path in (params / "scales").glob("*.yaml"))


@cache
def plan(scale: str, params: Path = PARAMS) -> Plan:
    """Read, resolve and check everything in ``params/`` that the scale needs.

    Raises:
        SettingsError: For the first wrong key, type or value, by file, key and value.
    """
    catalogue = load_catalogue(params / "datasets.yaml")
    chosen = load_scale(scale, params)
    scale_file = str(params / "scales" / f"{scale}.yaml")
    for paper, dataset in chosen.datasets.items():
        _known(dataset, catalogue, scale_file, f"datasets.{paper}", "dataset")
    tables = {name: _table(name, params, scale_file) for name in chosen.tables}
    displays = validate(
        Displays, read_yaml(params / "figures.yaml"), str(params / "figures.yaml")
    )
    for name in chosen.figures:
        _known(name, displays.figures, scale_file, "figures", "figure")
    for name in chosen.listings:
        _known(name, displays.listings, scale_file, "listings", "listing")
    runs = _resolve(chosen, scale_file, tables, catalogue, params)
    return Plan(
        scale=chosen,
        datasets={name: catalogue[name] for name in chosen.datasets.values()},
        runs=runs,
        tables=tables,
        figures={name: displays.figures[name] for name in chosen.figures},
        listings={name: displays.listings[name] for name in chosen.listings},
    )


def runs(scale: str, params: Path = PARAMS) -> list[Run]:
    """All runs of a scale, in the order of their tables."""
    return list(plan(scale, params).runs.values())


def load_scale(scale: str, params: Path = PARAMS) -> Scale:
    """The scale's file, laid over the one it extends.

    Raises:
        SettingsError: No such scale, or its file is wrong.
    """
    names = scale_names(params)
    _known(scale, names, "--config", "scale", "scale")
    path = params / "scales" / f"{scale}.yaml"
    value = read_yaml(path)
    if not isinstance(value, dict):
        raise SettingsError(str(path), "", f"{type(value).__name__} in place of a mapping of keys")
    base = value.get("extends")
    if base is not None:
        _known(base, names, str(path), "extends", "scale")
        under = read_yaml(params / "scales" / f"{base}.yaml")
        if under.get("extends"):
            raise SettingsError(str(path), "extends", f"{base!r} extends another scale itself")
        value = merged(under, value)
    loaded = validate(Scale, value, str(path))
    if loaded.name != scale:
        raise SettingsError(
            str(path), "name", f"{loaded.name!r} does not match the file's name", allowed=scale
        )
    if "default" not in loaded.seeds:
        raise SettingsError(str(path), "seeds.default", "missing, and it has no default")
    return loaded


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `under`: mappings key by key, everything else replaced."""
    result = dict(under)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


def _table(name: str, params: Path, scale_file: str) -> Table:
    path = params / "experiments" / f"{name}.yaml"
    known = [one.stem for one in path.parent.glob("*.yaml")]
    _known(name, known, scale_file, "tables", "table")
    table = validate(Table, read_yaml(path), str(path))
    if table.name != name:
        raise SettingsError(
            str(path), "name", f"{table.name!r} does not match the file's name", allowed=name
        )
    return table


def _known(name: str, known: Iterable[str], file: str, key: str, kind: str) -> None:
    known = list(known)
    if name not in known:
        raise SettingsError(
            file, key, f"{name!r} is no known {kind}",
            allowed=", ".join(known), candidates=known, given=name,
        )  # fmt: skip


def _resolve(
    scale: Scale,
    scale_file: str,
    tables: Mapping[str, Table],
    catalogue: Mapping[str, Dataset],
    params: Path,
) -> dict[str, Run]:
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
                _known(
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
            _known(name, everywhere, scale_file, key, "run of this scale")
    return resolved


def _definition(
    row: Row, definitions: Mapping[str, Row], file: str, position: int
) -> tuple[str, dict[str, Any], dict[str, dict[str, Any]]]:
    """Method, common settings and settings by dataset of a row, `like` followed once."""
    if row.like is None:
        assert row.method is not None
        return row.method, row.settings, row.datasets
    key = f"rows.{position}.like"
    _known(row.like, [name for name in definitions if name != row.run], file, key, "run here")
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
        where = (scale_file, f"changes.{identifier}") if _touches(change, problem.key) else (file, key)
        raise SettingsError(
            where[0], f"{where[1]}.{problem.key}", problem.message, allowed=problem.allowed
        )
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


def _moved(
    error: SettingsError, file: str, key: str, new_file: str, new_key: str
) -> SettingsError:
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


def split_run(identifier: str) -> tuple[str, str]:
    """``digits/iic-corrected`` -> (``digits``, ``iic-corrected``).

    Raises:
        SettingsError: Not of the form ``<dataset>/<method>[-<variant>]``.
    """
    dataset, _, name = identifier.partition("/")
    if not re.fullmatch(RUN, name) or not dataset:
        raise SettingsError(
            "--run", "", f"{identifier!r} is no run",
            allowed="<dataset>/<method>[-<variant>], e.g. digits/iic",
        )  # fmt: skip
    return dataset, name
