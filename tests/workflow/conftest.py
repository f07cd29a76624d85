"""Clones in the states that the tests of the workflow start from, each made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workflow.workflow_helpers import (
    Finished,
    commit,
    copy,
    dvc,
    git,
    iic,
    make_clone,
    snakemake,
    write_scale,
)


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare clone. Do not change it."""
    return make_clone(tmp_path_factory.mktemp("clean") / "clone")


@pytest.fixture
def clone(clean: Path, tmp_path: Path) -> Path:
    """A bare clone to do anything to."""
    return copy(clean, tmp_path / "clone")


@pytest.fixture(scope="session")
def smoke(clean: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Scale smoke, complete: tables through DVC, the rest directly. Do not change it."""
    path = copy(clean, tmp_path_factory.mktemp("smoke") / "clone")
    by_dvc = dvc(path, "repro", "tables@smoke")
    return Finished(path, by_dvc, snakemake(path, scale="smoke"))


@pytest.fixture
def smoke_copy(smoke: Finished, tmp_path: Path) -> Path:
    """A finished smoke clone to do anything to."""
    return copy(smoke.path, tmp_path / "clone")


@pytest.fixture(scope="session")
def tiny(clean: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A scale of one k-means, complete: directly, then `dvc commit`. Do not change it."""
    path = copy(clean, tmp_path_factory.mktemp("tiny") / "clone")
    write_scale(path, "tiny", "digits/kmeans")
    iic(path, "dvc", "sync")
    commit(path)
    by_snakemake = snakemake(path, scale="tiny")
    by_dvc = dvc(path, "commit", "--force", "data@digits", "runs@tiny", "tables@tiny")
    commit(path)
    assert "results/tiny/runs" in git(path, "ls-files", "results")
    return Finished(path, by_dvc, by_snakemake)


@pytest.fixture
def tiny_copy(tiny: Finished, tmp_path: Path) -> Path:
    """A finished tiny clone to do anything to."""
    return copy(tiny.path, tmp_path / "clone")
