"""Supplementary table 2: the settings of the paper's runs, read off the settings themselves.

The csv has one line per experiment that the supplement lists; the columns are `COLUMNS`. Values are
those of ``params/experiments/``, whatever the scale, and a test holds them against the supplement.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iic.params.errors import SettingsError
from iic.params.runs import Plan
from iic.publish.built import Built, build_listing
from iic.publish.wording import Grid
from iic.records.sources import Series

COLUMNS = "method dataset run base n h r in_channels k_gt k crop input status".split()
HEADS = {
    "method": "",
    "dataset": "Dataset",
    "base": "base",
    "n": "n",
    "h": "h",
    "r": "r",
    "in_channels": "in",
    "k_gt": "k_gt",
    "k": "k",
    "crop": "crop",
    "input": "input",
}
"""Column -> its head in print; what is not here is in the csv alone."""
MODULES = ["iic.publish.hyper_parameters"]
UNTRAINED = "the released code never trains this head"


def build(plan: Plan, name: str, root: Path = Path()) -> Built:
    """The table's files; nothing is read from disk.

    Args:
        plan: What the scale holds; the listing names the runs.
        name: Name of the listing.
        root: Not needed.

    Raises:
        SettingsError: A run of the listing is of a method or on a dataset that it cannot show.
    """
    runs = plan.listings[name].runs
    lines = [_line(plan, name, run) for run in runs]
    body = [[line[column] for column in HEADS] for line in lines]
    notes = [f"(untrained): {UNTRAINED}."] if any("(" in line["k"] for line in lines) else []
    grid = Grid([*HEADS.values()], body, words=2)
    series = [Series(name=run, modules=MODULES) for run in runs]
    return build_listing(plan, name, COLUMNS, lines, [grid], series, notes)


def _line(plan: Plan, name: str, run: str) -> dict[str, str]:
    """One experiment, by column of the csv."""
    listing, definition = plan.listings[name], plan.definitions[run]
    dataset = definition.paper_dataset
    main = plan.definitions.get(f"{dataset}/iic")
    method = listing.method_of(run.split("/")[1])
    if method is None or dataset not in listing.datasets or main is None:
        raise SettingsError(
            "params/figures.yaml",
            f"listings.{name}.runs",
            f"{run!r} is of {definition.method} on {dataset}, which this listing cannot show",
            allowed=f"runs of {' or '.join(listing.methods)} on {', '.join(listing.datasets)}",
        )
    settings = definition.settings.model_dump(mode="json")
    auxiliary = settings["head" if "head" in settings else "head_a"]["k"]
    dead = settings.get("overclustering_head") is False
    shown = {
        "method": method,
        "dataset": listing.datasets[dataset],
        "run": run,
        "base": settings["network"]["family"],
        "n": settings["pairs"]["batch_pairs"],
        "h": settings["sub_heads"],
        "r": settings["pairs"]["repeats"],
        "in_channels": settings["network"]["in_channels"],
        # IIC's main head has as many clusters as there are classes
        "k_gt": main.settings.model_dump(mode="json")["head_b"]["k"],
        "k": f"{auxiliary} (untrained)" if dead else auxiliary,
        "crop": _crop(settings["augmentation"]),
        "input": settings["network"]["input_size"],
        "status": "defined",
    }
    return {column: str(value) for column, value in shown.items()}


def _crop(augmentation: dict[str, Any]) -> str:
    """Side of the transformed image's crop, or all of its sides."""
    # segmentation crops to the network's input, and resizes nothing
    only = augmentation.get("crop", augmentation["input_size"])
    sides = augmentation.get("crops", [only])
    return str(sides[0]) if len(sides) == 1 else f"{{{', '.join(map(str, sides))}}}"
