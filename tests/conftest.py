"""Fixtures for tests of more than one room."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling

from iic.engine.threads import VARIABLES
from iic.provenance import fingerprint
from iic.provenance.code import roots
from iic.provenance.machine import usable_processors
from tests.shared import shared

ROOT = Path(__file__).resolve().parents[1]
CLONED = (
    "Snakefile", "dvc.yaml", "iic", "params", "pyproject.toml", "requirements.lock", "workflow",
)  # fmt: skip
SCALE = "smoke"

EXECUTED = "executed.json"
"""In the finished tree: job -> the functions of the package that it ran (`tests.recorder`)."""

# all verbs in one process: importing torch once is most of the time that this saves
JOBS = (
    (ROOT / "tests/recorder.py").read_text(encoding="utf-8")
    + """
from iic.cli.app import app
from iic.params.runs import load_plan
from iic.provenance.jobs import all_jobs

def verb(*words):
    sys.argv = ["iic", *words]
    app(list(words), standalone_mode=False)

scale = sys.argv[1]
plan = load_plan(scale)
for dataset in plan.datasets:
    verb("download", "--dataset", dataset)
    with job("prepare", f"prepare {dataset}"):
        verb("prepare", "--dataset", dataset)
for planned in all_jobs(plan):
    names = planned.wildcards
    if planned.rule == "train":
        with job("train", planned.name):
            verb("train", "--scale", scale, "--run", names["run"], "--seed", names["seed"])
for dataset in plan.datasets:
    with job("evaluate", f"evaluate {dataset}"):
        verb("evaluate", "--scale", scale, "--dataset", dataset)
for name in (*plan.tables, *plan.listings):
    own = []
    if name in plan.listings:
        own = [f"{plan.listings[name].module}.build", "iic.publish.built.write_files"]
    with job("tabulate", f"tabulate {name}", *own):
        verb("tabulate", "--scale", scale, "--name", name)
for name in plan.figures:
    with job("draw", f"draw {name}"):
        verb("draw", "--scale", scale, "--name", name)
write(Path("executed.json"))
"""
)

FIRST = ("workflow", "provenance", "cli")
"""Folders with the longest tests."""


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling:
    """What pytest-xdist asks where tests run on several workers: a module stays on one of them."""
    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)


def pytest_xdist_setupnodes(config: pytest.Config, specs: list[object]) -> None:
    """Workers share the cores: threads that wait by spinning take them from the other workers."""
    share = max(1, usable_processors() // len(specs))
    for name in VARIABLES:
        os.environ.setdefault(name, str(share))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long folders start first."""

    def order(item: pytest.Item) -> int:
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        return FIRST.index(folder) if folder in FIRST else len(FIRST)

    items.sort(key=order)


def clone_to(place: Path) -> Path:
    """Copy what a clone needs to run, without results or data."""
    place.mkdir(parents=True, exist_ok=True)
    for name in CLONED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy2(source, place / name)
    return place


def run_in(clone: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a clone, with the package of that clone."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=clone,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="session")
def finished_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which every job of scale smoke has run; two seeds of k-means. Do not change it."""

    def make(clone: Path) -> None:
        clone_to(clone)
        scale = clone / "params" / "scales" / f"{SCALE}.yaml"
        text = scale.read_text()
        assert "digits/kmeans: [0]" in text
        scale.write_text(text.replace("digits/kmeans: [0]", "digits/kmeans: [0, 1]"))
        done = run_in(clone, "-c", JOBS, SCALE)
        assert done.returncode == 0, done.stderr[-3000:]

    return shared(tmp_path_factory, "finished", make)[0]


@pytest.fixture
def own_tree(finished_tree: Path, tmp_path: Path) -> Path:
    """A copy of `finished_tree` to do anything to, times of files kept."""
    return Path(shutil.copytree(finished_tree, tmp_path / "clone", symlinks=True))


@pytest.fixture
def tree(own_tree: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """`own_tree` as the working directory; fingerprints are taken of its code and settings.

    After an edit of either: ``fingerprint.forget()``.
    """
    monkeypatch.chdir(own_tree)
    monkeypatch.setattr(roots, "SOURCE", own_tree)
    fingerprint.forget()
    yield own_tree
    fingerprint.forget()
