"""The text of the workflow: thin rules of one form, no logic, nothing loaded unasked."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.workflow.workflow_helpers import ROOT, run, snakemake

FILES = sorted((ROOT / "workflow/rules").glob("*.smk"))
ORDER = (
    "name", "input", "output", "params", "threads", "resources", "retries",
    "wildcard_constraints", "log", "benchmark", "message", "shell",
)  # fmt: skip
VERBS = {"download", "prepare", "train", "evaluate", "tabulate", "draw", "report", "audit"}
BANNED = re.compile(r"^\s*(script|run|notebook|wrapper|cwl)\s*:", re.MULTILINE)


@dataclass(frozen=True)
class Rule:
    """A rule as it is written."""

    file: Path
    line: int
    docstring: str
    directives: dict[str, str]

    def __str__(self) -> str:
        return f"{self.file.name}:{self.line}"


@cache
def rules() -> tuple[Rule, ...]:
    """All rules of workflow/rules and the two Snakefiles."""
    found = []
    for file in (*FILES, ROOT / "workflow/Snakefile", ROOT / "Snakefile"):
        lines = file.read_text().splitlines()
        for number, line in enumerate(lines):
            if head := re.fullmatch(r"( *)(rule|checkpoint)( \w+)?:", line):
                body = []
                for following in lines[number + 1 :]:
                    if following.strip() and not following.startswith(head[1] + "    "):
                        break
                    body.append(following.removeprefix(head[1] + "    "))
                found.append(_rule(file, number + 1, body))
    return tuple(found)


def _rule(file: Path, line: int, body: list[str]) -> Rule:
    docstring, directives, current = "", {}, ""
    for text in body:
        if start := re.match(r"(\w+):(.*)", text):
            current = start[1]
            assert current not in directives, f"{file}:{line}: {current} twice"
            directives[current] = start[2].strip()
        elif not current:
            docstring += text
        elif not text.startswith("#"):
            directives[current] += "\n" + text
    return Rule(file, line, docstring.strip(), directives)


JOBS = [rule for rule in rules() if "shell" in rule.directives]
TARGETS = [rule for rule in rules() if "shell" not in rule.directives]


def test_there_are_jobs_and_targets_for_every_phase() -> None:
    verbs = {re.search(r"python -m iic (\w+)", rule.directives["shell"])[1] for rule in JOBS}
    assert verbs >= VERBS
    assert len(TARGETS) >= 7


@pytest.mark.parametrize("rule", JOBS, ids=str)
def test_a_job_calls_one_verb_with_named_arguments(rule: Rule) -> None:
    text = "".join(
        ast.literal_eval(part) for part in re.findall(r'"[^"]*"', rule.directives["shell"])
    )
    value = r"\{[a-z.]+:q\}"
    form = rf"python -m iic ({'|'.join(VERBS)})( --[a-z-]+( {value}(/{value})?)?)+"
    assert re.fullmatch(form, text), text
    assert "--log {log:q}" in text
    if "iic audit" not in text:  # it judges what it finds and has nothing to be planned for
        assert "--fingerprint {params.fp:q}" in text


@pytest.mark.parametrize("rule", JOBS, ids=str)
def test_a_job_has_every_part_in_its_order(rule: Rule) -> None:
    parts = list(rule.directives)
    assert parts == [name for name in ORDER if name in parts], f"{rule}: {parts}"
    assert {"output", "params", "resources", "log", "benchmark", "message"} <= {*parts}
    assert re.fullmatch(r'"""[A-Z].+\."""', rule.docstring), rule.docstring
    message = rule.directives["message"].strip().strip('"')
    assert re.fullmatch(r"[A-Z][a-z]+ .+ .+\.", message), f"{rule}: no full sentence: {message}"


@pytest.mark.parametrize("rule", JOBS, ids=str)
def test_outputs_are_named_and_resources_portable(rule: Rule) -> None:
    for line in rule.directives["output"].strip().splitlines():
        if re.match(r" {4}\S", line):
            assert re.match(r" {4}(\w+=|\))", line), f"{rule}: unnamed output: {line}"
    resources = set(re.findall(r"^ {4}(\w+)=", rule.directives["resources"], re.MULTILINE))
    assert {"runtime", "mem_mb"} <= resources <= {"runtime", "mem_mb", "gpu"}


@pytest.mark.parametrize("rule", JOBS, ids=str)
def test_h5_every_job_has_a_fingerprint_of_wildcards_only(rule: Rule) -> None:
    """What a lambda makes of `input` is never compared with the last run's."""
    params = rule.directives["params"]
    made = r"^ {4}fp=(lambda wildcards: )?fp\(\s*\"(\w+)\""
    assert re.search(made, params, re.MULTILINE), f"{rule} has no fingerprint"
    for arguments in re.findall(r"lambda\s*([^:]*):", params):
        assert arguments.strip() == "wildcards", f"{rule}: params of {arguments}"
    assert "input" not in params and "threads" not in params


@pytest.mark.parametrize("rule", TARGETS, ids=str)
def test_a_target_only_gathers(rule: Rule) -> None:
    assert set(rule.directives) <= {"name", "default_target", "input"}


@pytest.mark.parametrize("file", [*FILES, ROOT / "workflow/Snakefile"], ids=lambda file: file.name)
def test_a_file_is_short_says_what_it_is_and_holds_no_code_to_run(file: Path) -> None:
    text = file.read_text()
    assert len(text.splitlines()) < 200
    assert not BANNED.search(text)
    header = text.split('"""')[1]
    assert text.startswith('"""') and header.splitlines()[0].endswith(".")
    if file.parent.name == "rules":
        assert re.search(r"^Inputs: .+^Outputs: .+^Test with: snakemake ", header, re.S | re.M)


def test_workflow_imports_only_settings_and_what_plans_and_shows_jobs() -> None:
    allowed = re.compile(
        r"import (os|sys)|from pathlib import \w+|from snakemake\.[\w.]+ import [\w, ]+"
        r"|from iic\.params\.\w+ import [\w, ]+|from iic\.cli import served"
        r"|from iic\.provenance import due, fingerprint, graph, jobs, planned, progress, runtime"
    )
    for file in (*FILES, ROOT / "workflow/Snakefile", ROOT / "Snakefile"):
        for line in file.read_text().splitlines():
            if re.match(r"\s*(import|from)\s", line):
                assert allowed.fullmatch(line.strip()), f"{file.name}: {line.strip()}"


def test_root_snakefile_includes_and_names_the_default_target() -> None:
    (default,) = [rule for rule in rules() if rule.file == ROOT / "Snakefile"]
    assert default.directives["default_target"] == "True"
    assert default.directives["input"].split() == ["rules.all.input,"]
    assert set(default.directives) == {"default_target", "input"}
    above = (ROOT / "Snakefile").read_text().splitlines()[: default.line - 1]
    assert [line for line in above if line] == ['include: "workflow/Snakefile"']


def test_no_profile_is_loaded_unasked_and_each_says_what_it_is_for() -> None:
    # Snakemake looks for profiles/default beside the Snakefile and in the working folder
    assert not (ROOT / "profiles").exists()
    profiles = list((ROOT / "workflow/profiles").glob("*/config*.yaml"))
    assert ROOT / "workflow/profiles/default/config.yaml" in profiles
    for profile in profiles:
        assert profile.read_text().startswith("# "), f"{profile}: say for which machine it is"


def test_lint_finds_nothing_but_its_wish_for_containers(clean: Path) -> None:
    said = snakemake(clean, "--lint", expect=None).said
    wishes = set(re.findall(r"^ {4}\* (.+)$", said, flags=re.MULTILINE))
    assert wishes == {"Specify a conda environment or container for each rule.:"}, said


def test_rules_are_formatted(clean: Path) -> None:
    run(clean, "snakefmt", "--check", "Snakefile", "workflow")
