"""What is published in ``docs/schemas/``: one JSON schema for each kind of file.

They are for editors, other programs and reviewers: a schema says which keys there are, of which
types and within which bounds. What needs more than one value to be seen (a crop that is larger
than the images, a run that is defined twice) only the program itself finds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from iic.params.config import Config
from iic.params.experiments import Displays
from iic.params.modules import method_name
from iic.provenance.audit.report import AuditReport
from iic.provenance.schemas import settings
from iic.provenance.schemas.derive import (
    DIALECT,
    Schema,
    csv_columns,
    of_csv,
    of_model,
    of_output,
    of_top_model,
)
from iic.provenance.status import ScaleStatus
from iic.records.evaluation import Evaluation
from iic.records.files import dump_json, write_text
from iic.records.history_line import HistoryLine
from iic.records.outcome import TrainOutcome
from iic.records.prepared import PreparedManifest
from iic.records.prepared_maps import MapManifest
from iic.records.raw import RawManifest
from iic.records.receipt import Receipt
from iic.records.sources import Sources
from iic.records.table import TableRow

FOLDER = Path("docs/schemas")
SUFFIX = ".schema.json"
INDEX = FOLDER / "README.md"
INTRODUCTION = """# JSON schemas

`iic export schemas` writes these from the models in the code; `make check` fails if one is out of
date. Do not edit them. They follow JSON Schema 2020-12 and refer to nothing outside themselves.

The first line of a YAML file in params/ names its schema. An editor with yaml-language-server (VS
Code's YAML extension, Neovim, Helix, Emacs) then explains and completes keys, and underlines what
is wrong ([how, and what else they are for](../audit.md#schemas)).

The schema of a csv describes a line: an object of texts by column, empty where there is no value.
iic/records/assignments.py, iic/records/counts.py, iic/records/snapshots.py and iic/records/maps.py
give the columns of the parquet files.

`iic export schemas DIR` writes one more for each method: its resolved settings, as in receipts.

| schema | files | content |
|---|---|---|
"""


@dataclass(frozen=True)
class Published:
    """One schema.

    Args:
        name: Stem of its file.
        files: Which files it describes.
        what: Their content, in a few words.
        build: Gives the schema.
    """

    name: str
    files: str
    what: str
    build: Callable[[], Schema]

    @property
    def path(self) -> Path:
        """Relative to the root of the clone."""
        return FOLDER / f"{self.name}{SUFFIX}"


def receipt_schema() -> Schema:
    """A receipt; that of a training has an outcome of known form."""
    schema, definitions = of_top_model(Receipt, TrainOutcome)
    outcome = {"$ref": f"#/$defs/{TrainOutcome.__name__}"}
    training = {"properties": {"rule": {"const": "train"}}}
    schema["allOf"] = [{"if": training, "then": {"properties": {"outcome": outcome}}}]
    schema["$defs"] = definitions
    return schema


def table_row_schema() -> Schema:
    """A line of a table's csv."""
    return of_csv(csv_columns(TableRow), "TableRow", TableRow.__doc__ or "")


def published() -> list[Published]:
    """All schemas: settings first, then records."""
    schemas = [
        Published("scale", "params/scales/*.yaml", "what a scale covers and changes",
                  settings.scale_schema),
        Published("experiments", "params/experiments/*.yaml", "the rows and columns of a table",
                  settings.experiments_schema),
        Published("datasets", "params/datasets.yaml", "the catalogue of datasets",
                  settings.catalogue_schema),
        Published("figures", "params/figures.yaml", "figures, and tables without runs",
                  partial(of_model, Displays)),
        Published("config", "`snakemake --config`", "what is said on the command line",
                  partial(of_model, Config)),
        Published("published_numbers", "params/published/<table>.csv",
                  "one line: a number as printed", settings.numbers_schema),
        Published("published_marks", "params/published/marks.csv",
                  "one line: what a sign means", settings.marks_schema),
        Published("published_curves", "params/published/learning_curves.csv",
                  "one line: an epoch of the authors' logs", settings.curves_schema),
        Published("published_tolerances", "params/published/tolerances.csv",
                  "one line: tolerance of the verdict on a dataset", settings.tolerances_schema),
    ]  # fmt: skip
    schemas += [
        Published("receipt", "run.json, *.run.json", "what a job read, did and wrote",
                  receipt_schema),
        Published("evaluation", "evaluation.json", "the scores of a run",
                  partial(of_model, Evaluation)),
        Published("history_line", "history.jsonl", "one line: an epoch",
                  partial(of_model, HistoryLine)),
        Published("table_row", "tables/<table>.csv", "one line: a cell", table_row_schema),
        Published("sources", "*.sources.json", "from cells and series to receipts",
                  partial(of_model, Sources)),
        Published("audit", "audit.json", "what an audit found", partial(of_model, AuditReport)),
        Published("raw_manifest", "data/raw/<dataset>/files.json", "raw files and their hashes",
                  partial(of_model, RawManifest)),
        Published("prepared_manifest", "data/prepared/<dataset>/data.json",
                  "arrays with one label an image", partial(of_model, PreparedManifest)),
        Published("prepared_maps_manifest", "data/prepared/<dataset>/data.json",
                  "arrays with a label map an image", partial(of_model, MapManifest)),
        Published("status", "`iic status --json`", "what is done and left",
                  partial(of_output, ScaleStatus)),
    ]  # fmt: skip
    return schemas


def of_methods() -> list[Published]:
    """Schemas of each method's resolved settings, which nothing but a reader of receipts needs."""
    return [
        Published(f"method_{method_name(method)}", f"resolved settings of `{method}`",
                  "all settings of a run", partial(of_model, settings.settings_of(method)))
        for method in settings.methods()
    ]  # fmt: skip


def write_all(folder: Path) -> list[Path]:
    """Write every schema to `folder`, those of the methods' settings included.

    Raises:
        RecordError: A file cannot be written.
    """
    paths = []
    for schema in (*published(), *of_methods()):
        paths.append(folder / schema.path.name)
        write_text(paths[-1], dump_json({"$schema": DIALECT, **schema.build()}))
    return paths


def texts() -> dict[Path, str]:
    """Path and content of every published file, the index included."""
    every = published()
    files = {schema.path: dump_json({"$schema": DIALECT, **schema.build()}) for schema in every}
    return {**files, INDEX: _index(every)}


def differing(root: Path = Path()) -> list[Path]:
    """Published files that are not what the models give: edited, missing, or of no model."""
    contents = texts()
    there = {path.relative_to(root) for path in (root / FOLDER).glob(f"*{SUFFIX}")}
    return sorted(
        path
        for path in {*contents, *there}
        if path not in contents
        or not (root / path).is_file()
        or (root / path).read_text(encoding="utf-8") != contents[path]
    )


def publish(root: Path = Path()) -> list[Path]:
    """Bring the published files in step with the models.

    Returns:
        What was written or deleted.

    Raises:
        RecordError: A file cannot be written.
    """
    contents = texts()
    changed = differing(root)
    for path in changed:
        if path in contents:
            write_text(root / path, contents[path])
        else:
            (root / path).unlink()
    return changed


def _index(every: list[Published]) -> str:
    lines = [
        f"| [{schema.name}]({schema.path.name}) | {schema.files} | {schema.what} |"
        for schema in every
    ]
    return INTRODUCTION + "\n".join(lines) + "\n"
