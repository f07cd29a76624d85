"""BibTeX of every method and dataset, and a file of it that is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from iic.params.datasets import load_catalogue
from iic.params.errors import SettingsError
from iic.params.modules import method_modules, method_name
from iic.params.references import REFERENCES, citations, load_references
from iic.params.runs import load_plan
from tests.params.params_helpers import PARAMS, copy_of, read_once

METHODS = {method_name(module) for module in method_modules()}


def keys(name: str) -> list[str]:
    entries = citations(name, PARAMS)
    return [re.match(r"@[a-z]+\{([^,]+),", entry)[1] for entry in entries]  # type: ignore[index]


def test_every_method_and_nothing_else_has_an_entry() -> None:
    named = {method for one in load_references(PARAMS / REFERENCES) for method in one.methods}
    assert named == METHODS


def test_entries_are_what_bibtex_reads() -> None:
    every = [one.text for one in load_references(PARAMS / REFERENCES)]
    every += [entry.citation for entry in load_catalogue(PARAMS / "datasets.yaml").values()]
    for text in every:
        lines = text.strip().split("\n")
        assert re.fullmatch(r"@[a-z]+\{[a-z0-9_]+,", lines[0]) and lines[-1] == "}"
        assert text.count("{") == text.count("}") and "keywords" not in text
        fields = {found[1] for line in lines if (found := re.match(r" +([a-z]+) = \{.", line))}
        # stand-ins are nobody's publication
        wanted = {"title"} if "iic_standins" in text else {"author", "title", "year"}
        assert wanted <= fields, text


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("spectral", ["zelnikmanor2004self", "ng2001spectral"]),
        ("iic", ["ji2019invariant"]),
        ("iic.maps", ["ji2019invariant"]),
        ("triplets", ["schultz2003learning"]),
        ("deepcluster-features", ["caron2018deep"]),
        ("digits", ["alpaydin1998optical"]),
        # names of runs: one that is no module, a variant, its name without the variant
        ("supervised", ["ji2019invariant"]),
        ("iic-corrected", ["ji2019invariant"]),
        ("iic_star", ["ji2019invariant"]),
        # runs of this name are of two methods, images and pixels
        ("kmeans", ["wang2015optimized", "lloyd1982least", "arthur2007kmeans", "sculley2010web"]),
        ("kmeans_colours", ["arthur2007kmeans", "sculley2010web"]),
        ("sift", ["lowe2004distinctive", "vedaldi2010vlfeat"]),
        ("deepcluster.maps", ["caron2018deep"]),
        ("doersch", ["doersch2015unsupervised"]),
        ("isola-corrected", ["isola2015learning"]),
    ],
)
def test_what_is_cited(name: str, wanted: list[str]) -> None:
    assert keys(name) == wanted


def test_each_run_and_dataset_can_be_cited(monkeypatch: pytest.MonkeyPatch) -> None:
    read_once(monkeypatch)
    plans = [load_plan(scale, PARAMS) for scale in ("mini", "paper")]
    runs = {run.name for plan in plans for run in plan.runs.values()}
    for name in runs.union(*(plan.datasets for plan in plans)):
        assert citations(name, PARAMS), name


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    for name, nearest in {"spectrul": "spectral", "mnits": "mnist", "kmean": "kmeans"}.items():
        with pytest.raises(
            SettingsError, match=f"{name!r} is no known method or dataset"
        ) as caught:
            citations(name, PARAMS)
        assert caught.value.hint == nearest
        assert "allowed: a method (" in str(caught.value)


GOOD = "@misc{a,\n  title = {A},\n  keywords = {spectral}\n}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("words\n" + GOOD, "line 1: 'words' is in no entry, or an entry is not closed"),
        ("\n@misc{a, title = {A},\n}\n", "line 2: "),
        (GOOD.replace("}\n}", "}") + GOOD, "line 4: '@misc{a,' is in no entry, or an entry is not"),
        (GOOD.removesuffix("}\n"), "line 3: the entry '@misc{a,' is not closed"),
        (GOOD + GOOD, "a: stands twice"),
        (GOOD.replace("{A}", "{A"), "a: a brace is missing or too many"),
        ("@misc{a,\n  title = {A}\n}\n", "a.keywords: given 0 times"),
        (GOOD.replace("{spectral}", "{Spectral Clustering}"), "a.keywords: given 0 times"),
        (GOOD.replace("\n}", ",\n  keywords = {kmeans}\n}"), "a.keywords: given 2 times"),
    ],
)
def test_a_file_of_another_form_is_refused_by_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / REFERENCES
    path.write_text(GOOD)
    assert load_references(path)[0].text == "@misc{a,\n  title = {A},\n}"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_references(path)
    assert str(caught.value).startswith(f"{path}: {says}")


def test_a_file_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / REFERENCES
    with pytest.raises(SettingsError, match="no such file"):
        load_references(path)
    path.write_bytes(b"% \xff\n")
    with pytest.raises(SettingsError, match="byte 2 is no UTF-8"):
        load_references(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        load_references(path)


def test_a_method_without_an_entry_is_named(tmp_path: Path) -> None:
    params = copy_of(tmp_path)
    path = params / REFERENCES
    path.write_text(
        path.read_text()
        .replace("{kmeans, kmeans_colours}", "{kmeans}")
        .replace("{kmeans_colours}", "{kmeans}")
    )
    with pytest.raises(SettingsError, match="no entry has the keyword 'kmeans_colours'"):
        citations("kmeans", params)
