"""Supplementary table 2: the settings of the paper's runs, read off the settings themselves.

The csv has one line per experiment that the supplement lists; the columns are `COLUMNS`. Values are
those of ``params/experiments/``, whatever the scale, and a test holds them against the supplement.
What the supplement lists and no run is named for is in it as not run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iic.params.errors import SettingsError
from iic.params.runs import Plan
from iic.publish.built import Built, dump_lines
from iic.publish.latex import booktabs
from iic.publish.layout import titled
from iic.records.sources import Series, Sources

COLUMNS = (
    "method", "dataset", "run", "base", "n", "h", "r", "in_channels", "k_gt", "k", "crop", "input",
    "status",
)  # fmt: skip
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
METHODS = {"iic": "IIC", "iic_star": "IIC*"}
"""Method, as a run's name begins -> the supplement's name of it."""
SEGMENTATION = {
    "cocostuff3": "COCO-Stuff-3", "cocostuff15": "COCO-Stuff", "potsdam3": "Potsdam-3",
    "potsdam6": "Potsdam",
}  # fmt: skip
DATASETS = {
    "stl10": "STL10", "cifar10": "CIFAR10", "cifar100_20": "CFR100-20", "cifar100": "CIFAR100",
    "mnist": "MNIST", **SEGMENTATION,
}  # fmt: skip
"""The paper's datasets as it heads its columns."""
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
    listing = plan.listings[name]
    lines = [_line(plan, name, run) for run in listing.runs]
    absent: dict[str, None] = {}
    for method in dict.fromkeys(line["method"] for line in lines):
        of_method = [place for place, line in enumerate(lines) if line["method"] == method]
        listed = {lines[place]["dataset"] for place in of_method}
        missing = [dataset for dataset in SEGMENTATION.values() if dataset not in listed]
        end = of_method[-1] + 1
        lines[end:end] = [_absent(method, dataset) for dataset in missing]
        absent |= dict.fromkeys(missing)
    title = titled(name, listing.title)
    body = [[_print(line, column) for column in HEADS] for line in lines]
    notes = [f"(untrained): {UNTRAINED}."] if any("(" in line["k"] for line in lines) else []
    if absent:
        notes.append(f"Not run yet: {', '.join(absent)}.")
    return Built(
        csv=dump_lines(COLUMNS, lines),
        md=_markdown(title, listing.caption, body, notes),
        tex=booktabs(
            name,
            " ".join([f"{title}. {listing.caption}", *notes]),
            "ll" + "r" * (len(HEADS) - 2),
            HEADS.values(),
            body,
        ),
        sources=Sources(
            scale=plan.scale.name,
            name=name,
            series=[Series(name=run, modules=MODULES) for run in listing.runs],
        ),
    )


def write(plan: Plan, name: str, root: Path = Path()) -> list[Path]:
    """Write the table's files and list them relative to `root`."""
    return build(plan, name, root).write(plan.scale.name, name, root)


def _line(plan: Plan, name: str, run: str) -> dict[str, str]:
    """One experiment, by column of the csv."""
    definition = plan.definitions[run]
    dataset = definition.paper_dataset
    main = plan.definitions.get(f"{dataset}/iic")
    method = METHODS.get(run.split("/")[1].split("-")[0])
    if method is None or dataset not in DATASETS or main is None:
        raise SettingsError(
            "params/figures.yaml", f"listings.{name}.runs",
            f"{run!r} is of {definition.method} on {dataset}, which this listing cannot show",
            allowed=f"runs of {' or '.join(METHODS)} on {', '.join(DATASETS)}",
        )  # fmt: skip
    settings = definition.settings.model_dump(mode="json")
    auxiliary = settings["head" if "head" in settings else "head_a"]["k"]
    dead = settings.get("overclustering_head") is False
    shown = {
        "method": method,
        "dataset": DATASETS[dataset],
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


def _absent(method: str, dataset: str) -> dict[str, str]:
    return {
        **dict.fromkeys(COLUMNS, ""),
        "method": method,
        "dataset": dataset,
        "status": "not_run",
    }


def _crop(augmentation: dict[str, Any]) -> str:
    """Side of the transformed image's crop, or all of its sides."""
    # segmentation crops to the network's input, and resizes nothing
    only = augmentation.get("crop", augmentation["input_size"])
    sides = augmentation.get("crops", [only])
    return str(sides[0]) if len(sides) == 1 else f"{{{', '.join(map(str, sides))}}}"


def _print(line: dict[str, str], column: str) -> str:
    return line[column] or "–"


def _markdown(title: str, caption: str, body: list[list[str]], notes: list[str]) -> bytes:
    rule = ["---"] * 2 + ["---:"] * (len(HEADS) - 2)
    rows = [list(HEADS.values()), rule, *body]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    escaped = table.replace("IIC*", "IIC\\*").replace("k_gt", "k\\_gt")
    parts = [f"# {title}", caption.replace("*", "\\*").replace("_", "\\_"), escaped, *notes]
    return ("\n\n".join(parts) + "\n").encode()
