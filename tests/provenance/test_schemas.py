"""The published JSON schemas: in step with the models, true of real files, false of wrong ones."""

from __future__ import annotations

import copy
import csv
import json
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from typer.testing import CliRunner

from iic.cli.app import app
from iic.params.loading import read_yaml
from iic.params.modules import method_name
from iic.params.runs import load_plan, scale_names
from iic.provenance.schemas.publish import DIALECT, FOLDER, of_methods, published, texts, write_all
from iic.records.table import TableRow
from tests.conftest import ROOT

MEASURED = [ROOT / "results" / name for name in ("laptop", "laptop_cifar10")]
Edit = Callable[[Any], object]


@cache
def validator(name: str) -> Draft202012Validator:
    of_method = {schema.name: schema for schema in of_methods()}
    if name in of_method:
        schema = {"$schema": DIALECT, **of_method[name].build()}
    else:
        schema = json.loads((ROOT / FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))
    return Draft202012Validator(schema, format_checker=FormatChecker())


def wrong(name: str, content: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in validator(name).iter_errors(content)]


def lines_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def settings_files() -> Iterator[tuple[str, Path]]:
    params = ROOT / "params"
    for folder, name in (("scales", "scale"), ("experiments", "experiments")):
        yield from ((name, path) for path in sorted((params / folder).glob("*.yaml")))
    yield from (("datasets", params / "datasets.yaml"), ("figures", params / "figures.yaml"))
    special = {"marks": "marks", "tolerances": "tolerances", "learning_curves": "curves"}
    for path in sorted((params / "published").glob("*.csv")):
        yield f"published_{special.get(path.stem, 'numbers')}", path


def record_files() -> Iterator[tuple[str, Path]]:
    named = {
        "receipt": "*run.json", "evaluation": "evaluation.json", "sources": "*.sources.json",
        "audit": "audit.json", "history_line": "history.jsonl",
    }  # fmt: skip
    for folder in MEASURED:
        for name, pattern in named.items():
            yield from ((name, path) for path in sorted(folder.rglob(pattern)))
        for path in sorted(folder.glob("tables/*.csv")):
            if path.read_text(encoding="utf-8").startswith("table,"):
                yield "table_row", path


def contents(path: Path) -> list[Any]:
    """What of a file one schema is about: all of it, or each line."""
    if path.suffix == ".yaml":
        return [read_yaml(path)]
    if path.suffix == ".csv":
        return lines_of(path)
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in (text.splitlines() if path.suffix == ".jsonl" else [text])]


def test_every_schema_is_one_and_refers_to_nothing_outside_itself() -> None:
    for one in published():
        schema = validator(one.name).schema
        Draft202012Validator.check_schema(schema)
        references = {word for word in json.dumps(schema).split('"') if word.startswith("#/")}
        for reference in references:
            assert reference.removeprefix("#/$defs/") in schema["$defs"]


def test_all_of_params_fits_its_schemas() -> None:
    files = list(settings_files())
    every = {path for path in (ROOT / "params").rglob("*") if path.is_file()}
    assert every - {path for _, path in files} == {ROOT / "params/references.bib"}
    for name, path in files:
        for content in contents(path):
            assert wrong(name, content) == [], path


def test_the_measured_results_fit_their_schemas() -> None:
    files = list(record_files())
    assert {name for name, _ in files} == {
        "receipt",
        "evaluation",
        "sources",
        "audit",
        "history_line",
        "table_row",
    }
    for name, path in files:
        for content in contents(path):
            assert wrong(name, content) == [], path
    # nothing that is written as JSON is without a schema
    every = {path for folder in MEASURED for path in folder.rglob("*.json*")}
    assert every == {path for _, path in files if path.suffix != ".csv"}


def test_resolved_settings_fit_the_schema_of_their_method() -> None:
    seen = set()
    for scale in scale_names():
        for run in load_plan(scale, ROOT / "params").runs.values():
            name = f"method_{method_name(run.method)}"
            assert wrong(name, run.settings_json) == [], (scale, run.id)
            seen.add(name)
    # features from a file: no run until somebody names one
    assert {schema.name for schema in of_methods()} - seen == {"method_frozen_features"}


def test_all_schemas_are_written_where_somebody_wants_them(tmp_path: Path) -> None:
    assert len(write_all(tmp_path)) == len(published()) + len(of_methods())
    for path in tmp_path.iterdir():
        Draft202012Validator.check_schema(json.loads(path.read_text(encoding="utf-8")))


def test_manifests_and_reports_of_a_finished_tree_fit_their_schemas(finished_tree: Path) -> None:
    checked = set()
    for path in (finished_tree / "data").rglob("*.json"):
        if path.name.endswith(".run.json"):
            name = "receipt"
        elif path.name == "files.json":
            name = "raw_manifest"
        else:
            maps = "maps" in json.loads(path.read_text(encoding="utf-8"))
            name = "prepared_maps_manifest" if maps else "prepared_manifest"
        assert wrong(name, json.loads(path.read_text(encoding="utf-8"))) == [], path
        checked.add(name)
    assert len(checked) == 4
    said = CliRunner().invoke(app, ["status", "--scale", "smoke", "--json"])
    assert wrong("status", json.loads(said.stdout)) == []


@cache
def example(name: str) -> Any:
    """A file that has all that the cases below make wrong."""
    files = [*settings_files(), *record_files()]
    every = (content for kind, path in files if kind == name for content in contents(path))
    if name == "receipt":
        return next(content for content in every if content["rule"] == "train")
    if name == "sources":
        return next(content for content in every if any(x["seeds"] for x in content["cells"]))
    return next(every)


WRONG: dict[str, tuple[str, Edit, str]] = {
    # what is wrong: the schema, how to make it so, and where it has to be found
    "misspelt key of a scale": ("scale", lambda c: c.update(machin="x"), "machin"),
    "misspelt setting in a scale": (
        "scale", lambda c: c["changes"].update({"a/b": {"scheduel": {}}}), "scheduel"),
    "setting of a wrong type": (
        "scale", lambda c: c["changes"].update({"a/b": {"schedule": {"epochs": "ten"}}}), "ten"),
    "seed below 0": ("scale", lambda c: c["seeds"].update(default=[-1]), "$.seeds.default[0]"),
    "scale without its tables": ("scale", lambda c: c.pop("tables"), "$"),
    "row of an unknown method": (
        "experiments", lambda c: c["rows"][0].update(method="iic.methods.iik"), "iik"),
    "setting that the row's method does not have": (
        "experiments", lambda c: c["rows"][0].update(
            method="iic.methods.kmeans", settings={"lam": 1}), "lam"),
    "selection that there is not": (
        "experiments", lambda c: c["rows"][0].update(selections=["best"]), "best"),
    "hash that is none": (
        "datasets", lambda c: c["digits"]["files"][0].update(sha256="abc"), "abc"),
    "name of a dataset": ("datasets", lambda c: c.update({"Digits": c["digits"]}), "Digits"),
    "figure without a module": (
        "figures", lambda c: c["figures"]["figure_1"].pop("module"), "module"),
    "number that is none": ("published_numbers", lambda c: c.update(value="9,1"), "9,1"),
    "receipt with a key too many": ("receipt", lambda c: c.update(extra=1), "extra"),
    "receipt without a seal's digits": (
        "receipt", lambda c: c["fingerprint"].update(value="x"), "$.fingerprint.value"),
    "outcome of a training": ("receipt", lambda c: c["outcome"].update(steps=-1), "$.outcome"),
    "selection missing in an evaluation": (
        "evaluation", lambda c: c["selections"].update(best=None), "best"),
    "score that is a text": (
        "evaluation", lambda c: c["checkpoints"]["last"]["sub_heads"][0].update(acc="99"), "99"),
    "source without its receipt": (
        "sources", lambda c: next(x for x in c["cells"] if x["seeds"])["seeds"][0].pop("receipt"),
        "receipt"),
    "kind of finding": (
        "audit", lambda c: c["findings"].append(
            {"level": "failure", "kind": "bad", "path": "x", "message": "y"}), "bad"),
    "line of a history": ("history_line", lambda c: c.pop("steps"), "steps"),
    "status of a cell": ("table_row", lambda c: c.update(status="done"), "done"),
    "cell with a number that is none": ("table_row", lambda c: c.update(ours_mean="1e3x"), "1e3x"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_file_is_refused(what: str) -> None:
    name, edit, place = WRONG[what]
    content = copy.deepcopy(example(name))
    assert wrong(name, content) == []
    edit(content)
    assert place in "\n".join(wrong(name, content))


def test_the_columns_of_a_csv_are_those_of_the_contract() -> None:
    assert validator("table_row").schema["required"] == list(TableRow.model_fields)


def test_every_yaml_file_names_its_schema_for_editors() -> None:
    for name, path in settings_files():
        if path.suffix == ".yaml":
            line = path.read_text(encoding="utf-8").splitlines()[0]
            head, _, target = line.partition("$schema=")
            assert head == "# yaml-language-server: ", path
            assert (path.parent / target).resolve() == ROOT / FOLDER / f"{name}.schema.json"


def test_the_published_files_are_checked_and_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(*options: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["export", "schemas", *options])
        return done.exit_code, f"{done.stdout}{done.exception or ''}"

    for name in ("params", "workflow"):
        (tmp_path / name).mkdir()
    shutil.copytree(ROOT / FOLDER, tmp_path / FOLDER)
    monkeypatch.chdir(tmp_path)
    assert call("--check") == (0, "")
    edited, missing = (FOLDER / f"{name}.schema.json" for name in ("scale", "receipt"))
    edited.write_text(edited.read_text(encoding="utf-8").replace('"machine"', '"engine"'))
    missing.unlink()
    (FOLDER / "method_gone.schema.json").write_text("{}")
    status, said = call("--check")
    assert status == 1
    for name in ("scale", "receipt", "method_gone"):
        assert f"{name}.schema.json" in said
    assert call()[0] == 0
    assert {path: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()} == texts()
