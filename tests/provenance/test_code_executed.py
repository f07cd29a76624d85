"""Proof by running: what the jobs of a finished tree executed is what their fingerprints hash."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from itertools import chain, zip_longest
from pathlib import Path

import pytest

from iic.params.runs import Plan, load_plan
from iic.provenance import fingerprint, jobs
from iic.provenance.code import roots
from iic.provenance.code.roots import BOOKKEEPING
from tests.conftest import SCALE
from tests.provenance.executed import definitions, modules

PLACES = 40
SPREAD = 0.35
"""Most of the changed fingerprints that may be of runs which did not execute the place, and would
under another setting: another network, an optimiser, a checkpoint to go on from. Measured: 0.26."""

NAMED = (
    ("iic.methods.dec.settings", "own.decay ** (phase.epoch", "own.decay ** (1 + phase.epoch",
     ["iic.methods.dec.settings.DECSettings.learning_rate"]),
    ("iic.methods.dec.settings", 'Phase("finetuning", 0,', 'Phase("finetuning", 1,',
     ["iic.methods.dec.settings.DECSettings.phase"]),
    ("iic.methods.autoencoders.network_settings", "(500, 500, 2000)", "(50, 50, 200)",
     ["iic.methods.autoencoders.network_settings.AutoencoderSettings.layers"]),
    ("iic.methods.autoencoders.network_settings", "KERNEL = 4", "KERNEL = 6", []),
    ("iic.methods.autoencoders.network_settings", "self.input_size // 2 **",
     "self.input_size // 3 **", []),
    ("iic.methods.autoencoders.settings", "return self.autoencoder.code",
     "return 2 * self.autoencoder.code",
     ["iic.methods.autoencoders.settings.ReconstructionSettings.code_outputs"]),
    ("iic.engine.clustering.settings", "FIRST_POINTS = 50_000", "FIRST_POINTS = 500",
     ["iic.engine.clustering.settings.first_images"]),
    ("iic.engine.clustering.settings", "if samples > FIRST_POINTS", "if samples >= FIRST_POINTS",
     ["iic.engine.clustering.settings.first_images"]),
    ("iic.methods.deepcluster.map_settings", "samples // max(1, images)",
     "samples // max(2, images)",
     ["iic.methods.deepcluster.map_settings.DeepClusterMapSettings.directions_images"]),
    ("iic.params.splits", 'UNLABELLED = "unlabeled"', 'UNLABELLED = "train"',
     ["iic.engine.order.training_order"]),
)  # fmt: skip
"""Places that once stood in nobody's fingerprint: module, text, other text, and who runs it (none:
at this scale no run executes it, and those that another setting would make do so change)."""


@pytest.fixture
def plan(tree: Path) -> Plan:
    return load_plan(SCALE)


def identities(plan: Plan) -> dict[str, str | None]:
    """Run -> its code, as it is now."""
    roots.forget()
    return {name: fingerprint.train(SCALE, name).identity for name in plan.runs}


def runs_that(ran: dict[str, set[str]], names: set[str]) -> set[str]:
    """Runs that executed one of these definitions."""
    return {
        job.removeprefix("train ").rpartition("/seed")[0]
        for job, own in ran.items()
        if job.startswith("train ") and own & names
    }


def test_every_function_that_a_job_ran_is_in_its_fingerprint(plan: Plan, tree: Path) -> None:
    ran = definitions(tree)
    seen = set()
    for job in jobs.all_jobs(plan):
        # one process scores all runs of a dataset
        dataset = job.wildcards.get("run", "").split("/")[0]
        name = f"evaluate {dataset}" if job.rule == "evaluate" else job.name
        if job.rule == "download":
            continue  # raw files are known by their content, whatever code has fetched them
        assert ran[name], f"{name}: nothing was recorded"
        missing = ran[name] - set(fingerprint.fingerprint(job).code)
        assert not missing, f"{name} ran what its fingerprint does not hash: {sorted(missing)}"
        seen.add(job.rule)
    assert seen == {"prepare", "train", "evaluate", "tabulate", "draw"}


def test_bookkeeping_is_what_runs_and_exists(tree: Path) -> None:
    ran = {module for job in modules(tree).values() for module in job}
    assert set(BOOKKEEPING) <= ran | {"iic.data.progress"}  # that is drawn in no test
    for module in BOOKKEEPING:
        assert tree.joinpath(*module.split(".")).with_suffix(".py").is_file()


def places(tree: Path, ran: dict[str, set[str]]) -> Iterator[tuple[Path, str, ast.AST]]:
    """Constants, operators and conditions in functions that trainings ran, in a seeded order.

    The rooms take turns, so that a small one is tried as often as a large one.
    """
    names = sorted({name for job, own in ran.items() if job.startswith("train") for name in own})
    draw = random.Random(14)
    draw.shuffle(names)
    of_room: dict[str, list[str]] = {}
    for name in names:
        of_room.setdefault(room(name), []).append(name)
    turns = zip_longest(*(of_room[key] for key in sorted(of_room)))
    for name in filter(None, chain.from_iterable(turns)):
        parts = name.split(".")
        ends = (end for end in range(len(parts) - 1, 0, -1))
        files = ((tree.joinpath(*parts[:end]).with_suffix(".py"), parts[end:]) for end in ends)
        file, own = next((file, own) for file, own in files if file.is_file())
        node = find(ast.parse(file.read_text()), own)
        nodes = [child for child in running(node) if mutable(child)] if node is not None else []
        if nodes:
            yield file, name, draw.choice(nodes)


def room(name: str) -> str:
    """``iic.engine`` of a definition in it."""
    return ".".join(name.split(".")[:2])


def find(tree: ast.AST, path: list[str]) -> ast.AST | None:
    for name in path:
        inner = (
            statement
            for statement in getattr(tree, "body", [])
            if getattr(statement, "name", None) == name
        )
        definition = next(inner, None)
        if definition is None:
            return None
        tree = definition
    return tree


def running(node: ast.AST) -> Iterator[ast.AST]:
    """A definition and all within it, annotations left out."""
    yield node
    for name, content in ast.iter_fields(node):
        if name not in ("annotation", "returns"):
            inner = content if isinstance(content, list) else [content]
            for one in inner:
                if isinstance(one, ast.AST):
                    yield from running(one)


def mutable(node: ast.AST) -> bool:
    number = isinstance(node, ast.Constant) and type(node.value) in (int, float, bool)
    return number or isinstance(node, ast.BinOp | ast.Compare | ast.BoolOp)


def mutated(text: str, fragment: ast.AST) -> str:
    """The module with the node at the place of `fragment` changed."""
    tree = ast.parse(text)
    at = ("lineno", "col_offset", "end_col_offset")
    for node in ast.walk(tree):
        same = type(node) is type(fragment) and all(
            getattr(node, name, None) == getattr(fragment, name) for name in at
        )
        if not same:
            continue
        if isinstance(node, ast.Constant):
            node.value = not node.value if isinstance(node.value, bool) else node.value + 1
        elif isinstance(node, ast.BinOp):
            node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        elif isinstance(node, ast.Compare):
            node.ops[0] = ast.Lt() if isinstance(node.ops[0], ast.Eq) else ast.Eq()
        elif isinstance(node, ast.BoolOp):
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return ast.unparse(tree)
    raise AssertionError(f"{ast.dump(fragment)} not found")


def test_a_mutation_changes_the_runs_that_execute_it(plan: Plan, tree: Path) -> None:
    ran = definitions(tree)
    before = identities(plan)
    rooms, tried, changed_in_all, beyond = set(), 0, 0, 0
    for file, name, fragment in places(tree, ran):
        if tried == PLACES:
            break
        executing = runs_that(ran, {name})
        reaching = {run for run in plan.runs if name in fingerprint.train(SCALE, run).code}
        text = file.read_text()
        file.write_text(mutated(text, fragment))
        after = identities(plan)
        file.write_text(text)
        roots.forget()
        changed = {run for run in plan.runs if before[run] != after[run]}
        assert executing <= changed, f"{name}: unnoticed by {executing - changed}"
        assert changed == reaching, name
        tried, changed_in_all = tried + 1, changed_in_all + len(changed)
        beyond += len(changed - executing)
        rooms.add(room(name))
    assert tried == PLACES and len(rooms) >= 8, rooms
    assert beyond <= SPREAD * changed_in_all, (beyond, changed_in_all)
    assert identities(plan) == before


@pytest.mark.parametrize(("module", "old", "new", "users"), NAMED, ids=lambda part: str(part)[:24])
def test_what_was_once_missed_is_seen(
    plan: Plan, tree: Path, module: str, old: str, new: str, users: list[str]
) -> None:
    executing = runs_that(definitions(tree), set(users))
    before = identities(plan)
    file = tree.joinpath(*module.split(".")).with_suffix(".py")
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    after = identities(plan)
    changed = {run for run in plan.runs if before[run] != after[run]}
    assert changed and executing <= changed < set(plan.runs)
    assert bool(executing) == bool(users)
