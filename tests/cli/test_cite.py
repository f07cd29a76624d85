"""``iic cite``: BibTeX on the standard output, or one clear error."""

from __future__ import annotations

from tests.cli.cli_helpers import ROOT, iic, python


def test_methods_and_datasets_are_printed_each_entry_once() -> None:
    done = python(ROOT, "-m", "iic", "cite", "iic", "mnist", "iic_star", "finetune")
    assert done.returncode == 0 and done.stderr == ""
    entries = done.stdout.split("\n\n")
    assert [entry.split("{")[1].split(",")[0] for entry in entries] == [
        "ji2019invariant",
        "lecun1998gradient",
    ]
    assert all(entry.count("{") == entry.count("}") for entry in entries)
    assert done.stdout.endswith("}\n")


def test_what_is_unknown_is_said_once_with_the_nearest_name() -> None:
    wrong, mixed, nothing = iic(ROOT, ["cite", "spectrall"], ["cite", "iic", "mnits"], ["cite"])
    assert (wrong.status, mixed.status, nothing.status) == (1, 1, 2)
    assert wrong.text.count("error: ") == 1 and "did you mean: spectral?" in wrong.text
    assert "did you mean: mnist?" in mixed.text and "@" not in mixed.text
    assert "Missing argument" in nothing.text and "names" in nothing.text.lower()
