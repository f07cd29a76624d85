"""The committed trainings that were kept across the change to hashes of definitions."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from iic.params.runs import load_plan
from iic.provenance import jobs
from iic.provenance.code.switch import (
    NotTheSame,
    checked_out,
    fingerprints_then,
    reason,
    switch,
)
from iic.records.files import read_record
from iic.records.receipt import Receipt
from tests.conftest import ROOT

COMMIT = "b289208"
SCALES = ("laptop", "laptop_cifar10")
KEPT = sorted(ROOT.glob("results/laptop*/runs/*/*/seed*/run.json"))


def has(commit: str) -> bool:
    done = subprocess.run(["git", "-C", str(ROOT), "cat-file", "-e", commit], capture_output=True)
    return done.returncode == 0


@pytest.mark.skipif(not has(COMMIT), reason=f"this clone has no commit {COMMIT}")
def test_each_training_that_was_kept_stood_before() -> None:
    with checked_out(COMMIT, ROOT) as tree:
        then = {scale: fingerprints_then(tree, scale) for scale in SCALES}
    kept = 0
    for path in KEPT:
        receipt = read_record(path, Receipt)
        if receipt.fingerprint.identity is not None:
            continue  # trained since
        names = receipt.wildcards
        value = then[names["scale"]][f"train {names['run']}/seed{names['seed']}"]
        earlier = [one for one in receipt.acceptances if COMMIT not in one.because]
        assert value in {receipt.fingerprint.value, *(one.fingerprint for one in earlier)}
        [accepted] = [one for one in receipt.acceptances if COMMIT in one.because]
        assert value[:12] in accepted.because
        assert re.search(r"the same there and here \([0-9a-f]{12}\)", accepted.because)
        kept += 1
    assert kept or all(read_record(path, Receipt).fingerprint.identity for path in KEPT)


@pytest.mark.skipif(not has(COMMIT), reason=f"this clone has no commit {COMMIT}")
def test_a_training_that_did_not_stand_is_refused_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--shared", str(ROOT), str(clone)], check=True)
    for name in ("iic", "params"):  # as they are here, committed or not
        shutil.rmtree(clone / name)
        shutil.copytree(ROOT / name, clone / name)
    monkeypatch.chdir(clone)
    path = clone / "results/laptop/runs/mnist/spectral/seed0/run.json"
    content = json.loads(path.read_text())
    content["acceptances"] = []
    content["fingerprint"]["value"] = "0" * 64
    path.write_text(json.dumps(content))
    before = {file: file.read_bytes() for file in clone.glob("results/**/run.json")}
    job = jobs.train("laptop", "mnist/spectral", 0)
    with checked_out(COMMIT, clone) as tree:
        then = fingerprints_then(tree, "laptop")
        with pytest.raises(NotTheSame, match=r"train mnist/spectral/seed0: b289208 gives it"):
            reason(load_plan("laptop"), job, then, tree, COMMIT)
    # today's code is another one than at that commit, of which some trainings tell
    with pytest.raises(NotTheSame, match=r"train mnist/\w+/seed0: "):
        switch(COMMIT, ["laptop"])
    with pytest.raises(NotTheSame, match=r"no-such-commit: "):
        switch("no-such-commit", ["laptop"])
    assert {file: file.read_bytes() for file in clone.glob("results/**/run.json")} == before
