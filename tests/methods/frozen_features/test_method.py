"""k-means on features of a file, or of a model whose weights are in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torchvision.models import get_model
from torchvision.transforms.v2 import functional as tv

from iic.data.in_memory import in_memory
from iic.engine.context import RunContext
from iic.evaluate.metrics import accuracy_per_sub_head
from iic.methods.frozen_features.features import features_of
from iic.methods.frozen_features.method import Settings, train
from iic.params.datasets import find_dataset
from iic.params.errors import IICError
from iic.params.loading import validate
from iic.records.files import sha256_file
from iic.records.paths import RunPaths
from tests.methods.imc_swav.imc_helpers import CLASSES, images

SPLITS = {"train": 30, "test": 20}


def context(folder: Path, **settings: Any) -> RunContext[Any]:
    pixels, labels = images(50)
    settings = {"k": CLASSES, "evaluation": {"mapping": ["test"], "test": ["test"]}} | settings
    return RunContext(
        data=in_memory(pixels, labels, CLASSES, SPLITS),
        classes=CLASSES,
        settings=validate(Settings, settings, "tests", "settings"),
        seed=0,
        paths=RunPaths("test", "stripes/frozen_features", 0),
        fingerprint="f" * 64,
        root=folder,
        live=False,
    )


def file(path: Path, **more: Any) -> dict[str, Any]:
    return {"path": path.name, "sha256": sha256_file(path)} | more


def telling() -> np.ndarray:
    """Features that are the classes, with a little noise and any length."""
    random = np.random.default_rng(0)
    lengths = random.uniform(1, 50, (50, 1))
    return (np.eye(8)[images(50)[1]] + random.normal(0, 0.05, (50, 8))) * lengths


@pytest.mark.parametrize("kind", ["npy", "safetensors"])
def test_features_of_a_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"features.{kind}"
    if kind == "npy":
        np.save(path, telling())
    else:
        save_file({"other": np.zeros((2, 2)), "dino": telling()}, path)
    named = {} if kind == "npy" else {"tensor": "dino"}
    outcome = train(context(tmp_path, features=file(path, **named)))
    assert outcome.last.clusters.shape == (20, 1)
    labels = images(50)[1][30:]
    assert accuracy_per_sub_head(outcome.last.clusters, labels, CLASSES, CLASSES).tolist() == [100]
    # their lengths differ by more than their directions
    raw = train(context(tmp_path, features=file(path, **named), normalise=False))
    assert accuracy_per_sub_head(raw.last.clusters, labels, CLASSES, CLASSES)[0] < 100


def test_features_of_a_model_are_what_its_last_layer_takes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = get_model("resnet18", weights=None).eval()
    path = tmp_path / "weights.pth"
    torch.save(model.state_dict(), path)
    found = features_of(
        context(tmp_path, weights=file(path, model="resnet18", input_size=32, batch=7))
    )
    taken: list[torch.Tensor] = []
    model.fc.register_forward_pre_hook(lambda module, inputs: taken.append(inputs[0]))
    pixels = torch.from_numpy(images(50)[0][30:]).float() / 255
    whole = tv.resize(pixels, [32, 32], antialias=True)
    with torch.no_grad():
        model(tv.normalize(whole, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    np.testing.assert_allclose(found, taken[0].numpy(), rtol=1e-3, atol=1e-4)
    assert found.shape == (20, 512)


def broken(folder: Path, name: str) -> dict[str, Any]:
    """A file of features with one fault."""
    path = folder / "features.npy"
    values = telling()
    if name == "rows":
        values = values[:49]
    elif name == "flat":
        values = values[:, 0]
    elif name == "narrow":
        values = values[:, :0]
    elif name == "whole":
        np.save(path, values.astype(np.int64))
        return file(path)
    elif name == "whole_tensor":
        path = folder / "features.safetensors"
        save_file({"a": values.astype(np.int64)}, path)
        return file(path)
    elif name == "several":
        with path.open("wb") as stream:
            np.savez(stream, a=values, b=values)
        return file(path)
    elif name == "infinite":
        values[31, 2] = np.inf
    elif name == "tensors":
        path = folder / "features.safetensors"
        save_file({"a": values, "b": values}, path)
        return file(path)
    elif name in ("damaged", "empty"):
        path.write_bytes(b"no array" if name == "damaged" else b"")
        return file(path)
    np.save(path, values)
    return file(path, **({"sha256": "0" * 64} if name == "another" else {}))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (
            "rows",
            r"features\.npy: float64 of shape \(49, 8\), but in_memory has 50 images: expected",
        ),
        ("flat", r"of shape \(50,\), but in_memory has 50 images"),
        ("narrow", r"of shape \(50, 0\), but in_memory has 50 images"),
        ("whole", r"int64 of shape \(50, 8\)"),
        ("whole_tensor", r"int64 of shape \(50, 8\)"),
        ("several", r"features\.npy: no features"),
        ("empty", r"features\.npy: no features"),
        ("infinite", r"image 31 are not finite \(1 of 20 images\)"),
        ("tensors", r"features\.tensor: None, but it has a, b"),
        ("damaged", r"features\.npy: no features"),
        ("another", r"(?s)its SHA-256 is .*remedy"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, name: str, problem: str) -> None:
    with pytest.raises(IICError, match=problem):
        train(context(tmp_path, features=broken(tmp_path, name)))


def test_a_missing_file_another_model_and_a_pickle_are_refused(tmp_path: Path) -> None:
    absent = {"path": "absent.npy", "sha256": "0" * 64}
    with pytest.raises(IICError, match=r"absent\.npy: missing, and features\.path"):
        train(context(tmp_path, features=absent))
    path = tmp_path / "weights.pth"
    torch.save(get_model("resnet18", weights=None).state_dict(), path)
    with pytest.raises(IICError, match="not the weights of resnet34"):
        train(context(tmp_path, weights=file(path, model="resnet34", input_size=32)))
    with pytest.raises(IICError, match="no image model 'dino'"):
        train(context(tmp_path, weights=file(path, model="dino", input_size=32)))
    torch.save(Path("anything"), path)
    with pytest.raises(IICError, match="no weights"):
        train(context(tmp_path, weights=file(path, model="resnet18", input_size=32)))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"features": None}, "features"),
        ({"features": {"path": "a.csv", "sha256": "0" * 64}}, "features.path"),
        ({"k": 9}, "k"),
    ],
)
def test_settings_that_do_not_fit(changes: dict[str, Any], key: str) -> None:
    given = {"k": 10, "features": {"path": "a.npy", "sha256": "0" * 64}} | changes
    settings = validate(Settings, given, "tests", "settings")
    assert key in [problem.key for problem in settings.problems(find_dataset("cifar10"))]
