"""What a figure opens is what params/figures.yaml says that it reads, neither more nor less."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from iic.params.experiments import Figure, Reads
from iic.params.runs import Plan, load_plan
from iic.records.paths import PREPARED, RunPaths, receipt_of
from tests.conftest import ROOT, SCALE, clone_to, run_in

FIGURES = load_plan(SCALE, ROOT / "params").figures

# The system tells of every file that is opened, also by libraries that are not written in Python.
# A figure is drawn twice, since the first time modules are read as well.
WATCH = """
import ctypes, json, linecache, os, struct, sys
from iic.params.runs import load_plan
from iic.publish.figures.saving import render

OPENED, FOLDER, LOST = 0x20, 0x40000000, 0x4000
system = ctypes.CDLL(None, use_errno=True)
queue = system.inotify_init1(os.O_NONBLOCK)
watched = {}
for top in ("results", "data", "params", "iic"):
    for folder, _, _ in os.walk(top):
        watched[system.inotify_add_watch(queue, folder.encode(), OPENED)] = folder
assert queue >= 0 and -1 not in watched, os.strerror(ctypes.get_errno())

def opened():
    names = set()
    while True:
        try:
            events = os.read(queue, 1 << 20)
        except BlockingIOError:
            return names
        at = 0
        while at < len(events):
            watch, kind, _, length = struct.unpack_from("iIII", events, at)
            assert not kind & LOST
            name = events[at + 16 : at + 16 + length].rstrip(b"\\0").decode()
            if not kind & FOLDER and not name.endswith(".pyc"):
                names.add(f"{watched[watch]}/{name}")
            at += 16 + length

plan, drawn = load_plan(sys.argv[1]), {}
for name in sys.argv[2:]:
    opened()
    render(plan, name)
    first = {path for path in opened() if not path.endswith(".py")}
    linecache.clearcache()
    render(plan, name)
    drawn[name] = sorted(first | opened())
print(json.dumps(drawn))
"""


def watched(clone: Path, scale: str, *names: str) -> dict[str, set[str]]:
    """Figure -> files of the clone that drawing it opens."""
    done = run_in(clone, "-c", WATCH, scale, *names)
    assert done.returncode == 0, done.stderr[-3000:]
    return {name: set(files) for name, files in json.loads(done.stdout).items()}


@pytest.fixture(scope="module")
def smoke(finished_tree: Path) -> Plan:
    """What the finished tree holds."""
    return load_plan(SCALE, finished_tree / "params")


@pytest.fixture(scope="module")
def opened(finished_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What every figure opens at scale smoke, in a tree that no other worker opens files of."""
    tree = tmp_path_factory.mktemp("watched") / "clone"
    shutil.copytree(finished_tree, tree, copy_function=os.link, symlinks=True)
    return watched(tree, SCALE, *FIGURES)


@pytest.fixture(scope="module")
def opened_on_mnist(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What those figures of the committed results open that small files are enough for."""
    clone = clone_to(tmp_path_factory.mktemp("mnist") / "clone")
    shutil.copytree(ROOT / "results/laptop", clone / "results/laptop")
    figures = load_plan("laptop", clone / "params").figures.items()
    small = [
        name
        for name, figure in figures
        if {"probabilities", "snapshots", "data"}.isdisjoint(figure.reads)
    ]
    return watched(clone, "laptop", *small)


def of_kind(plan: Plan, name: str, kind: Reads) -> set[str]:
    """The files of a kind, of all runs that a figure shows."""
    places = [RunPaths(plan.scale.name, run.id, seed) for run, seed in plan.figure_places(name)]
    if kind != "data":
        return {str(getattr(run_paths, kind)) for run_paths in places}
    folders = {PREPARED / run_paths.run.split("/")[0] for run_paths in places}
    arrays = ("data.json", "images.npy", "labels.npy")
    return {f"{folder}/{file}" for folder in folders for file in arrays}


def undeclared(plan: Plan, name: str, opened: set[str]) -> set[str]:
    """Files that a figure opens unasked: neither declared, nor what vouches for its runs."""
    figure = plan.figures[name]
    allowed = set(figure.files).union(*(of_kind(plan, name, kind) for kind in figure.reads))
    for run, seed in plan.figure_places(name):
        run_paths = RunPaths(plan.scale.name, run.id, seed)
        allowed |= {
            str(path)
            for path in (run_paths.evaluation, receipt_of(run_paths.evaluation), run_paths.receipt)
        }
    return opened - allowed


def unread(plan: Plan, name: str, opened: set[str]) -> set[str]:
    """Kinds that a figure declares and never opens."""
    reads = plan.figures[name].reads
    return {kind for kind in reads if of_kind(plan, name, kind).isdisjoint(opened)}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_opens_what_it_declares_and_nothing_else(
    smoke: Plan,
    opened: dict[str, set[str]],
    opened_on_mnist: dict[str, set[str]],
    name: str,
) -> None:
    assert not undeclared(smoke, name, opened[name])
    assert not unread(smoke, name, opened[name])
    # the paper's numbers stand beside the paper's own datasets alone
    module = smoke.figures[name].module
    same = [other for other, figure in smoke.figures.items() if figure.module == module]
    every = opened[name].union(*(opened_on_mnist.get(other, set()) for other in same))
    assert set(smoke.figures[name].files) <= every


@pytest.mark.parametrize("reads", [get_args(Reads), ("data",), ()], ids=len)
def test_a_wrong_declaration_is_noticed(
    smoke: Plan, opened: dict[str, set[str]], reads: tuple[Reads, ...]
) -> None:
    files = opened["figure_3"]
    wrong = smoke.figures["figure_3"].model_copy(update={"reads": reads})
    plan = replace(smoke, figures={"figure_3": wrong})
    needed = {"snapshots", "data"}
    assert unread(plan, "figure_3", files) == set(reads) - needed
    missed = needed - set(reads)
    unasked = undeclared(plan, "figure_3", files)
    assert {kind for kind in missed if unasked & of_kind(plan, "figure_3", kind)} == missed
    of_figure_4 = smoke.figures["figure_4"].model_copy(update={"files": ()})
    plan = replace(smoke, figures={"figure_4": of_figure_4})
    assert undeclared(plan, "figure_4", opened["figure_4"]) == {"iic/objective/clustering.py"}


def test_a_declaration_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="reads: there are no runs"):
        Figure(title="x", caption="x", module="a.b", reads=("history",))
    with pytest.raises(ValueError, match="files: 'params/a' stands twice"):
        Figure(title="x", caption="x", module="a.b", files=("params/a", "params/a"))
