"""`iic audit MODEL` notices what was changed, and `iic doctor` says what works."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from iic.cli.app import app
from iic.own import doctor as room
from iic.own.audit import audit, status
from iic.own.doctor import doctor, healthy
from iic.own.fit import fit
from iic.own.model import FitReceipt, FitRequest, OwnModel
from iic.records.files import read_record, sha256_file, write_record
from tests.own.pictures import folder
from tests.own.test_fit import QUICK

SHORT = QUICK.model_copy(update={"epochs": 2, "seeds": 1})


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("own")
    request = FitRequest(source=str(folder(top / "images", 24)), k=2, minutes=1, wishes=SHORT)
    return fit(request, top / "model", live=False).folder


@pytest.fixture
def model(fitted: Path, tmp_path: Path) -> Path:
    shutil.copytree(fitted, tmp_path / "model")
    return tmp_path / "model"


def texts(folder: Path) -> list[tuple[str, str]]:
    return [(one.level, one.text) for one in audit(OwnModel(folder))]


def resealed(folder: Path, name: str) -> None:
    """What a forger does who knows the receipt: hash and seal anew."""
    receipt = read_record(folder / "fit.json", FitReceipt)
    files = {**receipt.files, name: sha256_file(folder / name)}
    receipt = receipt.model_copy(update={"files": files})
    write_record(folder / "fit.json", receipt.model_copy(update={"seal": receipt.digest}))


def test_a_model_as_it_was_made_is_verified(model: Path) -> None:
    done = CliRunner().invoke(app, ["audit", str(model)])
    assert done.exit_code == 0, done.output
    assert done.output.count("verified") == 4 and "predictions are repeated" in done.output


def test_changed_files_and_receipts_are_failures(model: Path) -> None:
    text = (model / "fit.json").read_text()
    (model / "fit.json").write_text(re.sub(r'"agreement": [\d.]+', '"agreement": 0.5', text))
    assert texts(model) == [("failure", "fit.json: changed since it was written")]
    (model / "fit.json").write_text(text)
    (model / "skipped.csv").write_text("path,reason\n")
    assert texts(model)[0][0] == "verified"
    (model / "skipped.csv").unlink()
    assert texts(model) == [("failure", "skipped.csv: missing")]


def test_a_forged_cluster_is_found_by_predicting_anew(model: Path) -> None:
    lines = (model / "assignments.csv").read_text().splitlines()
    cells = lines[1].split(",")
    lines[1] = ",".join([cells[0], str(1 - int(cells[1])), "0.9", *cells[3:]])
    (model / "assignments.csv").write_text("\n".join(lines) + "\n")
    resealed(model, "assignments.csv")
    said = texts(model)
    assert said[-1][0] == "failure" and "move to another cluster" in said[-1][1]
    assert status(audit(OwnModel(model))) == 1


def test_other_settings_are_a_failure(model: Path) -> None:
    text = (model / "settings.yaml").read_text()
    (model / "settings.yaml").write_text(text.replace("repeats: 4", "repeats: 2"))
    resealed(model, "settings.yaml")
    assert ("failure", "settings.yaml: not the settings of the receipt") in texts(model)


def test_images_that_changed_or_left_since_the_fit(model: Path, fitted: Path) -> None:
    images = fitted.parent / "images"
    victim = sorted(images.rglob("*.png"))[0]
    content = victim.read_bytes()
    try:
        victim.write_bytes(sorted(images.rglob("*.png"))[1].read_bytes())
        assert status(audit(OwnModel(model))) == 3
        victim.write_bytes(content)
        (images / "new.png").write_bytes(content)
        assert "24 then, 25 now" in texts(model)[-1][1]
    finally:
        victim.write_bytes(content)
        (images / "new.png").unlink(missing_ok=True)
    images.rename(fitted.parent / "elsewhere")
    try:
        assert texts(model)[-1][0] == "note" and status(audit(OwnModel(model))) == 0
    finally:
        (fitted.parent / "elsewhere").rename(images)


def test_the_doctor_looks_and_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = {check.name: check for check in doctor(tmp_path)}
    assert set(checks) == {
        "Python", "threads", "memory", "disk", "torch", "bfloat16", "GPU", "snakemake", "dvc",
        "onnx", "tensorboard", "umap-learn", "git", "browser",
    }  # fmt: skip
    assert healthy(list(checks.values())) and "float32" in checks["bfloat16"].text
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [check.level for check in doctor(tmp_path) if check.name == "git"] == ["absent"]
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(room, "_torch", lambda: (_ for _ in ()).throw(ImportError("no torch")))
    failing = {check.name: check.remedy for check in doctor(tmp_path) if check.level == "fails"}
    assert failing == {"disk": "another folder", "torch": "pip install torch torchvision"}
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 1
