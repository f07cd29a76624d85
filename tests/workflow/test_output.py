"""What a person sees of the workflow: one line a job in a pipe and in a terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from tests.workflow.workflow_helpers import (
    Finished,
    edit,
    environment,
    snakemake,
    snakemake_command,
)

LINE = re.compile(r"^\[(\d+) of (\d+)(?:, .+? left)?\] (.+)$", re.MULTILINE)
OTHER_LINES = 12
"""Lines at most that stand for no job: how many there are, where the log is, how long it took."""
LONGEST = 300


def in_terminal(clone: Path, *command: str) -> str:
    """What a command writes to a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, cwd=clone, env=environment(TERM="xterm"), stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    said = b""
    try:
        while chunk := os.read(ours, 1 << 16):
            said += chunk
    except OSError:  # the way in which Linux says that the other end is closed
        pass
    os.close(ours)
    assert process.wait() == 0, said.decode()
    return said.decode().replace("\r\n", "\n")


def test_each_job_is_one_line_and_the_last_ones_say_what_to_open(tiny: Finished) -> None:
    said = tiny.by_snakemake.said
    jobs = LINE.findall(said)
    total = len(jobs)
    assert total >= 6 and [(int(done), int(of)) for done, of, _ in jobs] == [
        (number, total) for number in range(1, total + 1)
    ]
    assert len(said.splitlines()) <= total + OTHER_LINES
    assert max(map(len, said.splitlines())) < LONGEST
    assert "\x1b" not in said and "Reason:" not in said
    found = [text for _, _, text in jobs]
    for line in (
        r"digits/kmeans/seed0: trained, \d+ s",
        r"digits/kmeans/seed0 scored: accuracy [\d.]+ % \(label-free\), \d+ s",
    ):
        assert any(re.fullmatch(line, text) for text in found)
    audit, page = found[-2:]
    assert audit.startswith("tiny: verified: ")
    assert page.startswith("to open: results/tiny/report.html ") and "audit: verified" in page
    (log,) = re.findall(r"^Complete log\(s\): (.+)$", said, re.MULTILINE)
    assert "Finished jobid" in Path(log).read_text(), "Snakemake's own lines are kept"


@pytest.mark.long
def test_a_terminal_shows_the_same_lines(tiny_copy: Path) -> None:
    command = snakemake_command("--forcerun=tabulate", "table_1", scale="tiny")
    said = in_terminal(tiny_copy, *command)
    piped = snakemake(tiny_copy, "--forcerun=tabulate", "table_1", scale="tiny").said
    texts = [[text.rsplit(",", 1)[0] for *_, text in LINE.findall(one)] for one in (said, piped)]
    assert texts[0] == texts[1] and len(texts[0]) == 1
    assert "made again" in texts[0][0] or "table_1 written" in texts[0][0]


def test_who_asks_snakemake_for_more_gets_its_own_lines(tiny_copy: Path) -> None:
    arguments = ("--printshellcmds", "--forcerun=tabulate", "table_1")
    said = snakemake(tiny_copy, *arguments, scale="tiny").said
    assert "Finished jobid" in said and "python -m iic tabulate" in said and not LINE.search(said)


def test_a_failed_job_is_named_with_its_error_and_its_log(tiny_copy: Path) -> None:
    edit(tiny_copy / "iic/methods/kmeans.py", "    import numpy as np\n", "    1 / 0\n")
    said = snakemake(tiny_copy, "runs", scale="tiny", expect=1).said
    log = "logs/tiny/train/digits/kmeans/seed0.log"
    assert "error: ZeroDivisionError: division by zero\n" in said
    assert f"FAILED: Training kmeans on digits with seed 0. Its log: {log}\n" in said
    assert "Traceback" not in said and "CalledProcessError" not in said
    assert (tiny_copy / log).read_text().count("Traceback") == 1
    assert len(said.splitlines()) < 2 * OTHER_LINES
