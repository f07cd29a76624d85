"""A model that leaves: torch.export's program gives the answers of `predict`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from iic.own.choice import Wishes
from iic.own.errors import ModelError
from iic.own.fit import fit
from iic.own.model import FitRequest
from iic.own.portable import export_model
from tests.own.pictures import shapes

QUICK = Wishes(epochs=2, threads=1, sub_heads=2, width=0.125, seeds=1, precision="float32")
READER = """
import sys
import numpy as np, torch
sys.modules["iic"] = None
program = torch.export.load("model.pt2").module()
for size in (1, 7):
    np.save(f"{size}.npy", program(torch.from_numpy(np.load("in.npy")[:size])).detach().numpy())
"""


@pytest.mark.parametrize("kind", ["grey", "sobel", "rgb", "features"])
def test_the_program_gives_the_same_answers(tmp_path: Path, kind: str) -> None:
    draw = np.random.default_rng(0)
    colour = draw.integers(0, 256, (12, 30, 30, 3)).astype(np.uint8)
    np.save(tmp_path / "a.npy", shapes(12)[0] if kind in ("grey", "features") else colour)
    np.save(tmp_path / "f.npy", draw.normal(size=(12, 5)).astype(np.float32))
    wishes = QUICK.model_copy(
        update={"sobel": None if kind in ("grey", "features") else kind == "sobel"}
    )
    request = FitRequest(
        source=str(tmp_path / "a.npy"),
        k=2,
        minutes=1,
        wishes=wishes,
        features=str(tmp_path / "f.npy") if kind == "features" else None,
    )
    model = fit(request, tmp_path / "model", live=False)
    export_model(model, tmp_path / "model.pt2")
    side, channels = model.config.side, model.config.channels
    pixels = draw.integers(0, 256, (7, channels, side, side)).astype(np.uint8)
    points = np.load(tmp_path / "f.npy")[:7] if kind == "features" else pixels
    np.save(tmp_path / "in.npy", points if kind == "features" else pixels.astype(np.float32) / 255)
    subprocess.run([sys.executable, "-c", READER], cwd=tmp_path, check=True)
    expected = model.network.probabilities(points)[:, model.config.sub_head]
    assert np.allclose(np.load(tmp_path / "7.npy"), expected, atol=1e-4)
    assert np.allclose(np.load(tmp_path / "1.npy"), expected[:1], atol=1e-4)
    with pytest.raises(ModelError, match=r"\.pt2"):
        export_model(model, tmp_path / "model.onnx")
