"""The runs that ``params/experiments/*.yaml`` define, at the paper's values.

Every file is read, whichever tables a scale shows: a run is defined once, and any table may refer
to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from iic.params.datasets import Dataset
from iic.params.errors import SettingsError
from iic.params.experiments import Fidelity, Row, Table
from iic.params.layers import Layer, flattened, known, origin
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
    layers: tuple[Layer, ...]
    """Settings on every dataset, then those on this one; before them those of the run that this
    one starts from."""

    @property
    def file(self) -> str:
        """The experiments file."""
        return self.layers[-1].file


def load_tables(params: Path) -> dict[str, Table]:
    """All tables of ``params/experiments/`` by name.

    Raises:
        SettingsError: A file is wrong, by file, key and value.
    """
    tables = {}
    for path in sorted((params / "experiments").glob("*.yaml")):
        table = validate(Table, read_yaml(path), str(path))
        if table.name != path.stem:
            raise SettingsError(
                str(path), "name", f"{table.name!r} does not match the file's name",
                allowed=path.stem,
            )  # fmt: skip
        tables[table.name] = table
    return tables


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
        file = str(params / "experiments" / f"{table.name}.yaml")
        for position, row in enumerate(table.rows):
            for one in _of_row(table, position, row, file):
                if one.id in defined:
                    raise SettingsError(
                        *one.layers[-1].place(""),
                        f"run {one.id} is already defined in {defined[one.id].file}",
                        allowed="one definition; refer to it by run alone",
                    )
                _check(one, catalogue)
                defined[one.id] = one
    for table in tables.values():
        _check_references(table, str(params / "experiments" / f"{table.name}.yaml"), defined)
    return defined


def _of_row(table: Table, position: int, row: Row, file: str) -> list[Definition]:
    """The definitions of one row; `like` is followed once."""
    if row.run is None or not row.defines:
        return []
    key = f"rows.{position}"
    under, base = key, row
    if row.like is not None:
        others = {
            one.run: (f"rows.{index}", one)
            for index, one in enumerate(table.rows)
            if one.defines and one.run is not None and one.run != row.run
        }
        known(row.like, others, (file, f"{key}.like"), "run of this file")
        under, base = others[row.like]
        if base.method is None:
            raise SettingsError(
                file, f"{key}.like", f"run {row.like!r} itself starts from another run",
                allowed="a run that gives its method",
            )  # fmt: skip
    assert base.method is not None
    if not (row.datasets or base.datasets):
        raise SettingsError(
            file, f"{key}.datasets", f"run {row.run!r} is defined on no dataset",
            allowed="<dataset of a column>: {<settings>}",
        )  # fmt: skip
    model = settings_model(base.method, file, f"{under}.method")
    result = []
    for dataset in row.datasets or base.datasets:
        place = f"datasets.{dataset}"
        known(
            dataset, [column.dataset for column in table.columns],
            (file, f"{key}.{place}"), "column's dataset",
        )  # fmt: skip
        layers = [
            Layer(file, f"{under}.settings", base.settings),
            Layer(file, f"{under}.{place}", base.datasets.get(dataset, {})),
        ]
        if row.like is not None:
            layers += [
                Layer(file, f"{key}.settings", row.settings),
                Layer(file, f"{key}.{place}", row.datasets.get(dataset, {})),
            ]
        result.append(
            Definition(
                id=f"{dataset}/{row.run}",
                paper_dataset=dataset,
                method=base.method,
                model=model,
                fidelity=row.fidelity,
                layers=tuple(layers),
            )
        )
    return result


def _check(definition: Definition, catalogue: Mapping[str, Dataset]) -> None:
    """Whether the settings are right by themselves, before any scale changes them."""
    layers = definition.layers
    try:
        settings = validate(definition.model, flattened(layers), "", "")
    except SettingsError as error:
        raise error.at(*origin(layers, error.key).place(error.key)) from None
    dataset = catalogue.get(definition.paper_dataset)
    for problem in settings.problems(dataset) if dataset is not None else ():
        place = origin(layers, problem.key).place(problem.key)
        raise SettingsError(*place, problem.message, allowed=problem.allowed)


def _check_references(table: Table, file: str, defined: Mapping[str, Definition]) -> None:
    """Whether each row's run is defined for a column of its table, with the row's fidelity."""
    for position, row in enumerate(table.rows):
        if row.run is None:
            continue
        columns = {column.dataset for column in table.columns}
        here = [one for one in defined.values() if one.paper_dataset in columns]
        names = {one.id.split("/")[1] for one in here}
        known(
            row.run, sorted(names), (file, f"rows.{position}.run"), "run",
            allowed=f"a run that an experiments file defines ({', '.join(sorted(names))}), or a "
            "row that gives its method",
        )  # fmt: skip
        for one in here:
            if one.id.split("/")[1] == row.run and one.fidelity != row.fidelity:
                raise SettingsError(
                    file, f"rows.{position}.fidelity",
                    f"{row.fidelity!r}, but run {one.id} is defined as {one.fidelity!r} in "
                    f"{one.file}", allowed=one.fidelity,
                )  # fmt: skip
