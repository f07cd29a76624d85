"""Fingerprints: what the result of each job depends on, known before the job has run.

A fingerprint is computed from names alone, while the workflow is planned, so nothing here imports
torch, and 160 of them take a fraction of a second. Its parts:

code
    The definitions that the job reaches (`iic.provenance.code`), never the command line around
    them, and wherever they lie: a move changes nothing.
settings
    The resolved settings of that very job.
data
    Checksums of the raw files from the catalogue (never where they come from), and of the other
    files that the job reads by name.
environment
    The lock file, only if asked for: an upgraded linter must not cost a week of GPU time.

A difference in any part makes the job due again (`iic.provenance.due`), whatever the files' times
say.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path

from iic.params.datasets import CATALOGUE, Dataset, find_dataset, load_catalogue
from iic.params.runs import load_plan
from iic.provenance import jobs, relevant
from iic.provenance.code import roots
from iic.provenance.code.identity import Identity
from iic.provenance.code.roots import CodeError as CodeError
from iic.provenance.fingerprint_parts import STRICT_VARIABLE as STRICT_VARIABLE
from iic.provenance.fingerprint_parts import make
from iic.provenance.fingerprint_parts import value_of as value_of
from iic.publish.origins import FILE as ORIGINS
from iic.publish.pages.files import template_files
from iic.publish.published import published_files
from iic.publish.report.files import FIDELITY
from iic.records import paths
from iic.records.files import sha256_file, sha256_json
from iic.records.receipt import Fingerprint

log = logging.getLogger(__name__)

OF_ALL = ("audit", "report")
"""Rules that look at all results of a scale."""
_SAID: set[str] = set()
NO_CODE = Identity(None, {})


def fingerprint(job: jobs.Job, *, strict_env: bool | None = None) -> Fingerprint:
    """The fingerprint that `job` has with the code, settings and catalogue as they are now.

    Raises:
        SettingsError: The settings are wrong, or know no such job.
        CodeError: A module that the job needs does not exist or is no valid Python.
    """
    names = job.wildcards
    if job.rule in ("download", "prepare"):
        of_dataset = download if job.rule == "download" else prepare
        return of_dataset(names["dataset"], strict_env=strict_env)
    if job.rule in ("train", "evaluate"):
        of_run = train if job.rule == "train" else evaluate
        return of_run(names["scale"], names["run"], strict_env=strict_env)
    if job.rule in OF_ALL:
        of_scale = audit if job.rule == "audit" else report
        return of_scale(names["scale"], strict_env=strict_env)
    of_display = {"tabulate": tabulate, "draw": draw}[job.rule]
    return of_display(names["scale"], names["name"], strict_env=strict_env)


def download(dataset: str, *, strict_env: bool | None = None) -> Fingerprint:
    """Raw files are known by their content, so the code that fetches them does not matter."""
    return make("download", NO_CODE, {}, _raw(dataset, _dataset(dataset)), strict_env)


def prepare(dataset: str, *, strict_env: bool | None = None) -> Fingerprint:
    """The dataset's reader, its shape and splits, and its raw files."""
    entry = _dataset(dataset)
    code = roots.preparation(entry)
    return make("prepare", code, relevant.prepared(entry), _raw(dataset, entry), strict_env)


def train(scale: str, run: str, *, strict_env: bool | None = None) -> Fingerprint:
    """The method and all that it runs, its settings, and the data from raw files onwards.

    How the data are prepared counts by value as well, so that no checkpoint goes on with others;
    and so does the run whose weights this one starts from.

    The same for every seed of the run; `run` is ``<dataset>/<method>[-<variant>]``.
    """
    plan = load_plan(scale)
    chosen = plan.run(run)
    entry = plan.datasets[chosen.dataset]
    base = plan.base_of(chosen)
    methods = [chosen.method] if base is None else [chosen.method, base.method]
    code = roots.training(methods, entry)
    settings = {
        "method": chosen.method,
        **relevant.influencing(chosen.settings),
        "data": relevant.prepared(entry),
    }
    if base is not None:
        # by value, not by its fingerprint: a change of code can be accepted, other settings cannot
        settings["base"] = {"method": base.method, **relevant.influencing(base.settings)}
    return make("train", code, settings, _raw(chosen.dataset, entry), strict_env)


def evaluate(scale: str, run: str, *, strict_env: bool | None = None) -> Fingerprint:
    """The scores of a run, the same for every seed."""
    chosen = load_plan(scale).run(run)
    settings = relevant.evaluated(chosen, load_plan(scale).datasets[chosen.dataset])
    return make("evaluate", roots.evaluation(), settings, {}, strict_env)


def tabulate(scale: str, name: str, *, strict_env: bool | None = None) -> Fingerprint:
    """A table's or listing's definition, the published numbers, and which runs it shows."""
    plan = load_plan(scale)
    if name in plan.listings:
        listing = plan.listings[name]
        settings = {
            "listing": listing.model_dump(mode="json"),
            "listed": {
                run: relevant.influencing(plan.definitions[run].settings) for run in listing.runs
            },
            "data": relevant.used(plan) if listing.data else {},
            **relevant.shown(plan),
        }
        methods = [plan.definitions[run].method for run in listing.runs]
        return make("tabulate", roots.listing(listing.module, methods), settings, {}, strict_env)
    table = plan.tables[name]
    shown = plan.table_runs(name)
    settings = {"table": relevant.influencing(table), **relevant.shown(plan, shown, table)}
    published = {str(path): _file(path) for path in (*published_files(name), ORIGINS)}
    code = roots.table(run.method for run in shown)
    return make("tabulate", code, settings, published, strict_env)


def draw(scale: str, name: str, *, strict_env: bool | None = None) -> Fingerprint:
    """A figure's definition, the module that draws it, the text it lists, and the runs it shows."""
    plan = load_plan(scale)
    figure = plan.figures[name]
    settings = {
        "figure": figure.model_dump(mode="json"),
        **relevant.shown(plan, plan.figure_runs(figure)),
    }
    code = roots.figure(figure.module, (run.method for run in plan.figure_runs(figure)))
    shown = {name: _file(Path(name)) for name in figure.files}
    return make("draw", code, settings, shown, strict_env)


def audit(scale: str, *, strict_env: bool | None = None) -> Fingerprint:
    """Everything that the scale holds: the audit judges all of it."""
    plan = load_plan(scale)
    every = {job.name: _known(job) for job in jobs.all_jobs(plan)}
    code = roots.audit(run.method for run in plan.runs.values())
    return make("audit", code, {"jobs": every}, _page_files(), strict_env)


def report(scale: str, *, strict_env: bool | None = None) -> Fingerprint:
    """What the page says beyond its inputs, which are all results and the audit of them."""
    plan = load_plan(scale)
    of_tables = (path for name in plan.tables for path in published_files(name))
    read = {str(path): _file(path) for path in (*of_tables, ORIGINS, FIDELITY)}
    settings = {"captions": plan.captions, **relevant.shown(plan, plan.runs.values())}
    code = roots.report(run.method for run in plan.runs.values())
    return make("report", code, settings, {**read, **_page_files()}, strict_env)


def value(rule: str, *, strict_env: bool | None = None, **names: str) -> str:
    """The fingerprint that a rule passes to its job as ``params: fp=``.

    The job compares it with its own: nothing runs with other code or settings than were planned.
    A job whose code is no valid Python is said to be so, and given a value with which it fails
    alone.

    Args:
        rule: ``download``, ``prepare``, ``train``, ``evaluate``, ``tabulate``, ``draw``, ``audit``,
            ``report``.
        strict_env: Whether a change of the lock file counts as a change; by default what the
            environment variable IIC_STRICT_ENV says, by which the workflow tells its jobs.
        **names: The rule's wildcards: ``dataset``; ``scale`` and ``run``; ``scale`` and ``name``;
            or ``scale``.

    Raises:
        SettingsError: The settings are wrong, or know no such job.
        CodeError: The code of the audit or of the report is no valid Python.
    """
    functions: dict[str, Callable[..., Fingerprint]] = {
        "download": download,
        "prepare": prepare,
        "train": train,
        "evaluate": evaluate,
        "tabulate": tabulate,
        "draw": draw,
        "audit": audit,
        "report": report,
    }
    try:
        return functions[rule](**names, strict_env=strict_env).value
    except CodeError as error:
        if rule in OF_ALL:
            raise
        if str(error) not in _SAID:
            _SAID.add(str(error))
            log.warning("%s; what needs this code cannot run", error)
        return sha256_json(str(error))


def forget() -> None:
    """Look at code and settings anew, in a process that has seen them change."""
    _SAID.clear()
    load_plan.cache_clear()
    roots.forget()


def _known(job: jobs.Job) -> str:
    try:
        return fingerprint(job).value
    except CodeError as error:
        return str(error)


def _page_files() -> dict[str, str]:
    return {str(path): _file(path) for path in template_files()}


def _file(path: Path) -> str:
    return sha256_file(path) if path.is_file() else "absent"


def _dataset(name: str) -> Dataset:
    catalogue = _catalogue(CATALOGUE.resolve(), CATALOGUE.stat().st_mtime_ns)
    return catalogue[name] if name in catalogue else find_dataset(name)  # which says what is wrong


@cache
def _catalogue(path: Path, _changed: int) -> dict[str, Dataset]:
    return load_catalogue(path)


def _raw(name: str, dataset: Dataset) -> dict[str, str]:
    folder = paths.raw_folder(name)
    return {(folder / file.name).as_posix(): file.checksum for file in dataset.raw_files}
