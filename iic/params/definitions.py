"""The runs that ``params/experiments/*.yaml`` define, at the paper's values.

Every file is read, whichever tables a scale shows: a run is defined once, and any table may refer
to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from iic.params.datasets import Dataset
from iic.params.errors import SettingsError
from iic.params.experiments import Fidelity, Kind, Row, Table
from iic.params.layers import Layer, check_known, few, flattened, origin
from iic.params.loading import read_yaml, validate
from iic.params.method import MethodSettings, settings_model


@dataclass(frozen=True)
class Definition:
    """A run as an experiments file defines it, on one of the paper's datasets."""

    id: str
    """``<paper's dataset>/<run>``."""
    paper_dataset: str
    method: str
    """Dotted path of the method's module."""
    model: type[MethodSettings]
    fidelity: Fidelity
    kind: Kind
    """Whether it is of IIC itself or of a baseline."""
    layers: tuple[Layer, ...]
    """Settings on every dataset, then those on this one; before them those of the run that this
    one starts from."""
    own: tuple[Layer, ...]
    """Those of `layers` that make this run another than the one that it starts from, or its fold
    another than the others."""

    @property
    def file(self) -> str:
        """The experiments file."""
        return self.layers[-1].file

    @cached_property
    def settings(self) -> MethodSettings:
        """Settings at the paper's values.

        Raises:
            SettingsError: A key, type or value is wrong.
        """
        try:
            return validate(self.model, flattened(self.layers), "", "")
        except SettingsError as error:
            source = origin(self.layers, error.key).source(error.key)
            raise error.at(*source) from None


def load_tables(params: Path) -> dict[str, Table]:
    """All tables of ``params/experiments/`` by name, in the order of their `position`.

    Raises:
        SettingsError: A file is wrong, by file, key and value.
    """
    tables = {}
    for path in sorted((params / "experiments").glob("*.yaml")):
        table = validate(Table, read_yaml(path), str(path))
        if table.name != path.stem:
            raise SettingsError(
                str(path),
                "name",
                f"{table.name!r} does not match the file's name",
                allowed=path.stem,
            )
        tables[table.name] = table
    # the sort is stable: those without a position stay in the order of their names
    last = len(tables) + max((table.position or 0 for table in tables.values()), default=0)
    return dict(sorted(tables.items(), key=lambda entry: entry[1].position or last))


def _file(params: Path, table: Table) -> str:
    return f"{params}/experiments/{table.name}.yaml"


def define(
    tables: Mapping[str, Table], catalogue: Mapping[str, Dataset], params: Path
) -> dict[str, Definition]:
    """All runs of all tables, their settings checked at the paper's values.

    Args:
        tables: By name.
        catalogue: All datasets; settings are compared with those of the paper that are in it.
        params: Folder of the files.

    Raises:
        SettingsError: For the first wrong key, type or value, by file, key and value; for a run
            that is defined twice; for a row that refers to a run which is defined nowhere.
    """
    defined: dict[str, Definition] = {}
    for table in tables.values():
        for position in range(len(table.rows)):
            for definition in _of_row(tables, table, position, params):
                if definition.id in defined:
                    raise SettingsError(
                        *definition.layers[-1].source(""),
                        f"run {definition.id} is already defined in {defined[definition.id].file}",
                        allowed="one definition; refer to it by run alone",
                    )
                _check(definition, catalogue)
                defined[definition.id] = definition
    for table in tables.values():
        _check_references(table, _file(params, table), defined)
    return defined


def _of_row(
    tables: Mapping[str, Table], table: Table, position: int, params: Path
) -> list[Definition]:
    """The definitions of one row; `like` is followed once."""
    row = table.rows[position]
    if row.run is None or not row.defines:
        return []
    file = _file(params, table)
    key = f"rows.{position}"
    base = _Base(file, key, row)
    if row.like is not None:
        base = _base(tables, table, row, (file, f"{key}.like"), params)
    assert base.row.method is not None
    datasets = list(row.datasets) or [
        name for name in base.row.datasets if base.file == file or name in table.datasets
    ]
    if not datasets:
        raise SettingsError(
            file,
            f"{key}.datasets",
            f"run {row.run!r} is defined on no dataset",
            allowed="<dataset of a column>: {<settings>}",
        )
    model = settings_model(base.row.method, base.file, f"{base.key}.method")
    result = []
    for dataset in datasets:
        column = f"datasets.{dataset}"
        check_known(dataset, table.datasets, (file, f"{key}.{column}"), "column's dataset")
        layers = [
            Layer(base.file, f"{base.key}.settings", base.row.settings),
            Layer(base.file, f"{base.key}.{column}", base.row.datasets.get(dataset, {})),
        ]
        different: list[Layer] = []
        if row.like is not None:
            different += [
                Layer(file, f"{key}.settings", row.settings),
                Layer(file, f"{key}.{column}", row.datasets.get(dataset, {})),
            ]
        for fold, name in enumerate(row.runs):
            of_fold = [] if row.folds is None else [Layer(file, f"{key}.folds", {"fold": fold})]
            own = [*different, *of_fold]
            result.append(
                Definition(
                    id=f"{dataset}/{name}",
                    paper_dataset=dataset,
                    method=base.row.method,
                    model=model,
                    fidelity=row.fidelity,
                    kind=base.row.kind or "baseline",
                    layers=(*layers, *own),
                    own=tuple(own),
                )
            )
    return result


class _Base(NamedTuple):
    """The row that a run's method comes from."""

    file: str
    key: str
    row: Row


def _base(
    tables: Mapping[str, Table], table: Table, row: Row, source: tuple[str, str], params: Path
) -> _Base:
    """The row that `like` names: of the same file if there is one, else of any with its datasets.

    Clustering and segmentation have runs of one name, which never share a dataset.
    """
    assert row.like is not None
    datasets = set(row.datasets or table.datasets)
    bases: dict[str, _Base] = {}
    others = [other for other in tables.values() if other is not table]
    for other in (*others, table):
        file = _file(params, other)
        for index, candidate in enumerate(other.rows):
            fits = other is table or not datasets.isdisjoint(candidate.datasets)
            if fits and candidate.defines and candidate.run is not None and candidate is not row:
                bases[candidate.run] = _Base(file, f"rows.{index}", candidate)
    bases.pop(row.run or "", None)
    check_known(row.like, bases, source, "run of the experiments files")
    base = bases[row.like]
    if base.row.method is None:
        raise SettingsError(
            *source,
            f"run {row.like!r} itself starts from another run",
            allowed="a run that gives its method",
        )
    return base


def _check(definition: Definition, catalogue: Mapping[str, Dataset]) -> None:
    """Whether the settings are right by themselves, before any scale changes them."""
    settings = definition.settings
    dataset = catalogue.get(definition.paper_dataset)
    for problem in settings.problems(dataset) if dataset is not None else ():
        source = origin(definition.layers, problem.key).source(problem.key)
        raise SettingsError(*source, problem.message, allowed=problem.allowed)


def _check_references(table: Table, file: str, defined: Mapping[str, Definition]) -> None:
    """Whether each row's run is defined for a column of its table, with the row's fidelity."""
    for position, row in enumerate(table.rows):
        datasets = (row.dataset,) if table.by_fraction else table.datasets
        if table.by_fraction:
            every = sorted({run.paper_dataset for run in defined.values()})
            check_known(
                row.dataset or "", every, (file, f"rows.{position}.dataset"), "dataset with runs"
            )
        here = [run for run in defined.values() if run.paper_dataset in datasets]
        names = {run.id.split("/")[1] for run in here}
        for name in row.runs:
            check_known(
                name,
                sorted(names),
                (file, f"rows.{position}.run"),
                "run",
                allowed="a run that an experiments file defines "
                f"({few(sorted(names))}), or a row that gives its method",
            )
            for run in here:
                if run.id.split("/")[1] == name and run.fidelity != row.fidelity:
                    raise SettingsError(
                        file,
                        f"rows.{position}.fidelity",
                        f"{row.fidelity!r}, but run {run.id} is defined as {run.fidelity!r} in "
                        f"{run.file}",
                        allowed=run.fidelity,
                    )
