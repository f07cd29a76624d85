"""Short references of the methods and data of a table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from iic.params.modules import method_name
from iic.params.references import load_references
from iic.params.runs import load_plan
from iic.publish.arrange import lay_out
from iic.publish.markdown import to_markdown
from iic.publish.origins import FILE, origins, short
from iic.publish.published import load_published

ROOT = Path(__file__).parents[2]


def test_an_entry_becomes_names_title_and_year() -> None:
    entry = """@inproceedings{x,
      author = {M{\\"u}ller, A. and {\\'E}va, B.},
      title = {Of {MNIST} and more},
      year = {2001}
    }"""
    assert short(entry) == "Muller and Eva, Of MNIST and more, 2001"
    four = entry.replace("B.}", "B. and C, D. and E, F.}")
    assert short(four).startswith("Muller et al., ")
    assert short("@misc{y,\n  title = {Z}\n}") == "Z"


def test_each_method_and_dataset_that_runs_is_named_once_with_all_its_references() -> None:
    whole = load_plan("laptop")
    found = origins(whole, "table_1", ROOT)
    assert next(iter(found)) == "random" and list(found)[-1] == "mnist"
    runs = {run.name: method_name(run.method) for run in whole.table_runs("table_1")}
    # a variant of a method stands under the method's first run
    assert runs.pop("iic-fast") == runs["iic"]
    assert list(found) == [*runs, "mnist"]
    references = load_references(ROOT / FILE)
    for name, method in runs.items():
        assert len(found[name]) == sum(method in one.methods for one in references) > 0


def test_the_markdown_lists_them_and_what_does_not_run_is_not_there() -> None:
    whole = load_plan("laptop")
    published = load_published(whole.tables["table_1"], ROOT)
    layout = lay_out(whole, "table_1", [], published, origins(whole, "table_1", ROOT))
    text = to_markdown(replace(layout, entries=[], heads=[]), "table_1").decode()
    assert "- `spectral`: Zelnik-Manor and Perona, Self-Tuning Spectral Clustering, 2004" in text
    assert "- `mnist`: LeCun" in text and "`stl10`" not in text
