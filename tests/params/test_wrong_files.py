"""Whatever is wrong in any file of params/: one clear message, never another exception.

A plan takes a twentieth of a second, so the quick tests look at few places of each file, and the
long ones at hundreds.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iic.methods import kmeans
from iic.methods.finetune import method as finetune
from iic.methods.iic import method as iic
from iic.methods.iic import random_network
from iic.methods.iic import star as iic_star
from iic.params import datasets, experiments
from iic.params.augmentation import Affine, ColourAugmentation, Cutout, GreyAugmentation
from iic.params.errors import SettingsError
from iic.params.evaluation import EvaluationSettings
from iic.params.networks import NetworkSettings
from iic.params.scales import Scale
from iic.params.training import (
    ComputeSettings,
    HeadSettings,
    OptimiserSettings,
    PairSettings,
    ScheduleSettings,
)
from tests.params.params_helpers import (
    ABSENT,
    FILES,
    MINI,
    PARAMS,
    SMOKE,
    TABLE,
    Place,
    change,
    changed,
    content,
    copy_of,
    error_of,
    places,
    planned,
    read_once,
    renamed,
    row_of,
    scale_of,
    some,
    write,
)
from tests.quick import first_quick

MODELS = (
    Scale, experiments.Table, experiments.Row, experiments.Column, experiments.Displays,
    experiments.Figure, experiments.Listing, datasets.Dataset, datasets.ImageShape,
    datasets.SourceFile, datasets.Embedded, iic.Settings, kmeans.Settings, random_network.Settings,
    iic_star.Settings, finetune.Settings, GreyAugmentation, ColourAugmentation, Affine, Cutout,
    EvaluationSettings, NetworkSettings, ComputeSettings, HeadSettings, OptimiserSettings,
    PairSettings, ScheduleSettings,
)  # fmt: skip
KEYS = {key for model in MODELS for key in model.model_fields}
IIC, RANDOM, KMEANS = row_of("iic"), row_of("random"), row_of("kmeans")
LAPTOP = "scales/laptop.yaml"
ON_MNIST: Place = ("rows", IIC, "datasets", "mnist")
HERE = f"rows.{IIC}.datasets.mnist"

OF_EACH_FORM = (TABLE, MINI, "datasets.yaml", "figures.yaml")
"""A file of each model; what is long tries all files."""
VALUES = first_quick(
    [(file, most) for most, files in ((30, OF_EACH_FORM), (200, FILES)) for file in files],
    quick=len(OF_EACH_FORM),
)
"""File, and how many places of it are tried."""
SLIPS = first_quick(
    # the first ones once
    dict.fromkeys((file, turn) for turn in (0, 1) for file in (*OF_EACH_FORM, *FILES)),
    quick=len(OF_EACH_FORM),
)
"""File, and which of two series of slips."""

WHOLE_FILES = {
    "empty": (b"", "the file is empty|holds no datasets"),
    "comments alone": (b"# nothing\n", "the file is empty|holds no datasets"),
    "a list": (b"- a\n- b\n", "mapping of keys|holds no datasets"),
    "a word": (b"yes\n", "mapping of keys|holds no datasets"),
    "no YAML": (b"a: [1, 2\nb: }\n", "line [123], column .*: no valid YAML"),
    "a tab": (b"a:\n\tb: 1\n", "line 2, column .*: no valid YAML"),
    "no UTF-8": (b"name: \xff\xfe\n", "byte 6 is no UTF-8"),
    "a NUL": (b"name: \0\n", "no valid YAML"),
    "key twice": (b"a: 1\nb: 2\na: 3\n", "line 3, column 1: no valid YAML: key 'a' is given twice"),
    "list as key": (b"? [a, b]\n: 1\n", "line 1, .*a key has to be text"),
    "mapping as key": (b"name: {{ name }}\n", "line 1, .*a key has to be text"),
    "number as key": (b"1: a\n", 'key 1 is no text\n  allowed: text.*"1"'),
    "word as key": (b"yes: a\n", "key true is no text"),
    "two documents": (b"a: 1\n---\nb: 2\n", "no valid YAML"),
    "python object": (b"a: !!python/object/apply:os.getcwd []\n", "no valid YAML"),
    "no such date": (b"a: 2001-13-45\n", "no valid YAML: month must be in"),
    "date": (b"a: 2001-01-02\n", "a: 2001-01-02 is a date\n  allowed: text"),
    "holds itself": (b"a: &a [*a]\n", "unconstructable recursive node"),
    "deep": (b"a: " + b"[" * 200 + b"]" * 200 + b"\n", "nested too deeply"),
    "half a letter": (b'a: "\\ud800"\n', "line 1, column 7: no valid YAML: .* Unicode"),
    "unknown alias": (b"a: *b\n", "line 1, .*undefined alias"),
    "merge of a word": (b"a: {<<: b}\n", "no valid YAML"),
}  # fmt: skip


@pytest.mark.parametrize("file", FILES)
def test_a_file_that_is_wrong_as_a_whole(tmp_path: Path, file: str) -> None:
    params = copy_of(tmp_path)
    for name, (text, says) in WHOLE_FILES.items():
        (params / file).write_bytes(text)
        error = error_of(params, scale_of(file))
        assert error.file == str(params / file), name
        assert str(error).startswith(f"{params / file}: "), name
        assert re.search(says, str(error)), (name, error)


@pytest.mark.parametrize("file", FILES)
def test_a_file_that_is_not_there_or_cannot_be_read(tmp_path: Path, file: str) -> None:
    params = copy_of(tmp_path)
    (params / file).unlink()
    if file == "scales/mini.yaml":
        assert "'mini' is no known scale" in str(error_of(params))
    elif file.startswith("scales/"):
        assert f"{scale_of(file)!r} is no known scale" in str(error_of(params, scale_of(file)))
        return
    elif file == TABLE:
        assert "'table_1' is no known table" in str(error_of(params, "laptop"))
    elif not file.startswith("experiments/"):
        assert str(error_of(params)) == f"{params / file}: no such file"
    (params / file).mkdir()
    assert "cannot be read: Is a directory" in str(error_of(params))


@pytest.mark.parametrize("most", [12, pytest.param(120, marks=pytest.mark.long)])
@pytest.mark.parametrize("file", FILES)
def test_each_misspelt_key_is_named_with_the_right_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, most: int
) -> None:
    read_once(monkeypatch)
    params = copy_of(tmp_path)
    value = content(file)
    tried = 0
    keys = [place for place in places(value) if place and place[-1] in KEYS]
    # a split may have any name
    keys = [place for place in keys if isinstance(place[-1], str) and place[-2:-1] != ("splits",)]
    for place in some(keys, most):
        key = str(place[-1])
        typo = f"{key[:-1]}x{key[-1:]}"
        write(params, file, renamed(value, place, typo))
        error = error_of(params, scale_of(file))
        assert str(error).count("\n") == 2, error
        first, allowed, hint = str(error).split("\n")
        path = ".".join(map(str, (*place[:-1], typo)))
        assert first.startswith(f"{params / file}: {path}: unknown key {typo!r} (value "), first
        assert key in allowed.removeprefix("  allowed: ").split(", "), error
        assert hint == f"  did you mean: {key}?", error
        tried += 1
    assert tried >= min(most, len(keys)) / 2 >= 5


WRONG: list[tuple[str, Place, Any, str, str]] = [
    # file, place, value, key in the message, the rest of the message
    (TABLE, ("rows", IIC, "settings", "sub_heads"), 0, f"rows.{IIC}.settings.sub_heads",
     "0 does not fit\n  allowed: greater than or equal to 1"),
    (TABLE, ("rows", IIC, "settings", "sub_heads"), 2.0, f"rows.{IIC}.settings.sub_heads",
     "2.0 does not fit\n  allowed: a whole number"),
    (TABLE, ("rows", IIC, "settings", "optimiser", "learning_rate"), "fast",
     f"rows.{IIC}.settings.optimiser.learning_rate", "'fast' does not fit\n  allowed: a number"),
    (TABLE, ("rows", IIC, "settings", "optimiser", "learning_rate"), float("nan"),
     f"rows.{IIC}.settings.optimiser.learning_rate",
     "nan does not fit\n  allowed: a finite number"),
    (TABLE, (*ON_MNIST, "overclustering_head"), "no", f"{HERE}.overclustering_head",
     "'no' does not fit\n  allowed: true or false"),
    (TABLE, (*ON_MNIST, "head_order"), "B frist", f"{HERE}.head_order",
     "'B frist' is none of the known values\n  allowed: 'A first' or 'B first'\n"
     "  did you mean: B first?"),
    (TABLE, (*ON_MNIST, "network", "family"), "C", f"{HERE}.network.family",
     "'C' is none of the known values\n  allowed: 'A' or 'B'"),
    (TABLE, (*ON_MNIST, "network", "width"), -1, f"{HERE}.network.width",
     "-1 does not fit\n  allowed: greater than 0"),
    (TABLE, (*ON_MNIST, "augmentation", "kind"), "gray", f"{HERE}.augmentation.kind",
     "'gray' is none of the known values\n  allowed: 'grey', 'colour', 'warp'\n"
     "  did you mean: grey?"),
    (TABLE, (*ON_MNIST, "augmentation"), {"crop": 20}, f"{HERE}.augmentation.kind",
     "missing, and it has no default\n  allowed: grey, colour, warp"),
    (TABLE, (*ON_MNIST, "augmentation", "hue"), 0.1, f"{HERE}.augmentation.hue",
     "unknown key 'hue' (value 0.1)\n  allowed: affine, brightness, centre_probability, "),
    (TABLE, (*ON_MNIST, "augmentation"), "grey", f"{HERE}.augmentation",
     "'grey' does not fit\n  allowed: "),
    (TABLE, (*ON_MNIST, "pairs"), [700, 5], f"{HERE}.pairs",
     "[700, 5] does not fit\n  allowed: a mapping of keys"),
    (TABLE, (*ON_MNIST, "head_a"), ABSENT, f"{HERE}.head_a", "missing, and it has no default"),
    (TABLE, (*ON_MNIST, "schedule", "snapshot_steps"), [0, -5], f"{HERE}.schedule.snapshot_steps.1",
     "-5 does not fit\n  allowed: greater than or equal to 0"),
    (TABLE, (*ON_MNIST, "augmentation", "crops"), 20, f"{HERE}.augmentation.crops",
     "20 does not fit\n  allowed: a list"),
    (TABLE, ("rows", IIC, "datasets", "mnits"), {}, f"rows.{IIC}.datasets.mnits",
     "'mnits' is no known column's dataset\n  allowed: stl10, cifar10, cifar100_20, mnist\n"
     "  did you mean: mnist?"),
    (TABLE, ("rows", KMEANS, "datasets"), {}, f"rows.{KMEANS}.datasets",
     "run 'kmeans' is defined on no dataset"),
    (TABLE, ("rows", KMEANS, "method"), "iic.methods.kmean", f"rows.{KMEANS}.method",
     "there is no module 'iic.methods.kmean'\n  allowed: the dotted path of a module\n"
     "  did you mean: iic.methods.kmeans?"),
    (TABLE, ("rows", KMEANS, "method"), "iic.method.kmeans", f"rows.{KMEANS}.method",
     "there is no module 'iic.method.kmeans'\n  allowed: the dotted path of a module\n"
     "  did you mean: iic.methods.kmeans?"),
    (TABLE, ("rows", KMEANS, "method"), "iic.records.files", f"rows.{KMEANS}.method",
     "module 'iic.records.files' defines no class Settings(MethodSettings)"),
    (TABLE, ("rows", KMEANS, "selections"), [], f"rows.{KMEANS}.selections",
     "[] does not fit\n  allowed: Tuple should have at least 1 item"),
    (TABLE, ("rows", KMEANS, "selections"), ["labelfree"], f"rows.{KMEANS}.selections.0",
     "'labelfree' is none of the known values\n  allowed: 'as_published', 'as_published_mean', "
     "'label_free' or 'mean_head'\n  did you mean: label_free?"),
    (TABLE, ("rows", KMEANS, "run"), "K means", f"rows.{KMEANS}.run",
     "'K means' does not fit\n  allowed: String should match pattern"),
    (TABLE, ("columns", 1, "dataset"), "stl10", "", "columns: 'stl10 acc' stands twice"),
    (TABLE, ("name",), "table_2", "name",
     "'table_2' does not match the file's name\n  allowed: table_1"),
    (MINI, ("seeds",), {"digits/iic": [0]}, "seeds", "default is missing"),
    (MINI, ("seeds", "default"), [], "seeds.default", "[] does not fit\n  allowed: Tuple should"),
    (MINI, ("seeds", "default"), [-1], "seeds.default.0", "-1 does not fit\n  allowed: greater"),
    (MINI, ("seeds", "default"), [2**32], "seeds.default.0", "allowed: less than 4294967296"),
    (MINI, ("seeds", "default"), [1, 1], "seeds", "default: [1, 1] has a seed twice"),
    (MINI, ("seeds", "default"), 0, "seeds.default", "0 does not fit\n  allowed: a list"),
    (MINI, ("seeds", "digits/icc"), [0], "seeds.digits/icc",
     "\n  did you mean: digits/iic?"),
    (MINI, ("changes", "digits/kmean"), {}, "changes.digits/kmean",
     "'digits/kmean' is no known run of this scale"),
    (MINI, ("notes",), {"mnist/iic": "x"}, "notes.mnist/iic", "is no known run of this scale"),
    (LAPTOP, ("skip_reason",), ABSENT, "", "skip_reason: missing"),
    (MINI, ("datasets", "mnist"), "digit", "datasets.mnist",
     "\n  did you mean: digits?"),
    (MINI, ("datasets",), {"mnits": "digits"}, "datasets.mnits",
     "'mnits' is no known column's dataset"),
    (MINI, ("datasets",), {"mnist": "digits", "stl10": "digits"}, "",
     "datasets: 'digits' runs in place of two"),
    (MINI, ("real",), True, "",
     "so published numbers cannot stand beside ours\n  allowed: real: false"),
    (MINI, ("tables",), ["table_11"], "tables.0",
     "\n  did you mean: table_1?"),
    (MINI, ("figures",), ["figure_3", "figure3"], "figures.1", "'figure3' is no known figure"),
    (MINI, ("figures",), ["figure_3", "figure_3"], "", "'figure_3' stands twice"),
    (LAPTOP, ("listings",), ["table_1"], "", "'table_1' stands twice"),
    (MINI, ("listings",), ["supp_table_9"], "listings.0", "is no known listing"),
    (MINI, ("name",), "tiny", "name", "'tiny' does not match the file's name\n  allowed: mini"),
    (MINI, ("machine",), ABSENT, "machine", "missing, and it has no default"),
    (SMOKE, ("extends",), "minni", "extends", "'minni' is no known other scale\n  allowed: gpu, "),
    (SMOKE, ("extends",), "smoke", "extends", "'smoke' is no known other scale"),
    (SMOKE, ("extends",), [["x"]], "extends", "[['x']] does not fit\n  allowed: a scale's name"),
    ("datasets.yaml", ("digits", "module"), "iic.data.digit", "digits.module",
     "there is no module 'iic.data.digit'\n  allowed: the dotted path of a module\n"
     "  did you mean: iic.data.digits?"),
    ("datasets.yaml", ("digits", "image", "channels"), 0, "digits.image.channels",
     "0 does not fit\n  allowed: greater than or equal to 1"),
    ("datasets.yaml", ("digits", "splits"), {"Test set": 5}, "digits.splits.Test set",
     "'Test set' does not fit\n  allowed: String should match"),
    ("datasets.yaml", ("digits", "splits"), {"all": 0}, "digits.splits.all", "0 does not fit"),
    ("datasets.yaml", ("mnist", "files", 0, "sha256"), "abc", "mnist.files.0.sha256",
     "'abc' does not fit"),
    ("datasets.yaml", ("Digits 2",), {}, "Digits 2", "is no name for a dataset"),
    ("figures.yaml", ("figures", "figure_3", "runs"), ["mnist"], "figures.figure_3.runs.0",
     "'mnist' does not fit"),
    ("figures.yaml", ("figures", "figure_3", "runs"), ["mnist/icc"], "figures.figure_3.runs.0",
     "\n  did you mean: mnist/iic?"),
    ("figures.yaml", ("listings", "supp_table_2", "runs"), ["mnist/icc"],
     "listings.supp_table_2.runs.0", "\n  did you mean: mnist/iic?"),
    ("figures.yaml", ("figures", "figure_3", "module"), "iic.publish.figures.progress",
     "figures.figure_3.module",
     "there is no module 'iic.publish.figures.progress'\n  allowed: the dotted path of a module\n"
     "  did you mean: iic.publish.figures.progression?"),
    ("figures.yaml", ("figures", "training_curves", "seeds"), "every",
     "figures.training_curves.seeds", "'every' is none of the known values"),
    ("figures.yaml", ("figures", "training_curves", "reads"), ["histroy"],
     "figures.training_curves.reads.0", "'histroy' is none of the known values\n  allowed: "),
    ("figures.yaml", ("figures", "training_curves", "reads"), ["history", "history"],
     "figures.training_curves", "reads: 'history' stands twice"),
    ("figures.yaml", ("figures", "training_curves", "files"), ["params/published/nowhere.csv"],
     "figures.training_curves.files.0", "there is no file 'params/published/nowhere.csv'"),
    ("figures.yaml", ("figures", "training_curves", "files"), ["params/../../secret"],
     "figures.training_curves.files.0", "'params/../../secret' does not fit"),
    ("figures.yaml", ("listings", "supp_table_1", "module"), "nowhere.at.all",
     "listings.supp_table_1.module", "there is no module 'nowhere.at.all'"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "place", "value", "key", "says"),
    WRONG,
    ids=[f"{number} {key or 'whole file'}" for number, (_, _, _, key, _) in enumerate(WRONG)],
)
def test_a_wrong_value_is_named(
    tmp_path: Path, file: str, place: Place, value: Any, key: str, says: str
) -> None:
    params = copy_of(tmp_path)
    change(params, file, place, value)
    error = error_of(params, scale_of(file))
    assert error.key == key
    start = f"{params / file}: {key}: " if key else f"{params / file}: "
    assert str(error).startswith(start + says) or says in str(error)[len(start) :], str(error)


def test_an_error_in_the_base_of_a_scale_names_the_base(tmp_path: Path) -> None:
    params = copy_of(tmp_path)
    change(params, MINI, ("changes", "digits/iic", "network", "input_sise"), 16)
    error = error_of(params, "smoke")
    assert error.file == str(params / MINI)
    assert error.key == "changes.digits/iic.network.input_sise"
    assert error.hint == "input_size"
    change(params, SMOKE, ("changes", "digits/iic", "network", "input_sise"), 16)
    assert error_of(params, "smoke").file == str(params / SMOKE)


# Every scalar, list and mapping of every file, replaced by each of these in turn.
ODD: list[Any] = [
    None, True, 0, -1, 10**30, 1.5, float("nan"), float("-inf"), "", "nope", "../up", "a/b", "a.b",
    "iic.params.base", [], [1], ["a", "a"], [[{}]], {}, {"a": 1}, {"": None}, {"default": 3},
    datetime.date(2001, 1, 1), b"bytes", {1: 2}, "e\u0301\U0001f600", ABSENT,
]  # fmt: skip


def _outcome(params: Path, scale: str) -> bool:
    """Whether the files are wrong; any error but a clear one ends the test."""
    try:
        planned(params, scale)
    except SettingsError as error:
        lines = str(error).split("\n")
        assert lines[0].startswith(str(params)) and len(lines) <= 3, error
        # a key of no method lists those of all methods
        assert all(len(line) < 900 for line in lines), error
        return True
    return False


@pytest.mark.parametrize(("file", "most"), VALUES)
def test_any_value_anywhere_is_taken_or_refused_clearly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, most: int
) -> None:
    read_once(monkeypatch)
    params = copy_of(tmp_path)
    value = content(file)
    refused = tried = 0
    for number, path in enumerate(some(list(places(value)), most)):
        # each place meets a few of the odd values, each odd value meets many places
        for odd in (ODD[(2 * number + step) % len(ODD)] for step in range(2)):
            if odd is ABSENT and not path:
                continue
            write(params, file, changed(value, path, odd))
            refused += _outcome(params, scale_of(file))
            tried += 1
    assert refused > tried / 2


def _cut(text: str, at: int) -> str:
    return text[:at]


def _doubled(text: str, at: int) -> str:
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at) + 1 or len(text)
    return text[:end] + text[start:end] + text[end:]


def _without(text: str, at: int) -> str:
    return text[:at] + text[at + 1 :]


def _with(letter: str) -> Callable[[str, int], str]:
    return lambda text, at: text[:at] + letter + text[at:]


@pytest.mark.parametrize(("file", "turn"), SLIPS)
def test_any_slip_of_the_keyboard_is_taken_or_refused_clearly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, turn: int
) -> None:
    read_once(monkeypatch)
    params = copy_of(tmp_path)
    text = (PARAMS / file).read_text(encoding="utf-8")
    slips = [_cut, _doubled, _without, *map(_with, ":{}[],#&*!|>'\"%@`- \t\n\0x0\x7f\u2028")]
    for number, slip in enumerate(slips, start=turn * len(slips)):
        at = (number * 7919 + 13) % len(text)
        (params / file).write_text(slip(text, at), encoding="utf-8")
        _outcome(params, scale_of(file))
