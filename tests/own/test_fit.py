"""`fit` and `predict`: what comes out, what is refused, and that names and company do not count."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from iic.cli.app import app
from iic.engine.context import Interrupted
from iic.engine.interrupts import InterruptFlag
from iic.evaluate.metrics import ari
from iic.own.answers import answers
from iic.own.choice import (
    Choice,
    Wishes,
    choose,
    load_choice,
    overridden,
    save_choice,
    with_time,
)
from iic.own.errors import ModelError, OwnDataError
from iic.own.estimator import IIC
from iic.own.fit import fit
from iic.own.model import FitRequest, OwnModel
from iic.own.predict import predict
from iic.params.errors import IICError, SettingsError
from iic.provenance.machine import usable_processors
from tests.own.pictures import folder, shapes
from tests.params.params_helpers import copy_of, only_mnist, parsed, planned, write

QUICK = Wishes(epochs=12, threads=1, precision="float32", sub_heads=3, width=0.125, repeats=4)


def request(source: Path, k: int = 2, **changes: object) -> FitRequest:
    return FitRequest(source=str(source), k=k, minutes=1, wishes=QUICK).model_copy(update=changes)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("own") / "images", 60)


@pytest.fixture(scope="module")
def model(images: Path) -> OwnModel:
    return fit(request(images), images.parent / "model", live=False)


def test_two_kinds_of_images_are_told_apart(model: OwnModel) -> None:
    table = pd.read_csv(model.folder / "assignments.csv")
    assert ari(table["cluster"], table["label"].str.removeprefix("kind").astype(int)) > 90
    assert list(table["path"]) == sorted(table["path"]) and len(table) == 60
    assert model.receipt.stability.ari is not None and model.receipt.stability.ari > 0.9


def test_the_folder_of_a_model(model: OwnModel, images: Path) -> None:
    assert {path.name for path in model.folder.iterdir()} == {
        "model.safetensors", "config.json", "README.md", "settings.yaml", "assignments.csv",
        "skipped.csv", "near_copies.csv", "examples.npz", "fit.json",
    }  # fmt: skip
    assert model.changed_files() == []
    receipt = model.receipt
    assert receipt.images == receipt.distinct == 60 and receipt.skipped == 0
    assert [one.seed for one in receipt.seeds] == [0, 1]
    assert receipt.reported == min(receipt.seeds, key=lambda one: one.loss).seed
    card = (model.folder / "README.md").read_text()
    assert receipt.data_sha256 in card and "BatchNorm is frozen" in card


def test_alone_in_a_folder_renamed_and_shuffled(model: OwnModel, images: Path) -> None:
    """The same answer to 1e-5, and that of the fit."""
    together = predict(model, images).table.set_index("path")
    fitted = pd.read_csv(model.folder / "assignments.csv").set_index("path")
    values = ["probability", "entropy", "agreement"]
    assert (together["cluster"] == fitted["cluster"]).all()
    assert np.allclose(together[values], fitted[values], atol=1e-5)
    other = images.parent / "renamed"
    other.mkdir()
    renamed = {}
    for number, name in enumerate(sorted(together.index, reverse=True)):
        shutil.copy(images / name, other / f"{number:02d}.png")
        renamed[f"{number:02d}.png"] = name
    moved = predict(model, other).table
    moved.index = pd.Index([renamed[name] for name in moved["path"]])
    assert (moved["cluster"] == together["cluster"].loc[moved.index]).all()
    assert np.allclose(moved[values], together[values].loc[moved.index], atol=1e-5)
    for name in together.index[::20]:
        alone = predict(model, images / name).table.iloc[0]
        assert alone["cluster"] == together.loc[name, "cluster"]
        assert np.allclose(
            alone[values].astype(float), together.loc[name, values].astype(float), atol=1e-5
        )


def test_the_same_request_again_is_finished_and_another_refused(
    model: OwnModel, images: Path
) -> None:
    before = (model.folder / "fit.json").stat().st_mtime_ns
    fit(request(images), model.folder, live=False)
    assert (model.folder / "fit.json").stat().st_mtime_ns == before
    with pytest.raises(ModelError, match="another fit"):
        fit(request(images, k=3), model.folder)


def test_a_fit_that_is_stopped_goes_on_to_the_same_bytes(
    model: OwnModel, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def name(self: InterruptFlag) -> str | None:
        seen.append(None)
        return "SIGINT" if len(seen) == 7 else None

    monkeypatch.setattr(
        InterruptFlag, "name", property(name, lambda self, value: None), raising=False
    )
    with pytest.raises(Interrupted):
        fit(request(images), tmp_path / "model", live=False)
    with pytest.raises(ModelError, match="it goes on"):
        OwnModel(tmp_path / "model")
    with pytest.raises(ModelError, match="k was 2"):
        fit(request(images, k=3), tmp_path / "model", live=False)
    again = fit(request(images), tmp_path / "model", live=False)
    for file in ("model.safetensors", "assignments.csv", "config.json"):
        assert (again.folder / file).read_bytes() == (model.folder / file).read_bytes()


def test_a_settings_file_repeats_a_fit(model: OwnModel, images: Path, tmp_path: Path) -> None:
    file = model.folder / "settings.yaml"
    own = FitRequest(source=str(images), k=2, minutes=1, settings=str(file))
    again = fit(own, tmp_path / "again", live=False)
    assert (again.folder / "model.safetensors").read_bytes() == (
        model.folder / "model.safetensors"
    ).read_bytes()
    with pytest.raises(OwnDataError, match=r"head_b\.k: 2, but --k 3"):
        fit(own.model_copy(update={"k": 3}), tmp_path / "other")
    with pytest.raises(OwnDataError, match="has its own side"):
        fit(own.model_copy(update={"wishes": Wishes(side=16)}), tmp_path / "other")
    crowd = load_choice(file)
    many = crowd.settings.model_copy(update={"threads": 100_000})
    bounded = overridden(crowd.model_copy(update={"settings": many}), Wishes(), "file")
    assert bounded.settings.threads == IIC(threads=100_000)._threads() == usable_processors()
    text = file.read_text().replace("sub_heads: 3", "sub_heads: none")
    (tmp_path / "wrong.yaml").write_text(text)
    with pytest.raises(SettingsError, match="sub_heads"):
        load_choice(tmp_path / "wrong.yaml")
    assert not (tmp_path / "other").exists()


def test_the_workflow_plans_a_settings_file(tmp_path: Path) -> None:
    """It has the form of a row in ``params/experiments``; MNIST gets the fast recipe."""
    settings = choose(70_000, 28, 1, 10, Wishes(), 1)
    save_choice(tmp_path / "settings.yaml", Choice(side=28, channels=1, settings=settings))
    content = parsed(tmp_path / "settings.yaml")
    row = {"row": "Own", "run": "own", "method": content["method"], "fidelity": "own"}
    row["datasets"] = {"mnist": content["settings"]}
    table = {"name": "own", "title": "Own", "caption": "Own.", "rows": [row]}
    table["columns"] = [{"paper": "MNIST", "dataset": "mnist"}]
    params = copy_of(tmp_path)
    write(params, "experiments/own.yaml", table)
    only_mnist(params, "own", "own")
    plan = planned(params, "own")
    assert plan.run("mnist/own").settings == settings
    fast = plan.definitions["mnist/iic-fast"].settings
    schedule = fast.schedule.model_copy(update={"epochs": settings.schedule.epochs})
    same = {"schedule": schedule, "threads": settings.threads}
    assert fast.model_copy(update=same) == settings, "the fast recipe is another one now"


def array(path: Path, images: np.ndarray) -> Path:
    np.save(path, images)
    return path


@pytest.mark.parametrize(
    ("count", "k", "minutes", "reason"),
    [
        (7, 10, 1, r"7 different images cannot fill 10 clusters\n  allowed: --k 2 to 7"),
        (1, 2, 1, "one image: nothing to tell apart"),
        (7, 1, 1, "--k 1"),
        (7, 2, 0, "--minutes 0"),
        (7, 2, float("nan"), "--minutes nan"),
    ],
)
def test_requests_that_are_refused_before_any_training(
    tmp_path: Path, count: int, k: int, minutes: float, reason: str
) -> None:
    source = array(tmp_path / "a.npy", shapes(count)[0])
    wrong = request(source, k=k).model_copy(update={"minutes": minutes})
    with pytest.raises(OwnDataError, match=reason):
        fit(wrong, tmp_path / "model", live=False)
    assert not (tmp_path / "model").exists()


def test_a_refused_request_blocks_no_other_one(tmp_path: Path) -> None:
    """A settings file that is not there, more threads than processors: nothing is left behind."""
    source = array(tmp_path / "a.npy", shapes(7)[0])
    crowd = QUICK.model_copy(update={"threads": 100_000})
    for wrong, reason in (
        (request(source, settings=str(tmp_path / "none.yaml")), "no such file"),
        (request(source, wishes=crowd), r"--threads 100000: more than processors\n  allowed: 1 to"),
    ):
        with pytest.raises(IICError, match=reason):
            fit(wrong, tmp_path / "model", live=False)
        assert not (tmp_path / "model").exists()


def test_the_same_image_again_and_again_is_refused(tmp_path: Path) -> None:
    source = array(tmp_path / "a.npy", np.repeat(shapes(1)[0], 9, axis=0))
    with pytest.raises(OwnDataError, match="the same image again and again"):
        fit(request(source), tmp_path / "model", live=False)


def test_a_folder_that_is_no_model_is_left_alone(images: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "text").write_text("years of work")
    with pytest.raises(ModelError, match="holds no fit"):
        fit(request(images), tmp_path / "thesis")
    with pytest.raises(ModelError, match="is a file"):
        fit(request(images), tmp_path / "thesis" / "text")
    with pytest.raises(ModelError, match="no finished model"):
        OwnModel(tmp_path / "thesis")
    for inside in (images, images / "kind0" / "model"):
        with pytest.raises(ModelError, match="lies among the images"):
            fit(request(images), inside)
    assert (tmp_path / "thesis" / "text").read_text() == "years of work"


def test_models_that_are_damaged_or_of_another_version(model: OwnModel, tmp_path: Path) -> None:
    other = tmp_path / "model"
    shutil.copytree(model.folder, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "schema_version": 2}))
    with pytest.raises(ModelError, match="schema_version: 2"):
        OwnModel(other)
    shutil.copy(model.folder / "config.json", other)
    (other / "model.safetensors").write_bytes(b"cut")
    damaged = OwnModel(other)
    with pytest.raises(ModelError, match="not the weights"):
        _ = damaged.network
    assert damaged.changed_files() == ["model.safetensors: changed since the fit"]


def test_colour_is_refused_by_a_model_of_grey_images(model: OwnModel, tmp_path: Path) -> None:
    Image.new("RGB", (20, 20), (200, 20, 90)).save(tmp_path / "colour.png")
    with pytest.raises(OwnDataError, match="fitted on grey images"):
        predict(model, tmp_path)
    Image.fromarray(shapes(1)[0][0]).convert("RGB").save(tmp_path / "grey.png")
    said = predict(model, tmp_path)
    assert list(said.table["path"]) == ["grey.png"]
    assert [one.name for one in said.skipped] == ["colour.png"]


def test_colour_images_and_the_choice_for_them(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (12, 30, 30, 3)).astype(np.uint8)
    own = request(array(tmp_path / "a.npy", pixels))
    quick = QUICK.model_copy(update={"epochs": 1, "seeds": 1})
    model = fit(own.model_copy(update={"wishes": quick}), tmp_path / "model", live=False)
    choice = load_choice(model.folder / "settings.yaml")
    assert (choice.channels, choice.side, choice.settings.network.in_channels) == (3, 30, 2)
    assert model.receipt.stability.ari is None
    table = predict(model, tmp_path / "a.npy", sub_heads=True).table
    assert [name for name in table if name.startswith("sub_head_")] == [
        "sub_head_0", "sub_head_1", "sub_head_2",
    ]  # fmt: skip


@pytest.mark.parametrize("count", [7, 40, 350, 351, 701, 70_000])
@pytest.mark.parametrize("channels", [1, 3])
def test_no_batch_is_a_small_rest_and_time_becomes_epochs(count: int, channels: int) -> None:
    settings = choose(count, 28, channels, 5, Wishes(), 2)
    batch = settings.pairs.batch_images
    rest = count % batch or batch
    assert batch <= 350 and rest > batch / 2
    timed = with_time(settings, count, 0.5, 150)
    steps = timed.schedule.max_steps or timed.schedule.epochs * -(-count // batch)
    assert 0 < steps * 0.5 <= 150 + 0.5 * -(-count // batch)
    Choice(side=28, channels=3 if channels == 3 else 1, settings=timed)


def test_answers_of_a_model_by_hand() -> None:
    probabilities = np.float32([[[0.9, 0.1], [0.2, 0.8]], [[0.4, 0.6], [0.3, 0.7]]])
    said = answers(probabilities, 0, np.array([[0, 1], [1, 0]]))
    assert said.clusters.tolist() == [0, 1]
    assert said.by_sub_head.tolist() == [[0, 0], [1, 0]]
    assert said.agreement.tolist() == [1.0, 0.5]
    assert said.entropy[1] == pytest.approx(0.971, abs=1e-3)


def test_verbs_from_any_folder(
    model: OwnModel, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    arguments = ["predict", str(model.folder), str(images)]
    done = run(app, [*arguments, "--out", "clusters.parquet", "--assign-into", "sorted"])
    assert done.exit_code == 0, done.output
    table = pd.read_parquet("clusters.parquet")
    assert len(table) == 60
    name, cluster = table["path"][0], table["cluster"][0]
    link = tmp_path / "sorted" / str(cluster) / name.replace("/", "__")
    assert os.path.samefile(link, images / name)
    twins = tmp_path / "twins"
    for twin in ("a/b.png", "a__b.png", "a_/b.png", "a/_b.png", f"a/{'n' * 250}.png"):
        (twins / twin).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(images / name, twins / twin)
    arguments[2] = str(twins)
    done = run(app, [*arguments, "--out", "b.csv", "--assign-into", "copies", "--copy"])
    assert done.exit_code == 0, done.output
    assert len([path for path in (tmp_path / "copies").rglob("*.png") if path.is_file()]) == 5
    assert isinstance(run(app, [*arguments, "--out", "a.txt"]).exception, OwnDataError)
    again = [*arguments, "--out", "a.csv", "--assign-into", "sorted"]
    assert isinstance(run(app, again).exception, OwnDataError)
    finished = ["fit", str(images), "--k", "3", "--out", str(model.folder)]
    assert isinstance(run(app, finished).exception, ModelError)
