"""The audit's own process runs nothing that the environment or the clone put in its way."""

from __future__ import annotations

import ast
import importlib.util
import os
import py_compile
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iic.evaluate.matching import match
from iic.evaluate.metrics import accuracy, ari, nmi
from iic.params.runs import load_plan
from iic.provenance import isolated
from iic.provenance.audit.metrics import Metrics
from iic.provenance.audit.second_opinion import SecondOpinion, scores
from iic.provenance.audit.tree import Tree
from iic.records.files import dump_json, read_record
from iic.records.paths import RunPaths
from tests.conftest import ROOT, clone_to

HONEST, FORGED = "Verify every number of a scale", "VERIFIED ALREADY, ALWAYS"
VERBS = "iic/cli/audit.py"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose environment and caches were prepared; ``log`` says what of them was run."""
    clone = clone_to(tmp_path_factory.mktemp("hostile") / "clone")
    venv.create(clone / ".venv", symlinks=True)
    packages = next((clone / ".venv/lib").glob("python*/site-packages"))
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if entry.suffix != ".pth" and not (packages / entry.name).exists():
            (packages / entry.name).symlink_to(entry)
    log = f"open({str(clone / 'log')!r}, 'a').write"
    (packages / "sitecustomize.py").write_text(f"{log}('sitecustomize\\n')\n")
    (packages / "evil.pth").write_text(f"import builtins; {log}('evil.pth\\n')\n")
    for name in ("numpy", "typer", "json"):
        (clone / f"{name}.py").write_text(f"{log}('{name}.py\\n')\nraise ImportError\n")
    poisoned(clone)
    return clone


def poisoned(clone: Path) -> None:
    """Bytecode of other code beside a source, with the time and size of that source."""
    source = clone / VERBS
    text, times = source.read_text(), (source.stat().st_atime_ns, source.stat().st_mtime_ns)
    source.write_text(text.replace(HONEST, FORGED.ljust(len(HONEST))[: len(HONEST)]))
    os.utime(source, ns=times)
    py_compile.compile(str(source), importlib.util.cache_from_source(str(source)), doraise=True)
    source.write_text(text)
    os.utime(source, ns=times)


def run(clone: Path, *command: str, **environment: str) -> tuple[str, list[str]]:
    """What is said, and what was run that should not be."""
    (clone / "log").write_text("")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(clone / ".venv/bin/python"), *command],
        cwd=clone,
        env={**kept, "COLUMNS": "200", "XDG_CACHE_HOME": str(clone / "cache"), **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.stdout + done.stderr, (clone / "log").read_text().splitlines()


def test_nothing_that_was_prepared_runs_in_the_audit(hostile: Path) -> None:
    packages = str(next((hostile / ".venv/lib").glob("python*/site-packages")))
    started = (
        "import json; from iic.provenance import isolated as i; "
        f"i.package_folders = lambda: [{packages!r}]; "
        "print(json.dumps(i.command(['audit', '--help'])))"
    )
    done = subprocess.run([sys.executable, "-c", started], cwd=ROOT, capture_output=True, text=True)
    line = done.stdout.replace(str(ROOT), str(hostile))
    arguments = ast.literal_eval(line)[1:]
    said, ran = run(hostile, *arguments)
    assert HONEST in said and "VERIFIED" not in said
    assert ran == []


def test_an_audit_by_hand_starts_again_and_others_show_what_they_leave_out(hostile: Path) -> None:
    for name in ("numpy", "typer", "json"):
        (hostile / f"{name}.py").rename(hostile / f"{name}.txt")
    said, ran = run(hostile, "-m", "iic", "audit", "--help")
    # the first process is the environment's own, and nothing can be done about it; Debian's Python
    # has a sitecustomize of its own, which comes before an environment's
    theirs = not (Path(sysconfig.get_path("stdlib")) / "sitecustomize.py").exists()
    assert HONEST in said and "VERIFIED" not in said and ran.count("sitecustomize") == theirs
    # of a workflow's job nothing is promised: this shows that the poison works
    said, ran = run(hostile, "-m", "iic", "audit", "--help", IIC_SERVED_AT="/nowhere")
    assert "VERIFIED" in said and HONEST not in said


def test_start_files_of_the_environment_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolated, "package_folders", lambda: [str(tmp_path)])
    for name in ("distutils-precedence.pth", "__editable__.iic-0.1.0.pth", "json.py"):
        (tmp_path / name).write_text("")
    assert list(isolated.start_files()) == []
    names = ["evil.pth", "sitecustomize.py", "usercustomize.so"]
    for name in names:
        (tmp_path / name).write_text("")
    assert [Path(path).name for path in isolated.start_files()] == names


def test_bytecode_is_kept_where_nobody_else_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = Path(isolated.bytecode())
    assert folder == tmp_path / "iic/bytecode" and folder.stat().st_mode & 0o077 == 0
    folder.chmod(0o777)
    assert isolated.bytecode() == os.devnull
    folder.rmdir()
    folder.symlink_to(tmp_path)
    assert isolated.bytecode() == os.devnull


def _all_right(*_: object) -> float:
    return 99.9


@pytest.mark.parametrize("name", ["accuracy", "nmi", "ari"])
def test_scores_of_a_patched_evaluation_are_seen_by_the_second_opinion(
    laptop: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As if `iic.evaluate` had been changed, and all that is computed from it made anew."""
    from iic.evaluate.run import evaluate_run

    plan, run_id = load_plan("laptop"), "mnist/vae"
    chosen = plan.run(run_id)
    files = RunPaths("laptop", run_id, 0)
    monkeypatch.setattr(f"iic.evaluate.selection.{name}", _all_right)
    forged = evaluate_run(files, chosen.settings.evaluation, plan.datasets[chosen.dataset])
    files.evaluation.write_text(dump_json(forged.model_dump(mode="json")))
    tree = Tree(plan)
    tree.present = [pair for pair in tree.present if pair[0].wildcards.get("run") == run_id]
    assert list(Metrics(tree).check()) == []
    (finding,) = SecondOpinion(tree).check()
    assert (finding.level, finding.kind) == ("failure", "metrics")
    assert "99.9 written" in finding.message
    assert read_record(files.evaluation, type(forged)) == forged


def test_the_second_opinion_uses_nothing_of_the_first() -> None:
    text = (ROOT / "iic/provenance/audit/second_opinion.py").read_text(encoding="utf-8")
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    assert not [node for node in imports if (node.module or "").startswith("iic.evaluate")]


@given(
    rows=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=40),
    matching=st.sampled_from(["one_to_one", "many_to_one", "identity"]),
)
@settings(max_examples=60, deadline=None)
def test_both_computations_agree(rows: list[tuple[int, int]], matching: str) -> None:
    clusters, labels = np.array(rows).T
    counts = np.zeros((5, 3), dtype=np.int64)
    np.add.at(counts, (clusters, labels), 1)
    again = scores(counts, counts, matching, pairs=True)
    first: dict[str, Callable[[], float]] = {
        "acc": lambda: accuracy(counts, match(counts, matching)),  # type: ignore[arg-type]
        "nmi": lambda: nmi(clusters, labels),
        "ari": lambda: ari(clusters, labels),
    }
    for key, value in first.items():
        assert again[key] == pytest.approx(value(), abs=1e-7), key
