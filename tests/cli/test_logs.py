"""Each job's log file, also where it cannot be written any more."""

from __future__ import annotations

import logging
import resource
from pathlib import Path

import pytest

from iic.cli.app import main
from iic.cli.logs import JobFailed, logged_to
from iic.params.errors import IICError

LOG = logging.getLogger("iic.test")


def test_what_is_logged_goes_to_the_file_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "job.log"
    handlers = list(logging.getLogger().handlers)
    with logged_to(path):
        LOG.warning("first")
    LOG.warning("outside")
    with pytest.raises(IICError), logged_to(path):
        raise IICError("what went wrong")
    text = path.read_text()
    assert "first" in text and "outside" not in text
    assert text.endswith("error: what went wrong\n"), "appended, without a traceback"
    assert logging.getLogger().handlers == handlers


def test_a_traceback_stands_in_the_log_alone(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Snakemake shows the log of a job that failed, so it would be read twice."""
    path = tmp_path / "job.log"

    def verb(standalone_mode: bool) -> None:
        with logged_to(path):
            raise ZeroDivisionError("of a job")

    monkeypatch.setattr("iic.cli.app.app", verb)
    monkeypatch.delenv("IIC_TRACEBACK", raising=False)
    with pytest.raises(SystemExit, match="1"):
        main()
    said = capfd.readouterr()
    assert "Traceback" not in said.err + said.out + caplog.text
    assert f"ZeroDivisionError: of a job\n  its traceback: {path}" in caplog.text
    assert path.read_text().count("Traceback (most recent call last)") == 1
    assert "in verb" in path.read_text()
    monkeypatch.setenv("IIC_TRACEBACK", "1")
    with pytest.raises(JobFailed) as caught:
        main()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_without_a_file_nothing_changes() -> None:
    handlers = list(logging.getLogger().handlers)
    with logged_to(None):
        assert logging.getLogger().handlers == handlers


def test_a_full_disk_under_the_log_does_not_hide_how_the_job_ended(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "job.log"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(IICError, match=r"^the job's own error$"), logged_to(path):
            LOG.warning("short")
            resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
            LOG.warning("no room for this")
            raise IICError("the job's own error")
        with logged_to(path):
            LOG.warning("nor for this")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "Logging error" not in capfd.readouterr().err
    assert path.read_text().endswith("short\n")
