"""What needs packages of an extra: they are named where they are missing, and used where not."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from typer.testing import CliRunner

from iic.cli.app import app
from iic.own.boards import board
from iic.own.choice import Wishes
from iic.own.errors import OwnDataError
from iic.own.extras import MissingExtra
from iic.own.fit import fit
from iic.own.k_range import candidate, recommendation
from iic.own.model import FitRequest
from iic.own.rivals import reduced_by_umap, silhouette
from tests.own.pictures import folder

QUICK = Wishes(epochs=3, threads=1, sub_heads=2, seeds=1)


def features(path: Path) -> FitRequest:
    folder(path / "images", 20)
    np.save(path / "a.npy", np.random.default_rng(0).normal(size=(20, 4)))
    return FitRequest(
        source=str(path / "images"), k=2, minutes=1, wishes=QUICK, features=str(path / "a.npy")
    )


def test_each_extra_is_named_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = features(tmp_path)
    for name in ("umap", "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, name, None)
    base = ["fit", request.source, "--k", "2", "--out", str(tmp_path / "model")]
    for options, extra in (
        (["--umap"], "umap"),
        (["--log", "tensorboard", str(tmp_path / "board")], "tensorboard"),
    ):
        said = CliRunner().invoke(app, [*base, *options])
        assert isinstance(said.exception, MissingExtra)
        assert f"pip install 'iic[{extra}]'" in str(said.exception)
    with pytest.raises(OwnDataError, match=r"--log wandb: unknown\n  allowed: tensorboard"):
        CliRunner().invoke(app, [*base, "--log", "wandb", "x"], catch_exceptions=False)
    assert not (tmp_path / "model").exists() and not (tmp_path / "board").exists()


class Writer:
    """What is used of tensorboard's writer."""

    written: list[tuple[str, str, float, int]] = []

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder).name

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.written.append((self.folder, name, value, step))


def test_losses_reach_the_board_epoch_by_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(Writer, "written", [])
    request = features(tmp_path)
    with board("tensorboard", tmp_path / "board"):
        model = fit(request, tmp_path / "model", live=False)
    history = model.receipt.seeds[0].history
    losses = [(step, value) for _, name, value, step in Writer.written if name.startswith("loss")]
    assert losses == [(one["epoch"], one["loss"][0]) for one in history if one["loss"]]
    assert len(losses) == 3 and {one[0] for one in Writer.written} == {"iic seed 0"}
    Writer.written.clear()
    fit(request, tmp_path / "other", live=False)
    assert Writer.written == []


@pytest.mark.skipif(not find_spec("tensorboard"), reason="tensorboard is not installed")
def test_tensorboard_reads_what_is_written(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with board("tensorboard", tmp_path / "board"):
        fit(features(tmp_path), tmp_path / "model", live=False)
    events = EventAccumulator(str(tmp_path / "board" / "iic seed 0")).Reload()
    assert [one.step for one in events.Scalars("loss/A+B")] == [1, 2, 3]


@pytest.mark.skipif(not find_spec("umap"), reason="umap-learn is not installed")
def test_umap_as_a_second_opinion(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    labels = np.repeat([0, 1], 30)
    points = 8 * np.eye(2, 5)[labels] + draw.normal(size=(60, 5))
    assert silhouette(points, labels, reduced_by_umap) > 0.5
    asked = features(tmp_path).model_copy(update={"umap": True})
    own = candidate(fit(asked, tmp_path / "model", live=False))
    assert -1 <= own.umap_silhouette <= 1
    assert "In the space of UMAP k 2." in recommendation([own]).text
