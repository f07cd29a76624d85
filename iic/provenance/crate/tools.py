"""What ran a job: the verb of a rule, at its commit, with its packages; and the machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from iic.provenance.crate.graph import Graph, references
from iic.provenance.crate.parameters import Parameters
from iic.records.files import sha256_json
from iic.records.receipt import Code, Environment, Receipt

STEPS = {
    "download": "Obtain a dataset's raw files and check them by size and hash.",
    "prepare": "Turn raw files into arrays.",
    "train": "Train one method with one seed.",
    "evaluate": "Score one training.",
    "tabulate": "Write one table from evaluations.",
    "draw": "Draw one figure.",
}
"""Rules in the order in which they run; one that is not listed comes after them."""

HOMEPAGES = {
    "matplotlib": "https://matplotlib.org/",
    "numpy": "https://numpy.org/",
    "pandas": "https://pandas.pydata.org/",
    "pillow": "https://python-pillow.github.io/",
    "pyarrow": "https://arrow.apache.org/",
    "pydantic": "https://docs.pydantic.dev/",
    "python": "https://www.python.org/",
    "safetensors": "https://huggingface.co/docs/safetensors/",
    "scikit-learn": "https://scikit-learn.org/",
    "scipy": "https://scipy.org/",
    "tifffile": "https://github.com/cgohlke/tifffile/",
    "torch": "https://pytorch.org/",
    "torchvision": "https://docs.pytorch.org/vision/",
}


class Tools:
    """Tools, steps, code and machines of one crate.

    Args:
        graph: Where they are described.
        parameters: The parameters of the tools.
        version: Of this package.
        url: Where its code is to be had, if that is known.
    """

    def __init__(self, graph: Graph, parameters: Parameters, version: str, url: str | None) -> None:
        self.graph = graph
        self.parameters = parameters
        self.version = version
        self.url = url
        self._tools: dict[str, Receipt] = {}

    def used(self, receipt: Receipt) -> str:
        """The tool that a job was: its rule's verb with that code and those packages."""
        where = receipt.environment
        parts = {
            "code": receipt.code.model_dump(mode="json"),
            "packages": where.packages,
            "python": where.python,
            "lock": where.lock,
        }
        identifier = f"#tool/{receipt.rule}/{sha256_json(parts)[:12]}"
        self._tools.setdefault(identifier, receipt)
        return identifier

    def step(self, rule: str) -> str:
        """The step of the workflow that a rule is."""
        return f"#step/{rule}"

    def machine(self, where: Environment) -> str:
        """The machine that a job ran on."""
        facts = {
            name: value
            for name, value in _flat(where.model_dump(mode="json"))
            if name.split(".")[0] not in ("lock", "packages", "python", "threads")
        }
        identifier = f"#machine/{sha256_json(facts)[:12]}"
        if identifier not in self.graph:
            values = [
                self.graph.add(f"{identifier}/{name}", "PropertyValue", name=name, value=value)
                for name, value in facts.items()
            ]
            name = where.gpu or f"{where.cpu}, {where.cpu_count} CPUs"
            self.graph.add(identifier, "Place", name=name, additionalProperty=references(values))
        return identifier

    def describe(self) -> dict[str, Any]:
        """Add the tools and steps that were used.

        Returns:
            The properties of the workflow that name them.
        """
        for identifier, receipt in self._tools.items():
            self._tool(identifier, receipt)
        order = [*STEPS, *sorted({tool.rule for tool in self._tools.values()} - set(STEPS))]
        steps = []
        for rule in order:
            tools = [key for key, tool in self._tools.items() if tool.rule == rule]
            if tools:
                steps.append(self.step(rule))
                self.graph.add(
                    self.step(rule),
                    "HowToStep",
                    name=rule,
                    description=STEPS.get(rule),
                    position=str(order.index(rule)),
                    workExample=references(tools),
                )
        return {"hasPart": references(self._tools), "step": references(steps)}

    def _tool(self, identifier: str, receipt: Receipt) -> None:
        packages = {"python": receipt.environment.python, **receipt.environment.packages}
        self.graph.add(
            identifier,
            "SoftwareApplication",
            name=f"iic {receipt.rule}",
            description=STEPS.get(receipt.rule),
            softwareVersion=self._version(receipt.code),
            url=self.url,
            isBasedOn=references([self._code(receipt.code)]),
            softwareRequirements=references(
                self._package(name, version) for name, version in packages.items()
            ),
            input=references(self.parameters.of(receipt.rule, "input")),
            output=references(self.parameters.of(receipt.rule, "output")),
        )

    def _version(self, code: Code) -> str:
        if code.commit is None:
            return self.version
        return f"{self.version}+g{code.commit[:12]}{'.dirty' if code.dirty else ''}"

    def _code(self, code: Code) -> str:
        state = "dirty" if code.dirty else "clean" if code.dirty is False else "unknown"
        identifier = f"#code/{code.commit or 'no-commit'}/{state}"
        if identifier not in self.graph:
            said = {
                "clean": "The code as it was committed.",
                "dirty": "The code with edits that were not committed: the hashes of its modules, "
                "comments left out, stand in each receipt.",
                "unknown": "The code outside a git clone: the hashes of its modules, comments left "
                "out, stand in each receipt.",
            }
            self.graph.add(
                identifier,
                "SoftwareSourceCode",
                name=f"iic at commit {code.commit}" if code.commit else "iic at no known commit",
                version=code.commit or self.version,
                codeRepository=self.url,
                url=self.url,
                programmingLanguage="Python",
                description=said[state],
            )
        return identifier

    def _package(self, name: str, version: str) -> str:
        identifier = f"#software/{name}/{version}"
        if identifier not in self.graph:
            self.graph.add(
                identifier,
                "SoftwareApplication",
                name=name,
                softwareVersion=version,
                url=HOMEPAGES.get(name),
            )
        return identifier


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Numbers, texts and lists of texts under dotted names, since a property's value has no parts.

    What is unknown or empty is left out.
    """
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        elif isinstance(value, list) and value:
            yield f"{above}{name}", [_words(part) for part in value]
        elif value is not None and value != []:
            yield f"{above}{name}", value


def _words(part: Any) -> str:
    if not isinstance(part, dict):
        return str(part)
    return ", ".join(f"{name} {value}" for name, value in part.items() if value is not None)
