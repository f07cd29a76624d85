"""The one list of runs: experiments x scale -> every training with its resolved settings.

The workflow, ``status``, ``prune`` and ``dvc sync`` all read this list, so that none of them can
disagree about what a scale holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from iic.params.datasets import Dataset, load_catalogue
from iic.params.definitions import Definition, define, load_tables
from iic.params.errors import SettingsError
from iic.params.experiments import Displays, Figure, Kind, Listing, Table
from iic.params.layers import Layer, check_known, few, flattened, origin
from iic.params.loading import read_yaml, validate
from iic.params.modules import check_file, check_module
from iic.params.resolve import Run, resolve
from iic.params.scales import Scale

__all__ = ["Plan", "Run", "load_plan", "load_scale", "runs", "scale_names"]

PARAMS = Path("params")


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
    definitions: Mapping[str, Definition] = field(default_factory=dict)
    """Every run of every experiments file, by ``<paper's dataset>/<run>``, at the paper's values;
    shown at this scale or not."""

    @property
    def captions(self) -> dict[str, str]:
        """Title and caption of each table, listing and figure, for reStructuredText."""
        displays: dict[str, Table | Listing | Figure] = {
            **self.tables,
            **self.listings,
            **self.figures,
        }
        texts = {name: f"{display.title}. {display.caption}" for name, display in displays.items()}
        return {name: re.sub(r"([\\*_`|])", r"\\\1", text) for name, text in texts.items()}

    def run(self, identifier: str) -> Run:
        """The run ``<dataset>/<run>``.

        Raises:
            SettingsError: This scale has no such run.
        """
        self.check("run", identifier, self.runs)
        return self.runs[identifier]

    def check(self, kind: str, name: str, names: Iterable[str]) -> None:
        """Check that this scale has the `kind` of thing called `name`.

        Raises:
            SettingsError: It is none of `names`; suggests the nearest.
        """
        names = list(names)
        if name not in names:
            raise SettingsError(
                f"params/scales/{self.scale.name}.yaml",
                "",
                f"scale {self.scale.name!r} has no {kind} {name!r}",
                allowed=few(names),
                candidates=names,
                given=name,
            )

    def base_of(self, run: Run) -> Run | None:
        """The run whose weights `run` starts from, if any; it has the same seeds, and more."""
        base = run.settings.base
        return None if base is None else self.run(f"{run.dataset}/{base}")

    @property
    def own_runs(self) -> list[Run]:
        """The runs of IIC itself, finetuning of its clusterings included."""
        return [run for run in self.runs.values() if self._kind(run) == "iic"]

    @property
    def baseline_runs(self) -> list[Run]:
        """The runs of all other methods."""
        return [run for run in self.runs.values() if self._kind(run) == "baseline"]

    @property
    def ablation_runs(self) -> list[Run]:
        """The runs that the tables of ablations show, table by table."""
        ablations = [name for name, table in self.tables.items() if table.kind == "ablation"]
        return [run for name in ablations for run in self.table_runs(name)]

    def _kind(self, run: Run) -> Kind:
        return self.definitions[f"{run.paper_dataset}/{run.name}"].kind

    def table_runs(self, name: str) -> list[Run]:
        """The runs that a table shows: its rows on its columns. A listing shows none."""
        if name in self.listings:
            return []
        table = self.tables[name]
        shown = {
            (dataset, run)
            for row in table.rows
            for dataset in ((row.dataset,) if table.by_fraction else table.datasets)
            for run in row.runs
        }
        return [run for run in self.runs.values() if (run.paper_dataset, run.name) in shown]

    def table_datasets(self, name: str) -> list[str]:
        """The datasets whose prepared data a listing is computed from."""
        kind = self.listings[name].data if name in self.listings else None
        if kind is None:
            return []
        maps = kind == "maps"
        return [
            dataset for dataset, entry in self.datasets.items() if (entry.maps is not None) == maps
        ]

    def figure_places(self, name: str) -> list[tuple[Run, int]]:
        """Runs and seeds that the figure `name` is drawn from."""
        figure = self.figures[name]
        return [
            (run, seed)
            for run in self.figure_runs(figure)
            for seed in (run.seeds if figure.seeds == "all" else run.seeds[:1])
        ]

    def figure_runs(self, figure: Figure) -> list[Run]:
        """The runs that `figure` is drawn from at this scale, where they exist."""
        runs_there = []
        for name in figure.runs:
            dataset, run = name.split("/")
            identifier = f"{self.scale.datasets.get(dataset, dataset)}/{run}"
            if identifier in self.runs:
                runs_there.append(self.runs[identifier])
        return runs_there


def scale_names(params: Path = PARAMS) -> list[str]:
    """Names of all scales that have a file."""
    return sorted(path.stem for path in (params / "scales").glob("*.yaml"))


@cache
def load_plan(scale: str, params: Path = PARAMS) -> Plan:
    """Read, resolve and check everything in ``params/`` that the scale needs.

    Raises:
        SettingsError: For the first wrong key, type or value, by file, key and value.
    """
    layers = _scale_layers(scale, params)
    chosen = _scale(scale, layers)
    catalogue = load_catalogue(params / "datasets.yaml")
    for name, dataset in catalogue.items():
        check_module(dataset.module, str(params / "datasets.yaml"), f"{name}.module")
    tables = load_tables(params)
    displays = _displays(params / "figures.yaml")
    _check_names(chosen, layers, catalogue, tables, displays)
    definitions = define(tables, catalogue, params)
    for kind, entries in (("figures", displays.figures), ("listings", displays.listings)):
        for name, entry in entries.items():
            for position, run in enumerate(entry.runs):
                source = (str(params / "figures.yaml"), f"{kind}.{name}.runs.{position}")
                check_known(run, definitions, source, "run")
    shown = {name: tables[name] for name in chosen.chosen(chosen.tables, tables)}
    figures, listings = displays.figures, displays.listings
    return Plan(
        scale=chosen,
        datasets={name: catalogue[name] for name in chosen.datasets.values()},
        runs=resolve(chosen, layers, shown.values(), definitions, catalogue),
        tables=shown,
        figures={name: figures[name] for name in chosen.chosen(chosen.figures, figures)},
        listings={name: listings[name] for name in chosen.chosen(chosen.listings, listings)},
        definitions=definitions,
    )


def runs(scale: str, params: Path = PARAMS) -> list[Run]:
    """All runs of a scale, in the order of their tables."""
    return list(load_plan(scale, params).runs.values())


def load_scale(scale: str, params: Path = PARAMS) -> Scale:
    """The scale's file, laid over the one it extends.

    Raises:
        SettingsError: No such scale, or its file is wrong.
    """
    return _scale(scale, _scale_layers(scale, params))


def _scale_layers(scale: str, params: Path) -> tuple[Layer, ...]:
    """The scale's file and before it the one that it extends, if any."""
    names = scale_names(params)
    check_known(scale, names, (str(params / "scales"), ""), "scale")
    top = _layer(params / "scales" / f"{scale}.yaml")
    base = top.values.get("extends")
    if base is None:
        return (top,)
    if not isinstance(base, str):
        raise SettingsError(top.file, "extends", f"{base!r} does not fit", allowed="a scale's name")
    others = [name for name in names if name != scale]
    check_known(base, others, (top.file, "extends"), "other scale")
    under = _layer(params / "scales" / f"{base}.yaml")
    if under.values.get("extends") is not None:
        raise SettingsError(
            top.file,
            "extends",
            f"{base!r} itself extends another scale",
            allowed="a scale that extends none",
        )
    return under, top


def _layer(path: Path) -> Layer:
    value = read_yaml(path)
    if not isinstance(value, dict):
        validate(Scale, value, str(path))
    return Layer(str(path), "", value)


def _scale(name: str, layers: tuple[Layer, ...]) -> Scale:
    try:
        scale = validate(Scale, flattened(layers), "", "")
    except SettingsError as error:
        raise error.at(*origin(layers, error.key).source(error.key)) from None
    if scale.name != name:
        raise SettingsError(
            layers[-1].file, "name", f"{scale.name!r} does not match the file's name", allowed=name
        )
    return scale


def _check_names(
    scale: Scale,
    layers: tuple[Layer, ...],
    catalogue: Mapping[str, Dataset],
    tables: Mapping[str, Table],
    displays: Displays,
) -> None:
    """Whether everything that the scale names exists."""
    columns = {dataset for table in tables.values() for dataset in table.datasets}
    mentioned: list[tuple[str, str, Iterable[str], str]] = []
    meant: list[str] = []
    for key, kind, names, there in (
        ("tables", "table", scale.tables, tables),
        ("figures", "figure", scale.figures, displays.figures),
        ("listings", "listing", scale.listings, displays.listings),
    ):
        listed = () if names == "all" else names
        mentioned += [(f"{key}.{index}", name, there, kind) for index, name in enumerate(listed)]
        meant += there if names == "all" else ()
    for index, name in enumerate(scale.leave_out):
        mentioned.append((f"leave_out.{index}", name, meant, "display that a list of all has"))
    for paper, dataset in scale.datasets.items():
        mentioned.append((f"datasets.{paper}", paper, sorted(columns), "column's dataset"))
        mentioned.append((f"datasets.{paper}", dataset, catalogue, "dataset"))
    for path, name, known_names, kind in mentioned:
        check_known(name, known_names, origin(layers, path).source(path), kind)


def _displays(path: Path) -> Displays:
    """``figures.yaml``, with every module and file in it known."""
    displays = validate(Displays, read_yaml(path), str(path))
    for kind, entries in (("figures", displays.figures), ("listings", displays.listings)):
        for name, entry in entries.items():
            check_module(entry.module, str(path), f"{kind}.{name}.module")
    for name, figure in displays.figures.items():
        for position, shown in enumerate(figure.files):
            check_file(shown, str(path), f"figures.{name}.files.{position}")
    return displays
