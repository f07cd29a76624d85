"""Weights by the release's names: the model answers as the release's network would."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional
from typer.testing import CliRunner

from iic.cli.app import app
from iic.own.audit import audit
from iic.own.decode import decode
from iic.own.errors import OwnDataError
from iic.own.importing import import_released
from iic.own.model import OwnModel
from iic.own.predict import predict
from iic.own.released import read_released
from tests.own.pictures import folder

State = OrderedDict[str, Tensor]
CONVOLUTIONS_10A = ((0, 1), (3, 1), (7, 1), (10, 1), (13, 2), (16, 2))
"""Number of each convolution among the features, and its dilation."""


def norm(state: State, name: str, width: int, tracked: bool) -> None:
    state[f"{name}.weight"] = torch.rand(width) + 0.5
    state[f"{name}.bias"] = torch.randn(width) / 10
    if tracked:
        state[f"{name}.running_mean"] = torch.randn(width) / 10
        state[f"{name}.running_var"] = torch.rand(width) + 0.5


def heads(state: State, names: dict[str, int], features: int) -> None:
    for name, k in names.items():
        for number in range(3):
            state[f"{name}.heads.{number}.0.weight"] = torch.randn(k, features) / features**0.5
            state[f"{name}.heads.{number}.0.bias"] = torch.randn(k) / 10


def net6c(channels: int, tracked: bool, names: dict[str, int]) -> State:
    """A narrow net6c for inputs of 24 pixels."""
    torch.manual_seed(0)
    state: State = OrderedDict()
    for place, width in zip((0, 4, 8, 12), (4, 4, 6, 6), strict=True):
        state[f"trunk.features.{place}.weight"] = torch.randn(width, channels, 5, 5) / 5
        norm(state, f"trunk.features.{place + 1}", width, tracked)
        channels = width
    heads(state, names, 6 * 3 * 3)
    return state


def net5g(channels: int) -> State:
    """A narrow net5g with running statistics."""
    torch.manual_seed(1)
    state: State = OrderedDict()
    state["trunk.conv1.weight"] = torch.randn(4, channels, 3, 3) / 3
    norm(state, "trunk.bn1", 4, True)
    inside = 4
    for stage, (width, blocks) in enumerate(((4, 1), (6, 2), (6, 1), (8, 1)), start=1):
        for block in range(blocks):
            name = f"trunk.layer{stage}.{block}"
            state[f"{name}.conv1.weight"] = torch.randn(width, inside, 3, 3) / 5
            norm(state, f"{name}.bn1", width, True)
            state[f"{name}.conv2.weight"] = torch.randn(width, width, 3, 3) / 5
            norm(state, f"{name}.bn2", width, True)
            if block == 0 and stage > 1:
                state[f"{name}.downsample.0.weight"] = torch.randn(width, inside, 1, 1)
                norm(state, f"{name}.downsample.1", width, True)
            inside = width
    heads(state, {"head_A": 4, "head_B": 2}, 8)
    return state


def net10a(channels: int, tracked: bool = True, sub_heads: int = 1) -> State:
    """A narrow net10a."""
    torch.manual_seed(2)
    state: State = OrderedDict()
    for (place, _), width in zip(CONVOLUTIONS_10A, (4, 4, 6, 6, 8, 8), strict=True):
        state[f"trunk.features.{place}.weight"] = torch.randn(width, channels, 3, 3) / 4
        norm(state, f"trunk.features.{place + 1}", width, tracked)
        channels = width
    for name, k in (("head_A", 5), ("head_B", 3)):
        for number in range(sub_heads):
            state[f"{name}.heads.{number}.0.weight"] = torch.randn(k, 8, 1, 1)
    return state


def normalised(state: State, name: str, x: Tensor) -> Tensor:
    """By running statistics; where there are none, as a training does, which then leaves some."""
    affine = state[f"{name}.weight"], state[f"{name}.bias"]
    if f"{name}.running_mean" in state:
        mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return functional.batch_norm(x, mean, variance, *affine)
    state[f"{name}.running_mean"] = x.mean((0, 2, 3))
    state[f"{name}.running_var"] = x.var((0, 2, 3))
    return functional.batch_norm(x, None, None, *affine, training=True)


def answer_6c(state: State, x: Tensor, head: str) -> Tensor:
    """Probabilities (n, 3, k) by the released network's own arithmetic."""
    for place in (0, 4, 8, 12):
        if place:
            x = functional.max_pool2d(x, 2)
        x = functional.conv2d(x, state[f"trunk.features.{place}.weight"], padding=2)
        x = normalised(state, f"trunk.features.{place + 1}", x).relu()
    return answer_of(state, x.flatten(1), head)


def answer_5g(state: State, x: Tensor, head: str) -> Tensor:
    x = functional.conv2d(x, state["trunk.conv1.weight"], padding=1)
    x = functional.max_pool2d(normalised(state, "trunk.bn1", x).relu(), 2, padding=1)
    for name in [name.removesuffix(".conv1.weight") for name in state if "conv1.weight" in name]:
        if name == "trunk":
            continue
        stride = 2 if f"{name}.downsample.0.weight" in state else 1
        out = functional.conv2d(x, state[f"{name}.conv1.weight"], stride=stride, padding=1)
        out = normalised(state, f"{name}.bn1", out).relu()
        out = functional.conv2d(out, state[f"{name}.conv2.weight"], padding=1)
        out = normalised(state, f"{name}.bn2", out)
        if stride == 2:
            x = functional.conv2d(x, state[f"{name}.downsample.0.weight"], stride=2)
            x = normalised(state, f"{name}.downsample.1", x)
        x = (out + x).relu()
    return answer_of(state, functional.avg_pool2d(x, 3).flatten(1), head)


def answer_10a(state: State, image: np.ndarray, number: int) -> Tensor:
    """Maps (k, H, W) of an image (3, H, W), red first, by the released network's own arithmetic."""
    x = torch.from_numpy(image[::-1].copy())[None] / 255  # as OpenCV reads: blue first
    grey = (x * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    across = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])
    kernels = torch.stack([across, across.T])[:, None]
    x = torch.cat([x, functional.conv2d(grey, kernels, padding=1)], dim=1)
    for place, dilation in CONVOLUTIONS_10A:
        if place == 7:
            x = functional.max_pool2d(x, 2)
        weight = state[f"trunk.features.{place}.weight"]
        x = functional.conv2d(x, weight, padding=1, dilation=dilation)
        x = normalised(state, f"trunk.features.{place + 1}", x).relu()
    x = functional.conv2d(x, state[f"head_B.heads.{number}.0.weight"], padding=1).softmax(1)
    return functional.interpolate(x, image.shape[1:], mode="bilinear", align_corners=False)[0]


def answer_of(state: State, features: Tensor, head: str) -> Tensor:
    linear = (
        functional.linear(
            features, state[f"{head}.heads.{i}.0.weight"], state[f"{head}.heads.{i}.0.bias"]
        )
        for i in range(3)
    )
    return torch.stack([own.softmax(1) for own in linear], dim=1)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("released") / "images", 20)


def seen(model: OwnModel, names: list[str], source: Path) -> Tensor:
    config = model.config
    pixels = [decode((source / name).read_bytes(), config.side) for name in names]
    own = np.stack([np.repeat(one, config.channels, axis=0) for one in pixels])
    return model.network.inputs(own)  # type: ignore[no-any-return]


@pytest.mark.parametrize("case", ["grey", "grey tracked", "grey single", "net5g"])
def test_the_model_answers_as_the_released_network(images: Path, tmp_path: Path, case: str) -> None:
    names = {"head": 3} if case == "grey single" else {"head_A": 5, "head_B": 3}
    state = net5g(2) if case == "net5g" else net6c(1, case == "grey tracked", names)
    file = tmp_path / "weights.pytorch"
    content = {"net": OrderedDict((f"module.{name}", own) for name, own in state.items())}
    old = {"_use_new_zipfile_serialization": False, "pickle_protocol": 2}  # as torch 0.4 wrote
    torch.save(state if case == "grey" else content, file, **old)
    architecture = "net5g" if case == "net5g" else "net6c"
    model = import_released(images, file, architecture, tmp_path / "model", live=False)
    table = predict(model, images).table
    x = seen(model, list(table["path"]), images)
    head = "head" if case == "grey single" else "head_B"
    answer = answer_5g if case == "net5g" else answer_6c
    answer(state, x, head)  # leaves the statistics of all images, where there are none
    own = answer(state, x, head)[:, model.config.sub_head].numpy()
    assert (table["cluster"] == own.argmax(1)).all()
    assert np.allclose(table["probability"], own.max(1), atol=1e-5)
    assert [one.level for one in audit(model)] == ["verified"] * 4
    assert model.config.k == (2 if case == "net5g" else 3)


@pytest.mark.parametrize("sub_heads", [1, 2])
def test_the_model_segments_as_the_released_network(
    images: Path, tmp_path: Path, sub_heads: int
) -> None:
    state = net10a(5, sub_heads=sub_heads)
    file, out = tmp_path / "weights.pytorch", tmp_path / "model"
    torch.save({f"module.{name}": own for name, own in state.items()}, file)
    arguments = ["import-released", str(file), str(images), "--arch", "net10a", "--size", "26"]
    run = CliRunner().invoke
    done = run(app, [*arguments, "--out", str(out)])
    assert done.exit_code in (0, 3), done.output
    model = OwnModel(out)
    assert model.segments and model.config.k == 3 and len(model.config.alignment) == sub_heads
    image = np.random.default_rng(0).integers(0, 256, (3, 40, 31), dtype=np.uint8)
    own = model.map_network.probabilities(image)
    for number in range(sub_heads):
        released = answer_10a(state, image, number)
        torch.testing.assert_close(own[number], released, rtol=1e-4, atol=1e-5)
    if sub_heads > 1:
        return
    assert [one.level for one in audit(model)] == ["verified"] * 4
    assert run(app, ["predict", str(out), str(images), "--out", str(tmp_path / "s")]).exit_code == 0
    assert len(list((tmp_path / "s" / "labels").iterdir())) == 20
    assert "net10a" in (out / "README.md").read_text()


def test_weights_that_are_missing_or_of_another_shape(images: Path, tmp_path: Path) -> None:
    """Whatever is left out or cut, the error names the file, and nothing is left behind."""
    file, out = tmp_path / "weights.pytorch", tmp_path / "model"
    states = {
        "net6c": net6c(1, False, {"head_A": 5, "head_B": 3}),
        "net5g": net5g(2),
        "net10a": net10a(5, sub_heads=2),
    }
    for architecture, state in states.items():
        names = [*list(state)[:6], *list(state)[-3:]]
        for name in names:
            for changed in (
                {key: own for key, own in state.items() if key != name},
                {**state, name: state[name][1:]},
                {**state, name: state[name][..., None]},
            ):
                torch.save(changed, file)
                with pytest.raises(OwnDataError, match=r"weights\.pytorch"):
                    import_released(images, file, architecture, out, side=32, live=False)  # type: ignore[arg-type]
                assert not out.exists()
    untold = [
        (net10a(5, tracked=False), {}, "kept no statistics"),
        (net10a(4), {}, "sees? 4 channels, such as infrared"),
        (net10a(5), {"crop": 20}, "leave it out"),
        (net10a(5), {"input_size": 64}, "larger than images of 32"),
    ]
    for state, options, reason in untold:
        torch.save(state, file)
        with pytest.raises(OwnDataError, match=reason):
            import_released(images, file, "net10a", out, side=32, live=False, **options)  # type: ignore[arg-type]


def test_files_that_are_no_such_weights(images: Path, tmp_path: Path) -> None:
    file = tmp_path / "weights.pytorch"
    good = net6c(1, False, {"head_A": 5, "head_B": 3})
    finetuned = {**good, "head_B.head.weight": torch.zeros(3, 54)}
    headless = {name: own for name, own in good.items() if not name.startswith("head")}
    cases = [
        ({"net": {"a": 1}}, "net6c", "no state dict"),
        (object(), "net6c", "no weights that can be read"),
        (good, "net5g", r"trunk\.features\.0\.weight: no weights of a clustering net5g"),
        (net5g(2), "net6c", "no weights of a clustering net6c"),
        (finetuned, "net6c", r"head_B\.head\.weight: no weights"),
        (headless, "net6c", r"heads \[\]"),
    ]
    for content, architecture, reason in cases:
        torch.save(content, file)
        with pytest.raises(OwnDataError, match=reason):
            read_released(file, architecture)  # type: ignore[arg-type]
    file.write_bytes(b"no file of torch")
    arguments = ["import-released", str(file), str(images), "--out", str(tmp_path / "model")]
    run = CliRunner().invoke
    for arch, reason in (
        ("net6c", "no weights that can be read"),
        ("vgg", "allowed: net5g, net6c, net10a"),
    ):
        said = run(app, [*arguments, "--arch", arch])
        assert isinstance(said.exception, OwnDataError) and reason in str(said.exception)
    torch.save(good, file)
    with pytest.raises(OwnDataError, match="no input of 64"):
        import_released(images, file, "net6c", tmp_path / "model", input_size=64, live=False)
    assert not (tmp_path / "model").exists()
