"""Write ARCHITECTURE.md from the contracts in pyproject.toml, docstrings and imports.

``python docs/architecture_map.py`` writes it, with ``--check`` only says whether it is today's;
tests/test_architecture.py asks the same.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

from iic.params.modules import method_modules

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "ARCHITECTURE.md"
COMMAND = "python docs/architecture_map.py"

CHANGES = (
    ("a method", "copy `iic/methods/_template/`, or `iic/methods/kmeans.py` for one that trains no "
     "network; a row in a table of your own, or in `params/experiments/table_1.yaml`; its source "
     "in `params/references.bib`; a row in `docs/baselines.md`; tests as in "
     "`tests/methods/template/`"),
    ("a loss", "`loss.py` of its family, such as `iic/methods/triplets/loss.py`; IIC's own in "
     "`iic/objective/clustering.py` and `iic/objective/segmentation.py`"),
    ("a dataset", "a reader such as `iic/data/mnist.py`, for label maps `iic/data/potsdam.py`; an "
     "entry in `params/datasets.yaml`; a place in a scale; images of your own as in "
     "`docs/own_data.md`; a stand-in, if one is wanted, in `iic/data/standin/`"),
    ("a row of a table", "`params/experiments/table_1.yaml`, or the file of that table; the "
     "paper's numbers in `params/published/table_1.csv`"),
    ("a table", "a file in `params/experiments/`; with numbers to compare with, one of its name in "
     "`params/published/`"),
    ("a figure", "an entry in `params/figures.yaml`; if none of `iic/publish/figures/` draws it, a "
     "module there, such as `iic/publish/figures/curves.py`"),
    ("a scale", "a file in `params/scales/`, such as `params/scales/laptop.yaml`; then "
     "`iic dvc sync`"),
    ("a metric", "`iic/evaluate/metrics.py`; where it is reported, `iic/evaluate/selection.py` and "
     "`iic/evaluate/maps.py`; its field in `iic/records/evaluation.py`; then `iic export schemas`"),
    ("an augmentation", "a transform such as `iic/augment/rotation.py`, called in "
     "`iic/augment/colour.py` or `iic/augment/grey.py`; its setting in "
     "`iic/params/augmentation.py`"),
    ("a check of the audit", "a module such as `iic/provenance/audit/orphans.py`, called in "
     "`iic/provenance/audit/run.py`; a forgery that it catches in `tests/provenance/`; a line in "
     "`docs/audit.md`"),
)  # fmt: skip
"""Where to go for the commonest changes; every path in backticks has to exist."""


def first_line(path: Path) -> str:
    """First line of the docstring of the module or package at `path`."""
    path = path / "__init__.py" if path.is_dir() else path
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]


def imported(path: Path) -> set[str]:
    """Dotted names of this package that a file imports, at any depth of it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.startswith("iic.")}


def neighbours(place: Path, depth: int) -> list[str]:
    """What the files at `place` import of other rooms (depth 1) or other families (depth 2)."""
    own = place.relative_to(ROOT).with_suffix("").parts
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
    names = {tuple(name.split(".")) for file in files for name in imported(file)}
    return sorted(
        {name[depth] for name in names if len(name) > depth and name[:depth] == own[:depth]}
        - {own[depth]}
    )


def packages(place: Path) -> list[Path]:
    """Packages directly inside `place`, in alphabetical order."""
    return sorted(path.parent for path in place.glob("*/__init__.py"))


def floors() -> list[list[str]]:
    """Rooms by floor, from the roof down, as the contract in pyproject.toml has them."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = config["tool"]["importlinter"]["contracts"][0]["layers"]
    return [layer.split(" | ") for layer in layers]


def house() -> list[str]:
    """The table of floors and rooms."""
    lines = [
        "| floor | room | what is in it | may import | imports |",
        "|---:|---|---|---|---|",
    ]
    levels = floors()
    for number, rooms in enumerate(levels):
        floor = len(levels) - number
        below = {1: "nothing", 2: "floor 1"}.get(floor, f"floors 1 to {floor - 1}")
        for room in rooms:
            place = ROOT / "iic" / room
            listed = ", ".join(f"`{name}`" for name in neighbours(place, 1)) or "–"
            lines.append(
                f"| {floor} | [`iic/{room}`](iic/{room}) | {first_line(place)} "
                f"| {below} | {listed} |"
            )
    return lines


def inner_rooms() -> list[str]:
    """Packages inside rooms, but for methods, which have a part of their own."""
    return [
        f"- `{inner.relative_to(ROOT)}`: {first_line(inner)}"
        for rooms in floors()
        for room in rooms
        if room != "methods"
        for inner in packages(ROOT / "iic" / room)
    ]


def families() -> list[str]:
    """Each family of methods with its modules; those that train in bold."""
    methods = ROOT / "iic/methods"
    trained = {ROOT / f"{name.replace('.', '/')}.py" for name in method_modules()}
    lines = []
    for family in packages(methods):
        others = ", ".join(f"`{name}`" for name in neighbours(family, 2))
        lines += [
            f"### [`{family.name}`](iic/methods/{family.name})",
            "",
            first_line(family) + (f" Imports the family {others}." if others else ""),
            "",
            *(_module(path, path in trained) for path in sorted(family.glob("[!_]*.py"))),
            "",
        ]
    alone = sorted(methods.glob("[!_]*.py"))
    lines += ["### Methods in one file", "", *(_module(path, path in trained) for path in alone)]
    return lines


def _module(path: Path, trains: bool) -> str:
    name = f"**`{path.name}`**" if trains else f"`{path.name}`"
    return f"- {name}: {first_line(path)}"


def missing(text: str) -> list[str]:
    """Paths in backticks that do not exist."""
    named = re.findall(r"`((?:\w+/)[\w./]*)`", text)
    return [name for name in named if not (ROOT / name).exists()]


def page() -> str:
    """The whole of ARCHITECTURE.md.

    Raises:
        FileNotFoundError: A path in `CHANGES` does not exist.
    """
    changes = [f"| {change} | {where} |" for change, where in CHANGES]
    if gone := missing("\n".join(changes)):
        raise FileNotFoundError(f"docs/architecture_map.py, CHANGES: {', '.join(gone)}")
    parts = [
        f"<!-- written by `{COMMAND}` from docstrings, imports and pyproject.toml -->",
        "# The house",
        "This page is a map of the package. [docs/architecture.md](docs/architecture.md) gives the "
        "rules and their reasons, [docs/extending.md](docs/extending.md) the steps of a change.",
        "## Where to go",
        "\n".join(["| to add or change | go to |", "|---|---|", *changes]),
        "## Floors and rooms",
        "A room imports only from floors below its own; rooms on one floor do not know each other. "
        "`lint-imports` checks it (`[tool.importlinter]` in `pyproject.toml`). The last column is "
        "what a room does import today.",
        "\n".join(house()),
        "Inside the rooms:",
        "\n".join(inner_rooms()),
        "## Families of methods",
        "A method is one folder of `iic/methods`, or one file where it has no parts. Modules in "
        "bold have a `train`: params files name them.",
        "\n".join(families()),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Write the page, or check it."""
    text = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
        sys.exit(f"ARCHITECTURE.md is not today's: run {COMMAND}")


if __name__ == "__main__":
    main()
