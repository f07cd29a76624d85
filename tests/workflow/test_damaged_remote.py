"""A DVC remote whose copies are damaged or incomplete, and how docs/dvc.md mends it."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
import yaml

from tests.workflow.test_traps import ARTIFACTS
from tests.workflow.workflow_helpers import commit, dvc, git, iic, planned

WEIGHTS = ARTIFACTS / "weights.safetensors"
SCALE = ("--scale", "tiny")


@pytest.mark.long
def test_a_damaged_copy_is_never_taken_for_the_result_and_can_be_mended(
    tiny_copy: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    dvc(tiny_copy, "remote", "add", "--default", "store", str(store))
    dvc(tiny_copy, "push", "data@digits", "runs@tiny")
    commit(tiny_copy)
    content = (tiny_copy / WEIGHTS).read_bytes()
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    copy = store / "files/md5" / digest[:2] / digest[2:]
    assert copy.read_bytes() == content
    copy.chmod(0o644)
    copy.write_bytes(content[:-1] + b"x")

    fresh = tmp_path / "fresh"
    git(tiny_copy, "clone", "--quiet", str(tiny_copy), str(fresh))
    refused = iic(fresh, "restore", *SCALE, expect=1).said
    assert f"{WEIGHTS}: altered" in refused and "not as the receipts say" in refused
    assert f"DVC brought {WEIGHTS}: its copy in remote 'store' or in the cache is dam" in refused
    # no job reads these weights, so none is due; the audit refuses them
    assert planned(fresh, "tables", scale="tiny") == []
    assert f"{WEIGHTS}\n  altered" in iic(fresh, "audit", *SCALE, expect=1).said

    # with `verify` it is left out, and all the rest is restored
    dvc(fresh, "remote", "modify", "store", "verify", "true")
    shutil.rmtree(fresh / ".dvc/cache")
    shutil.rmtree(fresh / "results/tiny/artifacts")
    said = iic(fresh, "restore", *SCALE).said
    assert "1 jobs are left to do" in said
    assert "the artifacts of 1 trainings are not here" in said and not (fresh / WEIGHTS).exists()
    assert planned(fresh, "tables", scale="tiny") == []

    # the bad copy is gone and nobody has sent another
    copy.unlink(missing_ok=True)
    said = iic(fresh, "restore", *SCALE, "--remote", "store").said
    assert "remote 'store' lacks some of what dvc.lock names" in said
    assert "dvc --wait-for-lock push --remote store" in said

    # DVC takes a folder for complete in the remote as long as its list is there
    outs = yaml.safe_load((fresh / "dvc.lock").read_text())["stages"]["runs@tiny"]["outs"]
    (listed,) = (one["md5"] for one in outs if one["path"] == "results/tiny/artifacts")
    (store / "files/md5" / listed[:2] / listed[2:]).unlink()
    dvc(tiny_copy, "push", "runs@tiny")
    assert "0 jobs are left to do" in iic(fresh, "restore", *SCALE).said
    assert (fresh / WEIGHTS).read_bytes() == content
