"""The house: floors, thin packages, short modules."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from iic.params.modules import method_modules

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "iic"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 300
HEAVY = ("torch", "torchvision", "sklearn")
CHECK = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CHECK, "--no-cache", "--config", str(ROOT / "pyproject.toml")],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_rooms_import_only_from_floors_below() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("room", "imported"),
    [
        ("params/base.py", "iic.records.files"),
        ("augment/sobel.py", "iic.networks.heads"),
        ("data/load.py", "iic.engine.context"),
        ("publish/style.py", "iic.engine.context"),
        ("methods/iic/method.py", "iic.provenance.lock_file"),
        ("cli/app.py", "snakemake"),
        ("data/load.py", "dvc"),
        ("methods/triplets/task.py", "iic.methods.deepcluster.uniform"),
        ("methods/kmeans.py", "iic.methods.spectral.graph"),
        ("methods/autoencoders/task.py", "iic.methods.dec.loss"),
        ("methods/dec/task.py", "iic.methods.spectral.graph"),
        ("methods/_template/task.py", "iic.methods.triplets.loss"),
        ("methods/_template/settings.py", "torch"),
        ("params/cost.py", "torch"),
        ("methods/triplets/settings.py", "sklearn.cluster"),
        ("methods/autoencoders/network_settings.py", "torchvision"),
    ],
)
def test_the_check_would_notice(tmp_path: Path, room: str, imported: str) -> None:
    """Also an import inside a function, and between rooms of one floor."""
    for path in MODULES:
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    with (tmp_path / "iic" / room).open("a", encoding="utf-8") as file:
        file.write(f"\n\ndef late() -> None:\n    import {imported}\n")
    done = lint(tmp_path)
    assert done.returncode == 1
    assert "3 kept, 1 broken" in done.stdout, done.stdout + done.stderr


def test_the_floors_are_those_of_the_design() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers, forbidden, families, settings = config["tool"]["importlinter"]["contracts"]
    assert layers["layers"] == [
        "cli",
        "own",
        "methods | provenance",
        "engine | publish",
        "data",
        "augment | networks | objective | evaluate",
        "records",
        "params",
    ]
    assert layers["exhaustive"] is True
    assert set(forbidden["forbidden_modules"]) == {"snakemake", "dvc"}
    assert families["modules"] == ["iic.methods.*"]
    assert families["ignore_imports"] == ["iic.methods.dec.** -> iic.methods.autoencoders.**"]
    assert set(settings["forbidden_modules"]) == {"torch", "torchvision", "sklearn"}
    unnamed = [
        dotted(path)
        for path in MODULES
        if path.stem.endswith("settings") and "schemas" not in path.parts
        if not any(fnmatchcase(dotted(path), name) for name in settings["source_modules"])
    ]
    assert not unnamed, "settings that the contract does not name"


def test_modules_that_hold_settings_import_nothing_heavy() -> None:
    """The linter cannot tell an import inside `train`, which is allowed, from one at the top."""
    holders = [
        dotted(path)
        for path in MODULES
        if dotted(path).startswith(("iic.params.", "iic.methods."))
        if any(
            isinstance(node, ast.ClassDef) and node.name.endswith("Settings")
            for node in ast.parse(path.read_text(encoding="utf-8")).body
        )
    ]
    assert set(method_modules()) < set(holders)
    code = (
        "import importlib, sys\n"
        f"for name in {HEAVY!r}: sys.modules[name] = None\n"
        f"for name in {holders!r}: importlib.import_module(name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.name == "__init__.py"], ids=lambda p: p.parent.name
)
def test_a_package_holds_its_docstring_and_nothing_else(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    # of the whole package it offers `IIC`, and imports it when it is asked for
    rest = ["ImportFrom", "ImportFrom", "FunctionDef"] if path.parent == PACKAGE else []
    assert [type(part).__name__ for part in tree.body[1:]] == rest


def test_importing_the_package_is_quick_and_its_estimator_late() -> None:
    code = (
        "import sys, time; begin = time.process_time(); import iic\n"
        "assert time.process_time() - begin < 0.2\n"
        "assert not {'torch', 'numpy', 'sklearn'} & set(sys.modules)\n"
        "try: iic.nothing\n"
        "except AttributeError: pass\n"
        "else: raise AssertionError\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_modules_are_short_documented_and_annotated_lazily() -> None:
    wrong = []
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        lines = text.count("\n")
        if lines > LONGEST:
            wrong.append(f"{path.relative_to(ROOT)}: {lines} lines, at most {LONGEST}")
        if not ast.get_docstring(tree):
            wrong.append(f"{path.relative_to(ROOT)}: no docstring")
        if len(tree.body) > 4 and "from __future__ import annotations" not in text:
            wrong.append(f"{path.relative_to(ROOT)}: no `from __future__ import annotations`")
    assert not wrong, "\n".join(wrong)
