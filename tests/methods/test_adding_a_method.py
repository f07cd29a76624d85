"""What docs/extending.md promises: a method is one file and one line. The text itself is run."""

from __future__ import annotations

import importlib
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import iic.methods
from iic.evaluate.selection import Checkpoint, evaluate
from iic.params.errors import SettingsError
from iic.params.runs import plan
from iic.records.assignments import read_assignments, write_assignments
from tests.methods.methods_helpers import NUMBER, context, digits

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
SECTION = TEXT.split("\n## A method")[1].split("\n## ")[0]
(CODE,) = re.findall(r"```python\n(.*?)```", SECTION, flags=re.DOTALL)
(LINE,) = re.findall(r"```yaml\n(.*?)```", SECTION, flags=re.DOTALL)
(NAME,) = re.findall(r"method: (iic\.methods\.\w+)", LINE)


@pytest.fixture
def method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The documented file, as if it lay in iic/methods/."""
    folder = tmp_path / "methods"
    folder.mkdir()
    (folder / f"{NAME.rsplit('.')[-1]}.py").write_text(CODE, encoding="utf-8")
    monkeypatch.setattr(iic.methods, "__path__", [*iic.methods.__path__, str(folder)])
    importlib.invalidate_caches()
    yield NAME
    sys.modules.pop(NAME, None)
    vars(iic.methods).pop(NAME.rsplit(".")[-1], None)


@pytest.fixture
def params(tmp_path: Path) -> Path:
    """The params files with the documented line at the end of table 1's rows."""
    assert LINE.strip().count("\n") == 0
    folder = Path(shutil.copytree(ROOT / "params", tmp_path / "params"))
    with (folder / "experiments/table_1.yaml").open("a", encoding="utf-8") as file:
        file.write(f"\n{LINE}")
    return folder


def test_one_file_and_one_line(method: str, params: Path, tmp_path: Path) -> None:
    before = plan("mini").runs
    whole = plan("mini", params)
    (new,) = set(whole.runs) - set(before)
    run = whole.run(new)
    assert (run.method, run.dataset) == (method, "digits")
    assert set(plan("paper", params).runs) - set(plan("paper").runs) == {f"mnist/{run.name}"}

    module = importlib.import_module(method)
    outcome = module.train(context(tmp_path, module.Settings, run.settings_json, run.seeds[0]))
    assert outcome.last.clusters.shape == (NUMBER, 1)

    # from here on the job's wrapper and the evaluation know nothing of the method
    path = tmp_path / "assignments.parquet"
    _, labels = digits()
    write_assignments(path, {"last": outcome.last.clusters}, labels)
    found = read_assignments(path)["last"]
    losses = np.asarray(outcome.last.losses)
    scores = evaluate(
        {"last": Checkpoint(outcome.last.epoch, found.clusters.astype(np.int64), losses)},
        found.labels,
        k_clusters=outcome.k,
        k_classes=10,
    )
    chosen = scores.selections["label_free"]
    assert chosen is not None and chosen.acc is not None
    # mixtures of ten digits are far from chance, which is about 20 % on so few images
    assert chosen.acc > 40


def test_its_settings_are_checked_as_all_others(method: str, params: Path) -> None:
    table = params / "experiments/table_1.yaml"
    text = table.read_text(encoding="utf-8")
    for wrong, says in {
        "{k: 10, kk: 1}": r"datasets\.mnist\.kk: unknown key 'kk'",
        "{k: 1}": r"datasets\.mnist\.k: 1 does not fit\n  allowed: greater than or equal to 2",
        "{k: 80000}": r"datasets\.mnist\.k: 80000 clusters for 70000 images",
    }.items():
        table.write_text(text.replace(LINE, LINE.replace("{k: 10}", wrong)), encoding="utf-8")
        plan.cache_clear()
        with pytest.raises(SettingsError, match=says) as caught:
            plan("mini", params)
        assert caught.value.file == str(table)


def test_without_the_file_the_line_is_refused(params: Path) -> None:
    with pytest.raises(SettingsError, match=f"there is no module '{NAME}'"):
        plan("mini", params)
