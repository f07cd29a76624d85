"""Installed packages that compute: files by their wheels' lists, versions by the lock file."""

from __future__ import annotations

import base64
import hashlib
from importlib import metadata
from pathlib import Path

import pytest

from iic.provenance.audit.packages import Packages, versions
from iic.provenance.audit.report import Finding
from iic.provenance.environment import PACKAGES


@pytest.fixture
def numpy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of that name with code, a library and a table; no other is installed."""
    package, info = tmp_path / "numpy", tmp_path / "numpy-9.9.dist-info"
    package.mkdir()
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 9.9\n")
    lines = ["numpy-9.9.dist-info/RECORD,,"]
    for name in ("__init__.py", "core.so.2", "table.txt"):
        (package / name).write_text(name)
        digest = base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest()).decode()
        lines.append(f"numpy/{name},sha256={digest.rstrip('=')},{len(name)}")
    (info / "RECORD").write_text("\n".join(lines) + "\n")

    def installed(name: str) -> metadata.Distribution:
        if name != "numpy":
            raise metadata.PackageNotFoundError(name)
        return metadata.PathDistribution(info)

    monkeypatch.setattr(metadata, "distribution", installed)
    (tmp_path / "requirements.lock").write_text("numpy==9.9 ; python_version < '4' \\\n")
    return tmp_path


def found(root: Path, *, thorough: bool = False) -> tuple[list[Finding], int]:
    packages = Packages(root, thorough)
    return list(packages.check()), packages.compared


def test_what_the_wheel_brought_is_found_in_order(numpy: Path) -> None:
    assert found(numpy) == ([], 2)
    assert found(numpy, thorough=True) == ([], 3)


@pytest.mark.parametrize("name", ["__init__.py", "core.so.2", "table.txt"])
def test_another_file_is_named(numpy: Path, name: str) -> None:
    for spoil in (lambda path: path.write_text("forged"), Path.unlink):
        spoil(numpy / "numpy" / name)
        (finding,) = found(numpy, thorough=True)[0]
        assert (finding.level, finding.path) == ("failure", "numpy")
        assert "1 files of numpy are not those of its wheel" in finding.message
        assert f"numpy/{name}" in finding.message
    assert bool(found(numpy)[0]) == (name != "table.txt"), "a quick look is at code"


def test_another_version_than_the_locks_is_drift(numpy: Path) -> None:
    lock = numpy / "requirements.lock"
    lock.write_text("numpy==9.8 ; python_version < '3.12' \\\nnumpy==9.10\n")
    assert versions(lock) == {"numpy": {"9.8", "9.10"}}
    (finding,) = found(numpy)[0]
    assert finding.level == "drift"
    assert finding.message == "numpy is 9.9 here, and 9.10 or 9.8 in requirements.lock"


def test_a_package_without_a_list_is_said_to_have_none(numpy: Path) -> None:
    (numpy / "numpy-9.9.dist-info/RECORD").unlink()
    (finding,) = found(numpy)[0]
    assert finding.level == "note" and "no RECORD" in finding.message


def test_this_environment_has_files_to_compare() -> None:
    installed = metadata.distribution("numpy").files
    assert installed is not None and any(file.hash for file in installed)
    assert "torch" in PACKAGES
