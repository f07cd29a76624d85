"""The whole crate: receipts to actions, files, tools, data, code, licence and citation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from iic.provenance.audit.excerpts import run_paths
from iic.provenance.audit.report import Finding
from iic.provenance.audit.tree import Tree
from iic.provenance.crate.actions import Actions, moment
from iic.provenance.crate.citation import Citation
from iic.provenance.crate.code import WORKFLOW, add_locks, code_files
from iic.provenance.crate.data import Data
from iic.provenance.crate.errors import CrateError
from iic.provenance.crate.files import Files, encoding
from iic.provenance.crate.graph import Graph, reference, references
from iic.provenance.crate.parameters import Parameters
from iic.provenance.crate.readme import readme, status_line
from iic.provenance.crate.tools import Tools
from iic.provenance.environment import code_state
from iic.records.files import sha256_file
from iic.records.paths import RESULTS
from iic.records.receipt import Receipt

DISPLAYS = {"tabulate": "tables", "draw": "figures"}
EXCERPT = "The part of a training's weights that its predictions come from."


def newest(receipts: Sequence[Receipt]) -> datetime:
    """When the last of the jobs ended: the only date that a crate has of its own."""
    return max(receipt.timing.end for receipt in receipts)


def build(tree: Tree, failures: Sequence[Finding], artifacts: bool = False) -> Graph:
    """Describe the results of a scale.

    Args:
        tree: The clone.
        failures: What did not verify.
        artifacts: Whether weights and probabilities go into the crate.

    Raises:
        CrateError: There is no receipt, or a file that has to go in is not there.
        SettingsError: ``CITATION.cff`` cannot be read.
    """
    jobs = tree.present
    # data may well be here, which other scales share; they are no results
    if not any(job.receipt.is_relative_to(RESULTS) for job, _ in jobs):
        raise CrateError(
            f"results/{tree.scale}: no receipt of scale {tree.scale!r} here, so there is nothing "
            f"to export; run the workflow (iic run --scale {tree.scale} all) or iic restore first"
        )
    receipts = [receipt for _, receipt in jobs]
    citation = Citation(tree.root)
    graph = Graph()
    files = Files(tree, graph, artifacts)
    parameters = Parameters(graph)
    tools = Tools(graph, parameters, citation.version, citation.url)
    raw = parameters.files("workflow", "input", "raw data", "Raw files of all datasets.")
    datasets, sources = Data(graph, files, tree.plan.datasets).describe(receipts, raw)
    actions = Actions(graph, files, parameters, tools)
    done = [actions.add(job, receipt) for job, receipt in jobs]
    for job, _ in jobs:
        # made by hand beside a training, so no receipt names it
        if job.rule == "train" and tree.exists(excerpt := str(run_paths(job).excerpt)):
            files.refer(files.find(excerpt), description=EXCERPT)
    scale = parameters.value("workflow", "scale", tree.scale, "Name of the scale.")
    shown = {
        DISPLAYS[receipt.rule]: parameters.files(
            "workflow", "output", DISPLAYS[receipt.rule], f"The {DISPLAYS[receipt.rule]}."
        )
        for receipt in receipts
        if receipt.rule in DISPLAYS
    }
    made = [
        files.refer(record, shown[DISPLAYS[receipt.rule]])
        for receipt in receipts
        if receipt.rule in DISPLAYS
        for record in receipt.outputs
    ]
    _code(tree, graph, files, parameters, tools, citation, receipts)
    outside = files.describe()
    parameters.describe()
    crate = graph.add(
        f"#workflow-run/{tree.scale}",
        "CreateAction",
        name=f"workflow at scale {tree.scale}",
        description="All jobs that have a receipt, as one run of the workflow. Receipts do not say "
        "in how many invocations of Snakemake they ran: start and end are those of the first and "
        "the last job.",
        instrument=reference(WORKFLOW),
        object=references([*sources, scale]),
        result=references(made),
        startTime=moment(min(receipt.timing.start for receipt in receipts)),
        endTime=moment(newest(receipts)),
    )
    title = f"{citation.title}: results at scale {tree.scale}"
    statements = _statements(tree, receipts, failures, outside)
    text = readme(title, statements, failures).encode()
    graph.add_file(
        "README.md",
        text,
        name="README.md",
        about=reference("./"),
        encodingFormat=encoding("README.md"),
        contentSize=str(len(text)),
    )
    graph.set_root(
        name=title,
        description=" ".join(statements),
        datePublished=newest(receipts).date().isoformat(),
        creativeWorkStatus="not verified" if failures else "verified",
        mentions=references([crate, *done, *datasets]),
        **citation.describe(graph),
    )
    return graph


def _code(
    tree: Tree,
    graph: Graph,
    files: Files,
    parameters: Parameters,
    tools: Tools,
    citation: Citation,
    receipts: Sequence[Receipt],
) -> None:
    """The main workflow, and the files that it needs."""
    for path in code_files(tree.root):
        files.refer(files.find(path))
    locks = add_locks(files, receipts)
    own = code_state(tree.root)
    main = tree.root / WORKFLOW
    if not main.is_file():
        raise CrateError(f"{WORKFLOW}: missing; a crate has to hold the workflow")
    graph.add_workflow(
        WORKFLOW,
        main,
        name="Workflow of the reproduction",
        description="The clone that made this crate "
        + (f"stood at commit {own.commit}" if own.commit else "is no git clone")
        + (", with edits that were not committed." if own.dirty else "."),
        version=own.commit or citation.version,
        url=citation.url,
        encodingFormat=encoding(WORKFLOW),
        contentSize=str(main.stat().st_size),
        sha256=sha256_file(main),
        input=references(parameters.of("workflow", "input")),
        output=references(parameters.of("workflow", "output")),
        buildInstructions=references(locks),
        **tools.describe(),
    )


def _statements(
    tree: Tree, receipts: Sequence[Receipt], failures: Sequence[Finding], outside: int
) -> list[str]:
    scale = tree.plan.scale
    statements = [
        f"{scale.description} Machine: {scale.machine}.",
        f"{len(receipts)} of {len(tree.jobs)} jobs of the scale have a receipt here.",
    ]
    trained = [receipt for receipt in receipts if receipt.rule == "train"]
    stand_in = sum(receipt.stand_in for receipt in trained)
    if stand_in:
        statements.append(
            f"{stand_in} of {len(trained)} trainings ran on STAND-IN DATA, which this project "
            "makes in the place of the paper's datasets: their numbers say nothing about the paper."
        )
    if outside:
        statements.append(
            f"{outside} files are not in this crate (raw and prepared data, weights, "
            "probabilities): they are known by their hashes."
        )
    return [*statements, status_line(failures)]
