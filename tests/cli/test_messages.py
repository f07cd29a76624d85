"""Whatever a user gets wrong: one clear message, a status that is not 0, no traceback."""

from __future__ import annotations

import errno
import os
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import typer

from iic.cli.app import PANELS, app, main
from tests.cli.cli_helpers import Said, iic, python

SMOKE = ["--scale", "smoke"]

WRONG: dict[str, tuple[list[str], int, str]] = {
    # what is wrong: the command, its status, and what it has to say
    "scale": (["train", "--scale", "minni", "--run", "digits/iic"], 1,
              "'minni' is no known scale\n  allowed: gpu, laptop, laptop_cifar10, mini, paper, "
              "smoke\n"
              "  did you mean: mini?"),
    "scale's path": (["tabulate", "--scale", "../scales/mini", "--name", "table_1"], 1,
                     "'../scales/mini' is no known scale"),
    "run": (["train", *SMOKE, "--run", "digits/icc"], 1,
            "did you mean: digits/iic?"),
    "run's dataset": (["train", *SMOKE, "--run", "mnist/iic"], 1,
                      "scale 'smoke' has no run 'mnist/iic'"),
    "seed of another scale": (["train", *SMOKE, "--run", "digits/iic", "--seed", "7"], 1,
                              "scale 'smoke' has no digits/iic with seed '7'\n  allowed: 0"),
    "negative seed": (["train", *SMOKE, "--run", "digits/iic", "--seed", "-1"], 2,
                      "Invalid value for '--seed'"),
    "seed": (["train", *SMOKE, "--run", "digits/iic", "--seed", "one"], 2,
             "Invalid value for '--seed'"),
    "no run": (["train", *SMOKE], 2, "Missing option '--run'"),
    "dataset to download": (["download", "--dataset", "mnits"], 1,
                            "  did you mean: mnist?"),
    "dataset to prepare": (["prepare", "--dataset", "digit"], 1, "did you mean: digits?"),
    "dataset to evaluate": (["evaluate", *SMOKE, "--dataset", "mnist"], 1,
                            "scale 'smoke' has no dataset 'mnist'\n  allowed: stl10_standin, "),
    "table": (["tabulate", *SMOKE, "--name", "table_11"], 1,
              "scale 'smoke' has no table 'table_11'\n  allowed: table_1, table_2, "),
    "figure as table": (["tabulate", *SMOKE, "--name", "figure_3"], 1, "no table 'figure_3'"),
    "figure": (["draw", *SMOKE, "--name", "figure_33"], 1,
               "scale 'smoke' has no figure 'figure_33'\n  allowed: figure_1, figure_2, "),
    "scale to audit": (["audit", "--scale", "smok"], 1, "did you mean: smoke?"),
    "scale of status": (["status", "--scale", "smok"], 1, "did you mean: smoke?"),
    "scale to prune": (["prune", "--scale", "smok"], 1, "did you mean: smoke?"),
    "target of why": (["why", *SMOKE, "digits/kmean"], 1, "did you mean: digits/kmeans"),
    "run of other scales": (["why", "mnist/iic"], 1, "scale 'mini' has no 'mnist/iic'\n"
                            "  scales that have it: gpu, laptop, paper\n"),
    "run to accept": (["accept", *SMOKE, "digits/icc", "--because", "x"], 1, "did you mean"),
    "scale to run": (["run", "--scale", "laptopp", "all"], 1, "did you mean: laptop?"),
    "verb": (["trian"], 2, "No such command 'trian'"),
    "option": (["train", "--sclae", "mini"], 2, "No such option: --sclae"),
    "data not prepared": (["train", "--scale", "laptop", "--run", "mnist/kmeans"], 1,
                          "data/prepared/mnist/data.json: missing\n  remedy: "),
}  # fmt: skip


@pytest.fixture(scope="module")
def answers(prepared: Path) -> dict[str, Said]:
    said = iic(prepared, *(command for command, _, _ in WRONG.values()))
    return dict(zip(WRONG, said, strict=True))


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_said_once_and_clearly(answers: dict[str, Said], wrong: str) -> None:
    _, status, says = WRONG[wrong]
    said = answers[wrong]
    assert says in said.text
    assert said.status == status
    assert "Traceback" not in said.text
    assert said.text.count("error: ") == (status == 1)


def test_nothing_was_written_by_any_of_them(answers: dict[str, Said], prepared: Path) -> None:
    assert not (prepared / "results").exists() and not (prepared / "scratch").exists()


def commands(group: Any, name: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Every verb by its words."""
    if not hasattr(group, "commands"):
        return {name: group}
    return {
        words: command
        for word, one in group.commands.items()
        for words, command in commands(one, (*name, word)).items()
    }


def test_every_verb_and_every_option_has_help() -> None:
    found = commands(typer.main.get_command(app))
    assert {
        ("download",), ("prepare",), ("train",), ("evaluate",), ("tabulate",), ("draw",),
        ("audit",), ("report",), ("why",), ("accept",), ("restore",), ("prune",), ("status",),
        ("run",), ("dvc", "sync"),
    } <= set(found)  # fmt: skip
    for words, command in found.items():
        assert command.help, words
        for option in command.params:
            assert getattr(option, "help", None), (words, option.name)


def test_help_needs_no_clone_and_everything_else_does(prepared: Path, tmp_path: Path) -> None:
    verbs = [list(words) for words in commands(typer.main.get_command(app))]
    outside = [
        ["train", *SMOKE, "--run", "digits/kmeans"],
        ["dvc", "sync", "--check"],
        ["audit", "--scale", "laptop"],
        ["export", "schemas", "--check"],
    ]
    said = iic(prepared, ["--help"], *([*verb, "--help"] for verb in verbs), *outside, at=tmp_path)
    for one in said[: 1 + len(verbs)]:
        assert one.status == 0 and "Usage:" in one.text
    for one in said[-len(outside) :]:
        assert one.status == 1
        assert f"error: {tmp_path}: no params/ and workflow/ here: run iic in the root" in one.text
        assert "Traceback" not in one.text
    assert not list(tmp_path.iterdir())


def test_the_script_and_the_module_are_one(prepared: Path) -> None:
    (script,) = entry_points(group="console_scripts", name="iic")
    assert script.load() is main
    words = ["tabulate", "--name", "table_11"]
    by_script = python(prepared, "-c", "from iic.cli.app import main; main()", *words)
    by_module = python(prepared, "-m", "iic", *words)
    assert by_module.returncode == by_script.returncode == 1
    assert by_module.stderr == by_script.stderr
    assert "did you mean: table_1?" in by_module.stderr
    assert by_module.stdout == by_script.stdout == ""


def test_a_traceback_on_demand(prepared: Path) -> None:
    (said,) = iic(prepared, ["tabulate", "--name", "table_11"], IIC_TRACEBACK="1")
    assert "Traceback" in said.text and "SettingsError" in said.text


def test_a_disk_that_fails_anywhere_is_a_clear_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(number: int) -> str:
        def raised(**_: object) -> None:
            raise OSError(number, os.strerror(number), "data/progress.json")

        monkeypatch.setattr("iic.cli.app.app", raised)
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 1
        return caplog.records[-1].getMessage()

    monkeypatch.setattr(sys, "argv", ["iic", "status"])
    monkeypatch.setattr("iic.cli.app.use_own_code", lambda: None)
    assert fail(errno.EIO).startswith("error: data/progress.json: Input/output error\n  remedy: ")
    assert "No space left on device" in fail(errno.ENOSPC)
    # a file that a program forgot to make is a fault of the program
    with pytest.raises(FileNotFoundError):
        fail(errno.ENOENT)


def test_a_log_holds_what_was_said_and_how_it_ended(clone: Path) -> None:
    (clone / "params" / "figures.yaml").write_text("figure: {}\n")
    log = clone / "logs" / "new" / "train.log"
    train = ["train", *SMOKE, "--run", "digits/kmeans", "--log", str(log)]
    (said,) = iic(clone, train)
    assert said.status == 1
    expected = "error: params/figures.yaml: figure: unknown key 'figure' (value {})"
    assert expected in said.text and expected in log.read_text()
    assert "Traceback" not in log.read_text()


def test_a_log_keeps_the_traceback_of_what_nobody_expected(clone: Path) -> None:
    module = clone / "iic" / "methods" / "kmeans.py"
    module.write_text(module.read_text().replace("    import numpy as np\n", "    1 / 0\n"))
    log = clone / "train.log"
    (said,) = iic(clone, ["train", *SMOKE, "--run", "digits/kmeans", "--log", str(log)])
    assert said.status != 0
    assert "Traceback" not in said.text
    assert f"error: ZeroDivisionError: division by zero\n  its traceback: {log}" in said.text
    assert "ZeroDivisionError" in log.read_text() and "kmeans.py" in log.read_text()
    assert not list(clone.rglob("seed0/run.json"))


def test_a_log_that_cannot_be_written_is_a_clear_error(prepared: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (said,) = iic(
        prepared, ["tabulate", "--name", "table_1", "--log", str(tmp_path / "file" / "x.log")]
    )
    assert said.status == 1 and "Traceback" not in said.text
    assert f"error: --log {tmp_path}/file/x.log: cannot be written: " in said.text


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_output_never_dies_of_an_encoding(prepared: Path, encoding: str) -> None:
    """A terminal that knows no dash and no bar shows escapes in their place."""
    for command in (["status", *SMOKE], ["status", *SMOKE, "--help"]):
        done = python(prepared, "-m", "iic", *command, PYTHONIOENCODING=encoding)
        assert done.returncode == 0, done.stderr
    done = python(prepared, "-m", "iic", "why", *SMOKE, "–", PYTHONIOENCODING=encoding)
    assert done.returncode == 1 and r"no '\u2013'" in done.stderr


def test_help_shows_the_verbs_in_groups(prepared: Path) -> None:
    (said,) = iic(prepared, ["--help"])
    places = [said.text.index(f" {word} ") for word in (
        "Look", "audit", "Run", "restore", "Share", "cite", "Called", "download",
    )]  # fmt: skip
    assert places == sorted(places)
    assert sorted(verb for verbs in PANELS.values() for verb in verbs) == sorted(
        typer.main.get_command(app).commands  # type: ignore[attr-defined]
    )


def test_without_its_packages_one_line_says_what_to_do(prepared: Path) -> None:
    """As ``python3 -m iic`` outside of the environment."""
    done = python(prepared, "-S", "-m", "iic", "status")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(f"iic: {sys.executable} lacks the package ")
    assert done.stderr.count("\n") == 1 and "run `make setup`" in done.stderr
