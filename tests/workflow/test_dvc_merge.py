"""Two people train different runs, push to one remote, and merge: the commands of docs/dvc.md."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from iic.params.runs import load_plan
from tests.workflow.workflow_helpers import (
    ROOT,
    commit,
    contents,
    copy,
    dvc,
    git,
    iic,
    planned,
    run,
    snakemake,
    write_scale,
)

SCALE, DATA = "tiny", "digits"
RUNS = ("digits/kmeans", "digits/random")
PAGE = ROOT / "docs/dvc.md"


def documented(section: str) -> list[str]:
    """The commands of the first console block below a heading of the page."""
    text = PAGE.read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    (block, *_) = re.findall(r"```console\n(.*?)```", text, flags=re.DOTALL)
    commands = [line.split("  #")[0].strip() for line in block.splitlines()]
    return [
        re.sub(r"\bSCALE\b", SCALE, re.sub(r"\bDATASET\b", DATA, one)) for one in commands if one
    ]


def follow(clone: Path, commands: list[str], **status: int) -> str:
    """Type commands into a shell in the clone; each ends well, or with the status of its tool."""
    said = ""
    for command in commands:
        tool = shlex.split(command)[0]
        words = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
        shell = (
            command.replace("git ", f"git {shlex.join(words)} ", 1) if tool == "git" else command
        )
        shell = re.sub(r"^(dvc|iic|snakemake) ", r"python -m \1 ", shell)
        said += run(clone, "bash", "-c", shell, expect=status.get(tool, 0)).said
    return said


@pytest.fixture
def base(clean: Path, tmp_path: Path) -> Path:
    """A repository with a scale of two runs, none of them trained, and a remote for DVC."""
    work = copy(clean, tmp_path / "work")
    write_scale(work, SCALE, RUNS[0])
    path = work / f"params/scales/{SCALE}.yaml"
    scale = yaml.safe_load(path.read_text())
    scale["skip"].remove(RUNS[1])
    scale["changes"][RUNS[1]] = load_plan("smoke").run(RUNS[1]).settings_json
    path.write_text(yaml.safe_dump(scale))
    iic(work, "dvc", "sync")
    dvc(work, "remote", "add", "--default", "store", str(tmp_path / "store"))
    commit(work)
    git(tmp_path, "clone", "--quiet", "--bare", str(work), str(tmp_path / "base.git"))
    return tmp_path / "base.git"


def train_and_push(base: Path, who: str, name: str) -> Path:
    """A clone in which one of the runs was trained, committed and pushed to DVC's remote."""
    clone = base.parent / who
    git(base.parent, "clone", "--quiet", str(base), str(clone))
    snakemake(clone, f"results/{SCALE}/runs/{name}/seed0/run.json", scale=SCALE)
    dvc(clone, "commit", "--force", f"data@{DATA}", f"runs@{SCALE}")
    dvc(clone, "push")
    commit(clone)
    return clone


@pytest.mark.long
def test_two_peoples_runs_merge_by_the_documented_commands(base: Path) -> None:
    first = train_and_push(base, "first", RUNS[0])
    second = train_and_push(base, "second", RUNS[1])
    git(first, "push", "--quiet", "origin", "HEAD:main")
    trained = {
        name: contents(clone / f"results/{SCALE}/artifacts/{name}")
        for name, clone in zip(RUNS, (first, second), strict=True)
    }
    commands = documented("Merging two people's runs")
    merge, *others = commands
    assert "Merge conflict in dvc.lock" in follow(second, [merge], git=1)
    assert git(second, "diff", "--name-only", "--diff-filter=U").split() == ["dvc.lock"]
    said = follow(second, others)

    assert "/seed0: trained" not in said and "table_1 written" in said
    for name in RUNS:
        assert contents(second / f"results/{SCALE}/artifacts/{name}") == trained[name]
    assert planned(second, scale=SCALE) == []
    iic(second, "audit", "--scale", SCALE)
    stages = (f"data@{DATA}", f"runs@{SCALE}", f"tables@{SCALE}")
    assert "up to date" in dvc(second, "status", *stages).said
    assert git(second, "status", "--porcelain", "--", "dvc.lock", "params", "iic") == ""
    assert "didn't change, skipping" in dvc(second, "repro", f"tables@{SCALE}").said

    # and a third person gets both
    git(second, "push", "--quiet", "origin", "HEAD:main")
    third = base.parent / "third"
    git(base.parent, "clone", "--quiet", "--branch", "main", str(base), str(third))
    assert "0 jobs are left to do" in iic(third, "restore", "--scale", SCALE).said
    for name in RUNS:
        assert contents(third / f"results/{SCALE}/artifacts/{name}") == trained[name]
