"""Every job's receipt as a CreateAction: what ran, on what, with which values, what came out."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime

from iic.provenance.crate.files import Files
from iic.provenance.crate.graph import Graph, reference, references
from iic.provenance.crate.parameters import Parameters, leaves
from iic.provenance.crate.tools import Tools
from iic.provenance.jobs import Job
from iic.records.files import sha256_bytes
from iic.records.receipt import Receipt

COMPLETED = "http://schema.org/CompletedActionStatus"
SECONDS = "https://qudt.org/vocab/unit/SEC"
BYTES = "https://qudt.org/vocab/unit/BYTE"
WALL_TIME = "https://schema.org/totalTime"
PEAK_MEMORY = "https://schema.org/memoryRequirements"
SETTINGS = "settings"
STAND_IN = "Stand-in data: the numbers say nothing about the paper's datasets. "
WILDCARDS = {
    "dataset": "Name of the dataset, as params/datasets.yaml has it.",
    "scale": "Name of the scale, one of the files in params/scales/.",
    "run": "The run: <dataset>/<method>[-<variant>].",
    "seed": "Seed of the run.",
    "name": "Name of the table or figure.",
}


def moment(time: datetime) -> str:
    """A time as the profile has it: ISO 8601 with milliseconds, in UTC."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds")


class Actions:
    """The jobs of one crate."""

    def __init__(self, graph: Graph, files: Files, parameters: Parameters, tools: Tools) -> None:
        self.graph = graph
        self.files = files
        self.parameters = parameters
        self.tools = tools

    def add(self, job: Job, receipt: Receipt) -> str:
        """Describe one job.

        Returns:
            The identifier of its action.
        """
        rule = receipt.rule
        # by its place, which is unique whatever a receipt that does not verify says of itself
        identifier = f"#job/{'/'.join([job.rule, *job.wildcards.values()])}"
        set_by = self.parameters.files(
            rule, "input", SETTINGS, "The settings, resolved: defaults and the scale's changes."
        )
        wrote = self.parameters.files(rule, "output", "outputs", "Files that the job wrote.")
        own = self.files.refer(self.files.find(str(job.receipt)), about=reference(identifier))
        taken = [self._settings(receipt, set_by), *self._values(receipt)]
        if receipt.inputs:
            read = self.parameters.files(rule, "input", "inputs", "Files that the job read.")
            taken = [*(self.files.refer(record, read) for record in receipt.inputs), *taken]
        made = [self.files.refer(record, wrote) for record in receipt.outputs]
        self.graph.add(
            identifier,
            "CreateAction",
            name=f"{rule} {job.target}",
            description=self._description(receipt),
            instrument=reference(self.tools.used(receipt)),
            object=references(taken),
            result=references(made),
            startTime=moment(receipt.timing.start),
            endTime=moment(receipt.timing.end),
            actionStatus=COMPLETED,
            location=reference(self.tools.machine(receipt.environment)),
            resourceUsage=references(self._usage(identifier, receipt)),
            subjectOf=reference(own),
        )
        self.graph.add(
            f"#control/{identifier.removeprefix('#job/')}",
            "ControlAction",
            name=f"step {rule} for {job.target}",
            instrument=reference(self.tools.step(rule)),
            object=reference(identifier),
        )
        return identifier

    def _settings(self, receipt: Receipt, parameter: str) -> str:
        """The settings as a file whose SHA-256 is the one that the receipt has of them."""
        content = json.dumps(
            receipt.fingerprint.settings,
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
        ).encode()
        digest = sha256_bytes(content)
        return self.files.make(
            f"settings/{digest}.json",
            content,
            parameter,
            name=f"settings {digest[:12]}",
            description="Resolved settings of a job, in canonical JSON.",
        )

    def _values(self, receipt: Receipt) -> Iterator[str]:
        rule = receipt.rule
        for name, value in receipt.wildcards.items():
            yield self.parameters.value(rule, name, value, WILDCARDS.get(name, "Wildcard."))
        values = {
            "precision": (receipt.precision, "Precision of the network's arithmetic."),
            "deterministic": (receipt.deterministic, "Whether only deterministic kernels ran."),
            "environment.threads": (receipt.environment.threads, "CPU threads of the job."),
        }
        for name, (fact, description) in values.items():
            if fact is not None:
                yield self.parameters.value(rule, name, fact, description)
        if rule == "train":
            for name, value in leaves(receipt.fingerprint.settings, f"{SETTINGS}."):
                yield self.parameters.value(
                    rule, name, value, "Setting of the method; iic/params/ describes it."
                )

    def _usage(self, identifier: str, receipt: Receipt) -> Iterator[str]:
        taken = receipt.timing
        for name, value, what, unit in (
            ("seconds", taken.seconds, WALL_TIME, SECONDS),
            ("peak memory", taken.peak_memory_bytes, PEAK_MEMORY, BYTES),
        ):
            yield self.graph.add(
                f"{identifier}/{name.replace(' ', '-')}",
                "PropertyValue",
                name=name,
                value=value,
                propertyID=what,
                unitCode=unit,
            )

    def _description(self, receipt: Receipt) -> str:
        text = STAND_IN if receipt.stand_in else ""
        text += f"Command: {shlex.join(receipt.command)}"
        if len(receipt.sessions) > 1:
            text += f". Trained in {len(receipt.sessions)} sessions, resumed after interruptions"
        for acceptance in receipt.acceptances:
            text += (
                f". Kept across a change of code on {moment(acceptance.at)}: {acceptance.because}"
            )
        return text
