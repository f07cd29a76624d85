"""A model that leaves: programs of torch and ONNX give the answers of `predict`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from iic.own.choice import Wishes
from iic.own.errors import ModelError
from iic.own.extras import MissingExtra
from iic.own.fit import fit
from iic.own.model import FitRequest, OwnModel
from iic.own.portable import export_onnx, export_torch
from tests.own.pictures import shapes
from tests.quick import first_quick

QUICK = Wishes(epochs=1, threads=1, sub_heads=2, width=0.125, seeds=1, precision="float32")
ONNX = all(map(find_spec, ("onnx", "onnxruntime", "onnxscript")))
KINDS = ("grey", "features", "sobel", "rgb")
READER = """
import sys
import numpy as np, torch
sys.modules["iic"] = None
for kind in sys.argv[1:]:
    program, points = torch.export.load(kind + ".pt2").module(), np.load(kind + ".npy")
    for size in (1, 7):
        said = program(torch.from_numpy(points[:size])).detach().numpy()
        np.save(f"{kind}{size}.npy", said)
"""


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], OwnModel]:
    """Gives a model of a kind; beside it, in ``KIND.npy``, `answers` puts what programs take."""
    path = tmp_path_factory.mktemp("portable")
    draw = np.random.default_rng(0)
    np.save(path / "images.npy", shapes(12)[0])
    np.save(path / "colour_images.npy", draw.integers(0, 256, (12, 30, 30, 3)).astype(np.uint8))
    np.save(path / "rows.npy", draw.normal(size=(12, 5)).astype(np.float32))
    return cache(lambda kind: _fitted(path, kind))


def _fitted(path: Path, kind: str) -> OwnModel:
    coloured = kind in ("sobel", "rgb")
    wishes = QUICK.model_copy(update={"sobel": kind == "sobel" if coloured else None})
    source = path / ("colour_images.npy" if coloured else "images.npy")
    features = str(path / "rows.npy") if kind == "features" else None
    request = FitRequest(source=str(source), k=2, minutes=1, wishes=wishes, features=features)
    return fit(request, path / kind, live=False)


def answers(model: OwnModel, kind: str) -> np.ndarray:
    """What the model says of seven points; ``KIND.npy`` is written as its programs take them."""
    side, channels = model.config.side, model.config.channels
    if kind == "features":
        given = points = np.load(model.folder.parent / "rows.npy")[:7]
    else:
        draw = np.random.default_rng(1)
        points = draw.integers(0, 256, (7, channels, side, side)).astype(np.uint8)
        given = points.astype(np.float32) / 255
    np.save(model.folder.parent / f"{kind}.npy", given)
    return model.network.probabilities(points)[:, model.config.sub_head]


@pytest.mark.parametrize("kinds", first_quick([["grey", "features"], ["sobel", "rgb"]]))
def test_torch_gives_the_same_answers_without_this_package(
    fitted: Callable[[str], OwnModel], kinds: list[str]
) -> None:
    expected = {kind: answers(fitted(kind), kind) for kind in kinds}
    path = fitted(kinds[0]).folder.parent
    for kind in kinds:
        export_torch(fitted(kind), path / f"{kind}.pt2")
    subprocess.run([sys.executable, "-c", READER, *kinds], cwd=path, check=True)
    for kind, said in expected.items():
        for size in (1, 7):
            assert np.abs(np.load(path / f"{kind}{size}.npy") - said[:size]).max() < 1e-4
    with pytest.raises(ModelError, match=r"allowed: a name in \.pt2"):
        export_torch(fitted(kinds[0]), path / "model.onnx")


@pytest.mark.skipif(not ONNX, reason="onnx, onnxscript or onnxruntime is not installed")
def test_onnxruntime_gives_the_same_answers(fitted: Callable[[str], OwnModel]) -> None:
    import onnxruntime

    for kind in KINDS:
        model = fitted(kind)
        said, path = answers(model, kind), model.folder.parent / f"{kind}.onnx"
        export_onnx(model, path)
        session = onnxruntime.InferenceSession(path)
        points = np.load(path.with_suffix(".npy"))
        for size in (1, 7):
            (own,) = session.run(["probabilities"], {"points": points[:size]})
            assert np.abs(own - said[:size]).max() < 1e-4


def test_onnx_is_an_extra(
    fitted: Callable[[str], OwnModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtra, match=r"pip install 'iic\[onnx\]'"):
        export_onnx(fitted("grey"), tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"allowed: a name in \.onnx"):
        export_onnx(fitted("grey"), tmp_path / "model.pt2")
    assert not list(tmp_path.iterdir())
