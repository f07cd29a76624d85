"""The wheel has what it needs: tried where nothing but its declared dependencies can be seen."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.conftest import ROOT
from tests.own.pictures import folder

IMPORT = """
import sys, time
begin = time.process_time()
import iic
print(time.process_time() - begin)
assert not {"torch", "numpy", "pandas", "sklearn", "pydantic"} & set(sys.modules)
"""


def test_importing_the_package_takes_no_time() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert float(done.stdout) < 0.2


def required(name: str, seen: dict[str, metadata.Distribution]) -> None:
    """The installed distributions that one needs, without extras but those that it asks for."""
    requirement = Requirement(name)
    key = re.sub(r"[-_.]+", "-", requirement.name).lower()
    if key in seen:
        return
    seen[key] = own = metadata.distribution(requirement.name)
    for line in own.requires or ():
        inner = Requirement(line)
        extras = [{"extra": extra} for extra in requirement.extras] or [{"extra": ""}]
        if inner.marker is None or any(inner.marker.evaluate(extra) for extra in extras):
            required(line, seen)


def link_dependencies(site: Path) -> set[str]:
    """Links in a folder of packages to what the wheel there declares; the distributions' names."""
    (information,) = site.glob("iic-*.dist-info")
    own = metadata.Distribution.at(information)
    seen: dict[str, metadata.Distribution] = {}
    for line in own.requires or ():
        marker = Requirement(line).marker
        if marker is None or marker.evaluate({"extra": ""}):
            required(line, seen)
    for distribution in seen.values():
        for file in distribution.files or ():
            top = file.parts[0]
            if top in ("..", "__pycache__") or (site / top).exists():
                continue
            (site / top).symlink_to(Path(str(distribution.locate_file(top))))
    return set(seen)


@pytest.mark.long
def test_a_wheel_in_an_empty_environment(tmp_path: Path) -> None:
    """It builds and installs the package, and starts the interpreter six times."""

    def run(*command: str | Path, cwd: Path = tmp_path) -> str:
        outside = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        done = subprocess.run(command, cwd=cwd, env=outside, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    source, environment = tmp_path / "source", tmp_path / "environment"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "iic", source / "iic", ignore=shutil.ignore_patterns("__pycache__"))
    uv = Path(sys.executable).parent / "uv"
    build = ("--wheel", "--no-build-isolation", "--python", sys.executable)
    run(uv, "build", *build, "--out-dir", tmp_path, source)
    (wheel,) = tmp_path.glob("*.whl")
    run(uv, "venv", "--python", sys.executable, environment)
    python = environment / "bin" / "python"
    run(uv, "pip", "install", "--offline", "--no-deps", "--python", python, wheel)
    (site,) = environment.glob("lib/python*/site-packages")
    names = link_dependencies(site)
    assert "torch" in names and not names & {"snakemake", "dvc", "onnx", "pytest"}
    empty = tmp_path / "elsewhere"
    empty.mkdir()
    images = folder(tmp_path / "images", 40)
    iic = environment / "bin" / "iic"
    looked = run(iic, "doctor", cwd=empty)
    assert re.search(r"absent +snakemake", looked) and re.search(r"absent +dvc", looked)
    quick = ("--epochs", "12", "--width", "0.125", "--threads", "1", "--sub-heads", "3")
    run(iic, "fit", images, "--k", "2", "--out", "model", *quick, cwd=empty)
    run(iic, "predict", "model", images, "--out", "a.csv", cwd=empty)
    run(iic, "explain", "model", "--labels", "folders", cwd=empty)
    run(iic, "audit", "model", cwd=empty)
    run(python, "-c", "from iic import IIC; IIC(2).fit", cwd=empty)
    assert (empty / "a.csv").exists() and (empty / "model" / "report.html").exists()
