"""docs/dvc.md cannot rot: its commands parse, and the tests and files that it names exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from iic.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs/dvc.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n(.*?)```", TEXT, flags=re.DOTALL)
COMMANDS = [line.split("  #")[0].strip() for block in BLOCKS for line in block.splitlines() if line]
INLINE = re.findall(r"`((?:iic|dvc) [^`\n]+)`", TEXT)
PLACEHOLDER = {"NAME": "store", "URL": "https://example.org"}


def words(command: str) -> list[str]:
    """The words of a command, without the variables before it."""
    return [
        PLACEHOLDER.get(one, one) for one in shlex.split(command) if not re.match(r"[A-Z_]+=", one)
    ]


def parse_iic(arguments: list[str]) -> None:
    """Parse a command line of this package, and run nothing.

    Raises:
        KeyError: There is no such verb.
        Exception: There is no such option; of a class of the command line's library.
    """
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command, arguments = command.commands[arguments[0]], arguments[1:]
    command.make_context(None, arguments)


def named_tests(text: str) -> list[str]:
    return re.findall(r"`(test_h\d+_\w+)`", text)


@pytest.mark.parametrize("command", [one for one in COMMANDS if words(one)[0] == "dvc"])
def test_every_command_of_dvc_parses(command: str) -> None:
    parser = pytest.importorskip("dvc.cli.parser")
    parser.get_main_parser().parse_args(words(command)[1:])


def test_every_verb_of_iic_parses() -> None:
    own = [one for one in COMMANDS + INLINE if one.startswith("iic ")]
    assert len(own) > 5
    for command in own:
        if len(words(command)) > 2 or command in COMMANDS:
            parse_iic(words(command)[1:])


def test_the_checks_would_notice() -> None:
    with pytest.raises(Exception, match="--scales"):
        parse_iic(["prune", "--scales", "mini"])
    with pytest.raises(KeyError):
        parse_iic(["prun"])


def test_each_trap_has_a_test_of_its_name() -> None:
    source = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = named_tests(TEXT)
    assert [name for name in named if f"def {name}(" not in source] == []
    assert set(re.findall(r"def (test_h\d+_\w+)\(", source)) == set(named)
    assert {int(re.findall(r"\d+", name)[0]) for name in named} == set(range(1, 12))


def test_files_that_are_named_exist() -> None:
    names = re.findall(r"`((?:\.dvc|workflow|params|docs)/[\w./-]+)`", TEXT)
    # of one's own, or yet to be made by somebody
    made = {".dvc/config.local"}
    assert len(names) > 3
    assert [name for name in names if not (ROOT / name).exists() and name not in made] == []
