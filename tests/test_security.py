"""Nothing that comes from outside is run: no pickle, no shell, no path out of its folder.

The scan reads the syntax tree of all of iic/; whatever can run or misplace foreign content has to
stand in `ALLOWED` with a reason.
"""

from __future__ import annotations

import ast
import os
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from iic.data.load import load
from iic.engine.checkpoints import load as load_checkpoint
from iic.engine.pretrained import load_parts
from iic.params.errors import IICError
from iic.records.assignments import read_assignments
from iic.records.files import read_record, sha256_file
from iic.records.receipt import Receipt
from iic.records.snapshots import read_array

ROOT = Path(__file__).resolve().parents[1]

BUILTINS = {"eval", "exec", "compile", "__import__"}
MODULES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
CALLS = {
    "torch.load", "torch.jit.load", "torch.hub.load", "torch.package.PackageImporter",
    "numpy.load", "pandas.read_pickle", "pandas.read_hdf", "scipy.io.loadmat",
    "yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load", "yaml.UnsafeLoader",
    "tarfile.open", "tarfile.TarFile", "zipfile.ZipFile", "shutil.unpack_archive",
    "os.system", "os.popen", "os.execve", "os.execv", "os.execvp", "os.spawnv", "pty.spawn",
    "subprocess.getoutput", "subprocess.getstatusoutput", "tempfile.mktemp",
    "importlib.import_module", "runpy.run_path", "runpy.run_module",
}  # fmt: skip
METHODS = {"extractall", "extract"}
"""Whatever object they are called on: archives place files where a member's name says."""
ANYWAY = {"shell": True, "allow_pickle": True, "weights_only": False}
"""Arguments that are refused wherever they stand."""

NAMED = "a module that params/ names by its dotted path, or this package does: trusted like code"
READS = "reads members into memory by names that the catalogue gives; places no file"
ALLOWED = {
    ("iic/engine/checkpoints.py", "torch.load"): "own checkpoints, weights_only=True",
    ("iic/data/load.py", "numpy.load"): "own arrays, allow_pickle=False, checked by hash",
    ("iic/data/load_maps.py", "numpy.load"): "own arrays, allow_pickle=False, checked by hash",
    (
        "iic/methods/frozen_features/features.py",
        "torch.load",
    ): "a file of the user, weights_only=True, checked by hash",
    ("iic/own/arrays.py", "numpy.load"): "a user's arrays, allow_pickle=False",
    ("iic/own/backbones.py", "numpy.load"): "own features, allow_pickle=False",
    ("iic/own/dinov2.py", "torch.load"): "a file of the user, weights_only=True",
    ("iic/own/features.py", "numpy.load"): "a user's features, allow_pickle=False",
    ("iic/own/released.py", "torch.load"): "a file of the user, weights_only=True",
    ("iic/own/rivals.py", "numpy.load"): "own examples, allow_pickle=False",
    ("iic/own/reading.py", "numpy.load"): "own arrays, allow_pickle=False",
    ("iic/own/items.py", "zipfile.ZipFile"): "the type of what sources.py opens",
    ("iic/provenance/audit/truth.py", "numpy.load"): "own arrays, allow_pickle=False",
    ("iic/provenance/isolated.py", "os.execv"): "the same verb in a Python that runs nothing else",
    ("iic/provenance/audit/contexts.py", "importlib.import_module"): NAMED,
    ("iic/records/snapshots.py", "numpy.load"): "own arrays, allow_pickle=False",
    ("iic/data/potsdam_archive.py", "tarfile.open"): READS,
    ("iic/data/archives.py", "tarfile.TarFile"): "the type of what tarfile.open gives",
    ("iic/data/archives.py", "tarfile.open"): READS + " but the one asked for",
    ("iic/data/archives.py", "zipfile.ZipFile"): READS + " but the one asked for",
    ("iic/data/zips.py", "zipfile.ZipFile"): READS,
    (
        "iic/provenance/crate/write.py",
        "zipfile.ZipFile",
    ): "writes a crate; reads no more than names",
    ("iic/params/loading.py", "yaml.load"): "with a loader made from CSafeLoader",
    ("iic/cli/workflow.py", "os.execve"): "Snakemake in place of this process, no shell between",
    ("iic/cli/own_clone.py", "os.execv"): "the clone that one stands in, as python -m iic runs it",
    ("iic/cli/served.py", "importlib.import_module"): "modules that it lists itself",
    ("iic/cli/tabulate.py", "importlib.import_module"): NAMED,
    ("iic/cli/training.py", "importlib.import_module"): NAMED,
    ("iic/networks/operations.py", "importlib.import_module"): NAMED,
    ("iic/params/method.py", "importlib.import_module"): NAMED,
    ("iic/publish/tables.py", "importlib.import_module"): NAMED,
    ("iic/publish/figures/saving.py", "importlib.import_module"): NAMED,
    ("iic/data/prepare.py", "importlib.import_module"): NAMED,
    ("iic/data/prepare_maps.py", "importlib.import_module"): NAMED,
    ("iic/data/download.py", "importlib.import_module"): NAMED,
}


def dangers(tree: ast.AST) -> Iterator[str]:
    """What a module uses of the above, under the name that it has where it is defined."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
                if alias.name.split(".")[0] in MODULES:
                    yield alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
            if node.module.split(".")[0] in MODULES:
                yield node.module
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute)) and (full := dotted(node, names)) in CALLS:
            yield full
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in BUILTINS:
                yield node.func.id
            if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
                yield node.func.attr
            for keyword in node.keywords:
                value = getattr(keyword.value, "value", None)
                if keyword.arg in ANYWAY and value is ANYWAY[keyword.arg]:
                    yield f"{keyword.arg}={value}"


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    """``numpy.load`` of ``np.load``; empty for what is no plain name."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute) and (left := dotted(node.value, names)):
        return f"{left}.{node.attr}"
    return ""


@pytest.mark.parametrize(
    ("code", "danger"),
    [
        ("import pickle", "pickle"),
        ("from pickle import loads as f", "pickle"),
        ("import numpy as np\nnp.load(path)", "numpy.load"),
        ("from numpy import load\nload(path)", "numpy.load"),
        ("import torch\nread = torch.load", "torch.load"),
        ("from yaml import load as read\nread(text)", "yaml.load"),
        ("import subprocess as s\ns.run(text, shell=True)", "shell=True"),
        ("anything.extractall(folder)", "extractall"),
        ("eval(text)", "eval"),
        ("import os\nos.system(text)", "os.system"),
        ("import numpy\nnumpy.lib.format.read_array(f, allow_pickle=True)", "allow_pickle=True"),
        ("import torch\ntorch.anything(f, weights_only=False)", "weights_only=False"),
        ("import importlib\nimportlib.import_module(name)", "importlib.import_module"),
    ],
)
def test_the_scan_finds(code: str, danger: str) -> None:
    assert danger in set(dangers(ast.parse(code)))


def test_the_scan_leaves_alone_what_only_looks_alike() -> None:
    code = "network.eval()\nimport numpy as np\nnp.loadtxt(f)\nself.load(path)\nimport re\n"
    assert not set(dangers(ast.parse(code + "re.compile('x')\nrun(command, shell=False)")))


def test_whatever_can_run_foreign_content_is_known_and_has_its_reason() -> None:
    uses = {
        (path.relative_to(ROOT).as_posix(), danger)
        for path in sorted((ROOT / "iic").rglob("*.py"))
        for danger in dangers(ast.parse(path.read_text()))
    }
    assert uses - set(ALLOWED) == set(), "not allowed"
    assert set(ALLOWED) - uses == set(), "allowed, but not there any more"


@pytest.mark.parametrize(
    ("name", "argument", "value"),
    [("torch.load", "weights_only", True), ("numpy.load", "allow_pickle", False)],
)
def test_what_reads_tensors_and_arrays_says_that_it_wants_no_pickle(
    name: str, argument: str, value: bool
) -> None:
    calls = 0
    for path in (ROOT / "iic").rglob("*.py"):
        tree = ast.parse(path.read_text())
        names = {"np": "numpy", "numpy": "numpy", "torch": "torch"}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and dotted(node.func, names) == name:
                given = {
                    keyword.arg: getattr(keyword.value, "value", None) for keyword in node.keywords
                }
                assert given.get(argument) is value, f"{path}:{node.lineno}"
                calls += 1
    assert calls


class Trap:
    """A pickle of this makes a file when it is loaded."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.system, (f"touch {self.canary}",)


def trap(canary: Path) -> bytes:
    return pickle.dumps(Trap(canary))


def as_torch_file(path: Path, canary: Path) -> None:
    torch.save({"schema_version": 1, "fingerprint": Trap(canary)}, path)


def as_array(path: Path, canary: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.array([Trap(canary)], dtype=object), allow_pickle=True)


def as_pickle(path: Path, canary: Path) -> None:
    path.write_bytes(trap(canary))


def prepared(path: Path) -> object:
    """Load a dataset whose images are `path`, vouched for by its manifest."""
    (path.parent / "data/prepared/x").mkdir(parents=True)
    (path.parent / "data/prepared/x/data.json").write_text(
        '{"dataset": "x", "stand_in": false, "image": {"channels": 1, "height": 1, "width": 1},'
        '"count": 1, "classes": ["a"], "splits": [{"name": "train", "start": 0, "stop": 1}],'
        f'"images": {{"path": "{path.name}", "sha256": "{sha256_file(path)}",'
        f'"size": {path.stat().st_size}, "shape": [1, 1, 1, 1]}}, "labels": null}}'
    )
    return load("x", path.parent)


READERS: dict[str, Callable[[Path], object]] = {
    "checkpoint.pt": lambda path: load_checkpoint(path.parent, "f", {}),
    "weights.safetensors": lambda path: load_parts(
        nn.Sequential(nn.Linear(1, 1)), ("0",), path, "last"
    ),
    "step.npy": read_array,
    "images.npy": prepared,
    "assignments.parquet": read_assignments,
    "run.json": lambda path: read_record(path, Receipt),
}


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize(
    ("name", "write"),
    [
        (name, write)
        for name in READERS
        for write in (as_pickle, as_array if name.endswith(".npy") else as_torch_file)
    ],
)
def test_a_pickle_in_place_of_a_file_is_refused_and_not_run(
    tmp_path: Path, name: str, write: Callable[[Path, Path], None]
) -> None:
    canary, path = tmp_path / "canary", tmp_path / name
    write(path, canary)
    with pytest.raises(IICError) as caught:
        READERS[name](path)
    assert str(path) in str(caught.value)
    assert not canary.exists()


def test_the_trap_snaps(tmp_path: Path) -> None:
    """Else the test above could not fail."""
    pickle.loads(trap(tmp_path / "canary"))
    assert (tmp_path / "canary").exists()


def test_whatever_a_command_of_the_workflow_takes_is_quoted() -> None:
    commands = 0
    for path in (ROOT / "workflow").rglob("*"):
        if path.suffix == ".smk" or path.name == "Snakefile":
            for text in re.findall(r'"(?:python -m iic| --)[^"]*"', path.read_text()):
                assert all(field.endswith(":q}") for field in re.findall(r"\{[^}]*\}", text)), text
                commands += 1
    assert commands > 10
