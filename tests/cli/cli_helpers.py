"""A clone to run verbs in, and a quick way to run many of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLONED = ("Snakefile", "iic", "params", "pyproject.toml", "requirements.lock", "workflow")

# one process imports the command line; each verb then runs in a child of its own
DRIVER = """
import json, logging, os, sys, tempfile, traceback
from iic.cli.app import main

def child(words, file):
    os.dup2(file.fileno(), 1)
    os.dup2(file.fileno(), 2)
    sys.argv = ["iic", *words]
    try:
        main()
        return 0
    except SystemExit as end:
        return end.code or 0
    except BaseException:
        traceback.print_exc()
        return 70

answers = []
for words in json.load(sys.stdin):
    with tempfile.TemporaryFile() as file:
        if (pid := os.fork()) == 0:
            status = child(words, file)
            sys.stdout.flush(), sys.stderr.flush()
            os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        file.seek(0)
        answers.append([status, file.read().decode()])
json.dump(answers, sys.stdout)
"""


@dataclass(frozen=True)
class Said:
    """How a verb ended and what it wrote to both streams."""

    status: int
    text: str


def environment(clone: Path, **more: str) -> dict[str, str]:
    """With the package of the clone, one thread and wide lines."""
    return {
        **os.environ,
        "PYTHONPATH": str(clone),
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "300",
        "NO_COLOR": "1",
        "TERM": "dumb",
        **more,
    }


def python(
    clone: Path, *command: str, at: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run Python with the package of the clone, in the clone or elsewhere."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=at or clone,
        env=environment(clone, **more),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def iic(clone: Path, *commands: Sequence[str], at: Path | None = None, **more: str) -> list[Said]:
    """Run verbs one after the other, each in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        input=json.dumps([list(one) for one in commands]),
        cwd=at or clone,
        env=environment(clone, **more),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [Said(status, text) for status, text in json.loads(done.stdout)]


def make_clone(place: Path) -> Path:
    """What a clone needs to run, without data or results."""
    place.mkdir(parents=True)
    for name in CLONED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(ROOT / name, place / name)
    return place
