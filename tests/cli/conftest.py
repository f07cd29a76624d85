"""A clone with prepared digits, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.cli_helpers import iic, make_clone


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits are downloaded and prepared, nothing is trained. Do not change it."""
    clone = make_clone(tmp_path_factory.mktemp("prepared") / "clone")
    for said in iic(clone, ["download", "--dataset", "digits"], ["prepare", "--dataset", "digits"]):
        assert said.status == 0, said.text
    return clone


@pytest.fixture
def clone(prepared: Path, tmp_path: Path) -> Path:
    """A copy of it to do anything to."""
    return Path(shutil.copytree(prepared, tmp_path / "clone"))
