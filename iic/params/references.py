"""BibTeX of methods and datasets: ``params/references.bib`` and the catalogue's citations.

A method's entry names the methods as its keywords, and a BibTeX program reads the file as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from iic.params.datasets import load_catalogue
from iic.params.definitions import define, load_tables
from iic.params.errors import SettingsError
from iic.params.layers import check_known
from iic.params.modules import method_name

REFERENCES = "references.bib"
START = re.compile(r"@[a-z]+\{([A-Za-z0-9_:-]+),")
KEYWORDS = re.compile(r"\s*keywords = \{([a-z0-9_.]+(?:, [a-z0-9_.]+)*)\},?")
END = "}"


@dataclass(frozen=True)
class Reference:
    """An entry of the file.

    Args:
        key: What it is cited by.
        methods: Methods of ``iic/methods/`` that come from it, as `method_name` calls them.
        text: The entry without its keywords.
    """

    key: str
    methods: frozenset[str]
    text: str


def load_references(path: Path) -> list[Reference]:
    """The entries of a BibTeX file of plain form: one field a line, each entry closed on its own.

    Raises:
        SettingsError: The file is absent, unreadable or of another form; names the line.
    """
    file = str(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise SettingsError(file, "", "no such file") from None
    except UnicodeDecodeError as error:
        raise SettingsError(
            file, "", f"byte {error.start} is no UTF-8", allowed="text in UTF-8"
        ) from None
    except OSError as error:
        raise SettingsError(file, "", f"cannot be read: {error.strerror}") from error
    references: list[Reference] = []
    entry: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not entry and (not line.strip() or line.startswith("%")):
            continue
        if bool(entry) == line.startswith("@") or (not entry and not START.fullmatch(line)):
            raise SettingsError(
                file,
                f"line {number}",
                f"{line!r} is in no entry, or an entry is not closed",
                allowed="@<type>{<key>, then one field a line, then } on a line of its own; % "
                "before a comment",
            )
        entry.append(line)
        if line == END:
            references.append(_reference(entry, file, number))
            entry = []
    if entry:
        raise SettingsError(file, f"line {len(lines)}", f"the entry {entry[0]!r} is not closed")
    keys = [reference.key for reference in references]
    for key in keys:
        if keys.count(key) > 1:
            raise SettingsError(
                file, key, "stands twice", allowed="one entry; its keywords may be several"
            )
    return references


def citations(name: str, params: Path = Path("params")) -> list[str]:
    """BibTeX entries of a dataset, a method, or all methods of runs of that name.

    Args:
        name: E.g. ``mnist``, ``spectral``, or ``iic-corrected`` as the experiments files call it.
        params: Folder of the files.

    Raises:
        SettingsError: There is no such thing, suggesting the nearest; or nothing is known of it.
    """
    catalogue = load_catalogue(params / "datasets.yaml")
    references = load_references(params / REFERENCES)
    modules = {method: {method} for reference in references for method in reference.methods}
    runs: dict[str, set[str]] = {}
    for identifier, definition in define(load_tables(params), catalogue, params).items():
        run, module = identifier.split("/")[1], method_name(definition.method)
        for word in (run, run.split("-")[0]):
            runs.setdefault(word, set()).add(module)
    methods = sorted({*modules, *(run for run in runs if "-" not in run)})
    check_known(
        name,
        [*methods, *runs, *catalogue],
        (str(params), ""),
        "method or dataset",
        allowed=f"a method ({', '.join(methods)}), a run, or a dataset ({', '.join(catalogue)})",
    )
    if name in catalogue:
        citation = catalogue[name].citation
        return [citation.strip()] if citation else []
    cited = modules.get(name, set()) | runs.get(name, set())
    missing = cited - set(modules)
    if missing:
        raise SettingsError(
            str(params / REFERENCES),
            "",
            f"no entry has the keyword {sorted(missing)[0]!r}",
            allowed="one for each method in iic/methods/",
        )
    return [reference.text for reference in references if cited & reference.methods]


def _reference(entry: list[str], file: str, number: int) -> Reference:
    text = "\n".join(line for line in entry if not KEYWORDS.fullmatch(line))
    keywords = [match[1] for line in entry if (match := KEYWORDS.fullmatch(line))]
    start = START.fullmatch(entry[0])
    assert start is not None
    if len(keywords) != 1:
        raise SettingsError(
            file,
            f"{start[1]}.keywords",
            f"given {len(keywords)} times before line {number}",
            allowed="keywords = {<method of iic/methods/>, ...}, once, on a line of its own",
        )
    if text.count("{") != text.count("}"):
        raise SettingsError(file, start[1], "a brace is missing or too many")
    return Reference(start[1], frozenset(keywords[0].split(", ")), text)
