"""Provenance as the page shows it: from a number, receipt by receipt, to the raw files.

Only receipts in the results are read. What they say of the data closes the chain: a training's
receipt has the hashes of the prepared arrays and the checksums of the raw files, so that a clone
without data, or with data that it obtained anew, makes the same page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from iic.params.runs import Plan
from iic.publish.report.receipts import Fact, facts, settings_text
from iic.records import paths
from iic.records.files import RecordError
from iic.records.links import Receipts, broken_links, broken_source
from iic.records.paths import RunPaths
from iic.records.receipt import FileRecord, Receipt
from iic.records.sources import SeedSource, Sources

PREPARED = f"{paths.PREPARED.as_posix()}/"


@dataclass(frozen=True)
class Raw:
    """A raw file and its checksum."""

    path: str
    checksum: str


@dataclass(frozen=True)
class Step:
    """One job of a chain, or what lies below the first."""

    title: str
    facts: tuple[Fact, ...] = ()
    files: tuple[FileRecord, ...] = ()
    raw: tuple[Raw, ...] = ()
    settings: str = ""
    """JSON."""
    link: str = ""
    """Chain that it goes on with."""
    modules: tuple[str, ...] = ()
    """Modules of this package that a display is computed from."""


@dataclass(frozen=True)
class Chain:
    """A run with its seed, or a display: from its newest job down."""

    id: str
    title: str
    run: str
    """Empty for a display."""
    stand_in: bool
    steps: tuple[Step, ...]
    problems: tuple[str, ...]
    """Links that do not hold: a chain that has one is not closed."""


def chain_id(run: str, seed: int) -> str:
    """What a training's chain is called in the page."""
    return f"run-{run.replace('/', '.')}.seed{seed}"


def display_id(name: str) -> str:
    """What the chain of a table or figure is called in the page."""
    return f"made-{name}"


class Chains:
    """The chains of a scale; each receipt is read once.

    Args:
        plan: What the scale holds.
        root: Root of the clone.
    """

    def __init__(self, plan: Plan, root: Path) -> None:
        self.plan = plan
        self.root = root
        self._receipts = Receipts(root)

    def receipt(self, path: Path) -> Receipt | None:
        """The receipt at `path`, if there is one.

        Raises:
            RecordError: It is damaged.
        """
        receipt = self._receipts.receipt(str(path))
        if str(path) in self._receipts.damaged:
            raise RecordError(self._receipts.damaged[str(path)])
        return receipt

    def trainings(self) -> Iterator[tuple[RunPaths, Receipt]]:
        """Trainings of the plan that have a receipt."""
        for run in self.plan.runs.values():
            for seed in run.seeds:
                run_paths = RunPaths(self.plan.scale.name, run.id, seed)
                receipt = self.receipt(run_paths.receipt)
                if receipt is not None:
                    yield run_paths, receipt

    def of_run(self, run_paths: RunPaths, training: Receipt) -> Chain:
        """Evaluation, training, what it started from, prepared data, raw files."""
        steps, problems = [], []
        evaluated = paths.receipt_of(run_paths.evaluation)
        evaluation = self.receipt(evaluated)
        if evaluation is not None:
            steps.append(_step("Evaluation", evaluated, evaluation))
            problems += self._broken(evaluated)
        steps.append(_step("Training", run_paths.receipt, training))
        problems += self._broken(run_paths.receipt)
        prepared = tuple(file for file in training.inputs if file.path.startswith(PREPARED))
        for parent in training.parents:
            if parent.path.startswith(PREPARED):
                receipt = (Fact("receipt", parent.path), Fact("digest", parent.digest, mono=True))
                steps.append(Step("Prepared data", receipt, prepared))
            elif (base := self._place_of(Path(parent.path))) is not None:
                steps.append(
                    Step(
                        "Starting weights",
                        (Fact("from", f"{base.run}, seed {base.seed}"),),
                        tuple(
                            file for file in training.inputs if not file.path.startswith(PREPARED)
                        ),
                        link=chain_id(base.run, base.seed),
                    )
                )
        raw = tuple(Raw(*entry) for entry in training.fingerprint.data.items())
        steps.append(Step("Raw files", raw=raw))
        if not prepared or not raw:
            problems.append(f"{run_paths.receipt} names no prepared data or no raw files")
        return Chain(
            chain_id(run_paths.run, run_paths.seed),
            f"{run_paths.run}, seed {run_paths.seed}",
            run_paths.run,
            training.stand_in,
            tuple(steps),
            tuple(problems),
        )

    def of_display(self, path: Path, title: str, sources: Sources, receipt: Receipt) -> Chain:
        """The job that made a table or figure at `path`, and what is computed without a run."""
        made = paths.receipt_of(path)
        steps = [_step(title, made, receipt)]
        modules = tuple(dict.fromkeys(module for each in sources.series for module in each.modules))
        files = {file.path: file for each in sources.series for file in each.files}
        if modules or files:
            steps.append(Step("Computed from", files=tuple(files.values()), modules=modules))
        problems = self._broken(made)
        every = [*(cell.seeds for cell in sources.cells), *(each.seeds for each in sources.series)]
        for seeds in every:
            problems += [f"{paths.sources_of(path)}: {problem}" for problem in self.sources(seeds)]
        identifier = display_id(sources.name)
        distinct = tuple(dict.fromkeys(problems))
        return Chain(identifier, title, "", receipt.stand_in, tuple(steps), distinct)

    def sources(self, seeds: Iterable[SeedSource]) -> list[str]:
        """What of a cell's sources is not as its table says."""
        return [
            broken.message for source in seeds for broken in broken_source(source, self._receipts)
        ]

    def _broken(self, path: Path) -> list[str]:
        """What of a receipt, or between it and its parents, is not as it was written."""
        problems = [broken.message for broken in broken_links(str(path), self._receipts)]
        if not self._receipts.sealed(str(path)):
            problems.insert(0, "was edited after it was written")
        return [f"{path}: {problem}" for problem in problems]

    def _place_of(self, receipt: Path) -> RunPaths | None:
        for run_paths, _ in self.trainings():
            if run_paths.receipt == receipt:
                return run_paths
        return None


def _step(title: str, path: Path, receipt: Receipt) -> Step:
    return Step(
        title,
        tuple(facts(path, receipt)),
        tuple(receipt.outputs),
        settings=settings_text(receipt),
    )
