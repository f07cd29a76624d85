"""Git's history as a witness: what an earlier commit with results had, and is gone since."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from iic.params.runs import load_plan
from iic.provenance import fingerprint
from iic.provenance.audit.past import Past
from iic.provenance.audit.report import Finding
from iic.provenance.audit.tree import Tree
from tests.conftest import SCALE
from tests.provenance.audit_helpers import RESULTS, RUNS, TABLE, forge, replace
from tests.provenance.tampering_cases import KMEANS, OTHER, receipt

YAML, CATALOGUE = Path(f"params/scales/{SCALE}.yaml"), Path("params/datasets.yaml")


def git(*words: str) -> str:
    who = {f"GIT_{role}_{what}": "a@b" for role in ("AUTHOR", "COMMITTER")
           for what in ("NAME", "EMAIL")}  # fmt: skip
    done = subprocess.run(["git", *words], env=os.environ | who, check=True, capture_output=True)
    return done.stdout.decode().strip()


def commit(*paths: Path) -> str:
    git("add", "-A", "-f", *map(str, paths))
    git("commit", "-qm", "results")
    return git("rev-parse", "--short=7", "HEAD")


@pytest.fixture
def measured(finished_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The runs of k-means and a table in the first commit of a clone, whose short name it gives."""
    for part in ("params", str(RUNS / "kmeans"), str(TABLE.parent)):
        shutil.copytree(finished_tree / part, tmp_path / part)
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    fingerprint.forget()
    yield commit(Path("params"), RESULTS)
    fingerprint.forget()


def looked() -> list[Finding]:
    fingerprint.forget()
    return list(Past(Tree(load_plan(SCALE))).check())


def test_what_is_as_it_was_is_not_mentioned(measured: str) -> None:
    assert looked() == []
    replace(YAML, "name: smoke", "# a comment\nname: smoke")
    commit(YAML)
    assert looked() == []


def test_what_is_gone_or_changed_is_named_with_its_commit(measured: str) -> None:
    shutil.rmtree(OTHER.parent / "seed1")
    for path in TABLE.parent.glob("table_1.*"):
        path.unlink()
    replace(YAML, "digits/kmeans: [0, 1]", "digits/kmeans: [0]")
    replace(YAML, "skip:\n", "skip:\n  - digits/jule\n")
    checksum = "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"
    replace(CATALOGUE, checksum, "f" * 64)
    replace(Path("params/published/tolerances.csv"), "stl10,2.0", "stl10,9.0")
    replace(Path("params/published/table_1.csv"), "Random network,STL10,13.5",
            "Random network,STL10,33.5")  # fmt: skip
    shutil.copy(KMEANS / "evaluation.json", KMEANS / "assignments.parquet")
    later = commit(Path("params"), RESULTS)
    findings = looked()
    said = {finding.message for finding in findings}
    at = f"at {measured}, which has results"
    assert {
        f"seed 1 of digits/kmeans was measured at {measured} and is gone",
        f"table_1 was measured at {measured} and is gone",
        f"seed 0 of digits/kmeans had other assignments before {later}",
        f"seed 1 of digits/kmeans was declared {at}, and is gone",
        f"the scale skips digits/jule, and was not {at}",
        f"the checksum of digits/digits.csv.gz was {checksum} {at}, and is {'f' * 64}",
        f"stl10 was tolerance 2.0 {at}, and is tolerance 9.0",
        f"Random network x STL10 was value 13.5 {at}, and is value 33.5",
    } <= said, said
    assert {(finding.level, finding.kind) for finding in findings} == {("note", "history")}


def test_commits_that_receipts_name_exist_and_are_older(measured: str) -> None:
    path = KMEANS / "run.json"
    code = receipt(path).code
    forge(path, code=code.model_copy(update={"commit": "0" * 40}))
    (finding,) = looked()
    assert finding.path == str(path) and "name commit 000000000000, which" in finding.message
    forge(path, code=code.model_copy(update={"commit": git("rev-parse", "HEAD")}))
    timing = receipt(path).timing
    early = timing.model_copy(update={"start": timing.start.replace(year=2020),
                                      "end": timing.end.replace(year=2020)})  # fmt: skip
    forge(path, timing=early)
    (finding,) = looked()
    assert finding.path == str(path) and "ended before its commit" in finding.message
