"""The committed results of scale laptop, for tests that change them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT, clone_to
from tests.provenance.crate_helpers import LAPTOP


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with the results of scale laptop as they stand in git, without data. Read only."""
    clone = clone_to(tmp_path_factory.mktemp("measured") / "clone")
    for name in ("CITATION.cff", "LICENSE"):
        shutil.copy2(ROOT / name, clone / name)
    shutil.copytree(ROOT / LAPTOP, clone / LAPTOP)
    return clone


@pytest.fixture
def laptop(measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to do anything to, as the working directory."""
    clone = Path(shutil.copytree(measured, tmp_path / "clone"))
    monkeypatch.chdir(clone)
    return clone
