"""Clones in the states that the tests of the workflow start from, each made once."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest

from tests.shared import shared
from tests.workflow.workflow_helpers import (
    Done,
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

    def make(clone: Path) -> None:
        make_clone(clone)

    return shared(tmp_path_factory, "clean", make)[0]


@pytest.fixture
def clone(clean: Path, tmp_path: Path) -> Path:
    """A bare clone to do anything to."""
    return copy(clean, tmp_path / "clone")


def finished(path: Path, said: list[Any]) -> Finished:
    by_dvc, by_snakemake = (Done(*one) for one in said)
    return Finished(path, by_dvc, by_snakemake)


@pytest.fixture(scope="session")
def smoke(clean: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Scale smoke, complete: tables through DVC, the rest directly. Do not change it."""

    def make(clone: Path) -> list[Any]:
        by_dvc = dvc(copy(clean, clone), "repro", "tables@smoke")
        return [astuple(by_dvc), astuple(snakemake(clone, scale="smoke"))]

    return finished(*shared(tmp_path_factory, "smoke", make))


@pytest.fixture
def smoke_copy(smoke: Finished, tmp_path: Path) -> Path:
    """A finished smoke clone to do anything to."""
    return copy(smoke.path, tmp_path / "clone")


@pytest.fixture(scope="session")
def tiny(clean: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A scale of one k-means, complete: directly, then `dvc commit`. Do not change it."""

    def make(clone: Path) -> list[Any]:
        write_scale(copy(clean, clone), "tiny", "digits/kmeans")
        iic(clone, "dvc", "sync")
        commit(clone)
        by_snakemake = snakemake(clone, scale="tiny")
        stages = ("data@digits", "runs@tiny", "tables@tiny")
        by_dvc = dvc(clone, "commit", "--force", *stages)
        commit(clone)
        assert "results/tiny/runs" in git(clone, "ls-files", "results")
        return [astuple(by_dvc), astuple(by_snakemake)]

    return finished(*shared(tmp_path_factory, "tiny", make))


@pytest.fixture
def tiny_copy(tiny: Finished, tmp_path: Path) -> Path:
    """A finished tiny clone to do anything to."""
    return copy(tiny.path, tmp_path / "clone")
