"""A clone with prepared digits, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.cli_helpers import iic, make_clone
from tests.shared import shared


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits are downloaded and prepared, nothing is trained. Do not change it."""

    def make(clone: Path) -> None:
        verbs = ["download", "--dataset", "digits"], ["prepare", "--dataset", "digits"]
        for said in iic(make_clone(clone), *verbs):
            assert said.status == 0, said.text

    return shared(tmp_path_factory, "prepared", make)[0]


@pytest.fixture
def clone(prepared: Path, tmp_path: Path) -> Path:
    """A copy of it to do anything to."""
    return Path(shutil.copytree(prepared, tmp_path / "clone"))
