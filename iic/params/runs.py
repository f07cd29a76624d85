"""The one list of runs: experiments x scale -> every training with its resolved settings.

The workflow, ``status``, ``prune`` and ``dvc sync`` all read this list, so that none of them can
disagree about what a scale holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from iic.params.datasets import Dataset, load_catalogue
from iic.params.errors import SettingsError
from iic.params.experiments import Displays, Figure, Listing, Table
from iic.params.loading import read_yaml, validate
from iic.params.resolve import Run, known, merged, resolve
from iic.params.scales import Scale

__all__ = ["Plan", "Run", "load_scale", "plan", "runs", "scale_names"]

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
        known(dataset, catalogue, scale_file, f"datasets.{paper}", "dataset")
    tables = {name: _table(name, params, scale_file) for name in chosen.tables}
    displays = validate(Displays, read_yaml(params / "figures.yaml"), str(params / "figures.yaml"))
    for name in chosen.figures:
        known(name, displays.figures, scale_file, "figures", "figure")
    for name in chosen.listings:
        known(name, displays.listings, scale_file, "listings", "listing")
    runs = resolve(chosen, scale_file, tables, catalogue, params)
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
    known(scale, names, "--config", "scale", "scale")
    path = params / "scales" / f"{scale}.yaml"
    value = read_yaml(path)
    if not isinstance(value, dict):
        raise SettingsError(str(path), "", f"{type(value).__name__} in place of a mapping of keys")
    base = value.get("extends")
    if base is not None:
        known(base, names, str(path), "extends", "scale")
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


def _table(name: str, params: Path, scale_file: str) -> Table:
    path = params / "experiments" / f"{name}.yaml"
    names = [one.stem for one in path.parent.glob("*.yaml")]
    known(name, names, scale_file, "tables", "table")
    table = validate(Table, read_yaml(path), str(path))
    if table.name != name:
        raise SettingsError(
            str(path), "name", f"{table.name!r} does not match the file's name", allowed=name
        )
    return table
