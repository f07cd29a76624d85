"""Features by a model of torchvision from a local file, and clusters of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.models import get_model
from torchvision.transforms.v2.functional import normalize
from typer.testing import CliRunner

from iic.cli.app import app
from iic.own import backbones, dinov2
from iic.own.audit import audit
from iic.own.backbones import backbone_of, computed
from iic.own.choice import Wishes
from iic.own.decode import decode
from iic.own.errors import OwnDataError
from iic.own.fit import fit
from iic.own.model import FitRequest
from iic.own.predict import predict
from iic.own.sources import listing
from iic.params.errors import IICError
from tests.own.pictures import folder
from tests.quick import first_quick

WIDTHS = {"resnet18": 512, "convnext_tiny": 768, "vit_b_32": 768}


def weights(path: Path, name: str) -> Path:
    """Random ones, as torchvision's files hold them."""
    torch.manual_seed(0)
    torch.save(get_model(name, weights=None).state_dict(), path / "weights.pth")
    return path / "weights.pth"


@pytest.mark.parametrize("name", first_quick(WIDTHS))
def test_a_model_of_a_backbones_features(tmp_path: Path, name: str) -> None:
    source = folder(tmp_path / "images", 12)
    (source / "notes.txt").write_text("no image")
    file = weights(tmp_path, name)
    backbone = backbone_of(name, file).model_copy(update={"input_size": 64})
    if name == "vit_b_32":  # which takes one size only
        backbone = backbone_of(name, file)
    wishes = Wishes(epochs=20, threads=1, sub_heads=2, seeds=1)
    request = FitRequest(source=str(source), k=2, minutes=1, wishes=wishes, backbone=backbone)
    model = fit(request, tmp_path / "model", live=False)
    assert model.config.settings.dimensions == WIDTHS[name]
    fitted = pd.read_csv(model.folder / "assignments.csv").set_index("path")
    said = predict(model, source)
    assert [one.name for one in said.skipped] == ["notes.txt"]
    together = said.table.set_index("path")
    assert (together["cluster"] == fitted["cluster"]).all()
    assert np.allclose(together["probability"], fitted["probability"], atol=1e-5)
    alone = predict(model, source / together.index[5]).table.iloc[0]
    assert alone["probability"] == pytest.approx(together["probability"].iloc[5], abs=1e-5)
    assert [one.level for one in audit(model)] == ["verified"] * 4
    file.rename(tmp_path / "moved.pth")
    assert [one.level for one in audit(model)][-1] == "note"
    with pytest.raises(OwnDataError, match="cannot be read"):
        predict(model, source)
    again = predict(model, source, weights=tmp_path / "moved.pth").table
    assert again.equals(said.table)
    with pytest.raises(OwnDataError, match="others than at the fit"):
        predict(model, source, weights=source / "notes.txt")


def test_rows_are_the_models_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = folder(tmp_path / "images", 5)
    file = weights(tmp_path, "resnet18")
    backbone = backbone_of("resnet18", file).model_copy(update={"input_size": 64})
    items = listing(source).items
    monkeypatch.setattr(backbones, "BATCH", 2)
    digests = [item.name for item in items]
    rows = computed(backbone, items, digests, tmp_path / "parts")
    model = get_model("resnet18", weights=None)
    model.load_state_dict(torch.load(file, weights_only=True))
    model.fc = torch.nn.Identity()
    pixels = np.stack([np.repeat(decode(item.read(), 64), 3, axis=0) for item in items])
    x = normalize(torch.from_numpy(pixels) / 255, [*backbone.mean], [*backbone.deviation])
    with torch.no_grad():
        expected = model.eval()(x).numpy()
    assert np.allclose(rows, expected, atol=1e-4)
    parts = sorted((tmp_path / "parts").iterdir())
    assert len(parts) == 3
    monkeypatch.setattr(backbones.FrozenBackbone, "rows", None)  # nothing is computed again
    assert np.array_equal(computed(backbone, items, digests, tmp_path / "parts"), rows)


def checkpoint(width: int, blocks: int, registers: int) -> dict[str, Tensor]:
    """A narrow DINOv2 under the names of its checkpoints, for images of 42 pixels."""
    draw = torch.Generator().manual_seed(0)

    def tensor(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw) / shape[-1] ** 0.5

    state = {"cls_token": tensor(1, 1, width), "pos_embed": tensor(1, 10, width)}
    state["mask_token"] = tensor(1, width)
    state["patch_embed.proj.weight"] = tensor(width, 3, 14, 14)
    state["patch_embed.proj.bias"] = tensor(width)
    if registers:
        state["register_tokens"] = tensor(1, registers, width)
    sizes = {"attn.qkv": (3, 1), "attn.proj": (1, 1), "mlp.fc1": (4, 1), "mlp.fc2": (1, 4)}
    for block in (f"blocks.{number}" for number in range(blocks)):
        for name, (out, inside) in sizes.items():
            state[f"{block}.{name}.weight"] = tensor(out * width, inside * width)
            state[f"{block}.{name}.bias"] = tensor(out * width)
        for name in ("norm1", "norm2"):
            state[f"{block}.{name}.weight"] = tensor(width) + 1
            state[f"{block}.{name}.bias"] = tensor(width)
        for name in ("ls1", "ls2"):
            state[f"{block}.{name}.gamma"] = tensor(width) + 0.5
    return {**state, "norm.weight": tensor(width) + 1, "norm.bias": tensor(width)}


def class_tokens(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """Normalised class tokens of images (n, 3, 42, 42) by DINOv2's own arithmetic."""
    width = state["cls_token"].shape[2]

    def linear(x: Tensor, name: str) -> Tensor:
        return functional.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    def norm(x: Tensor, name: str) -> Tensor:
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        return functional.layer_norm(x, (width,), weight, bias, 1e-6)

    patches = functional.conv2d(
        x, state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], stride=14
    )
    x = torch.cat([state["cls_token"].expand(len(x), 1, -1), patches.flatten(2).mT], 1)
    x = x + state["pos_embed"]
    if "register_tokens" in state:
        registers = state["register_tokens"].expand(len(x), -1, -1)
        x = torch.cat([x[:, :1], registers, x[:, 1:]], 1)
    for block in (f"blocks.{number}" for number in range(2)):
        heads = linear(norm(x, f"{block}.norm1"), f"{block}.attn.qkv")
        q, k, v = heads.unflatten(2, (3, width // 64, 64)).permute(2, 0, 3, 1, 4)
        attended = ((q @ k.mT) / 8).softmax(-1) @ v
        branch = linear(attended.transpose(1, 2).flatten(2), f"{block}.attn.proj")
        x = x + state[f"{block}.ls1.gamma"] * branch
        hidden = functional.gelu(linear(norm(x, f"{block}.norm2"), f"{block}.mlp.fc1"))
        x = x + state[f"{block}.ls2.gamma"] * linear(hidden, f"{block}.mlp.fc2")
    return norm(x, "norm")[:, 0]


@pytest.mark.parametrize("registers", [0, 4])
def test_dinov2_by_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registers: int
) -> None:
    monkeypatch.setitem(dinov2.WIDTHS, "dinov2_vits14", 128)
    state = checkpoint(128, 2, registers)
    name, file = "dinov2_vits14" + ("_reg" if registers else ""), tmp_path / "dinov2.pth"
    torch.save(state, file)
    x = torch.randn(2, 3, 42, 42)
    with torch.no_grad():
        own = dinov2.dinov2(name, file, 42).eval()(x)
        assert dinov2.dinov2(name, file, 28).eval()(x[..., :28, :28]).shape == (2, 128)
    torch.testing.assert_close(own, class_tokens(state, x), rtol=1e-4, atol=1e-4)
    backbone = backbone_of(name, file).model_copy(update={"input_size": 42})
    items = listing(folder(tmp_path / "images", 2)).items
    assert computed(backbone, items, ["a", "b"], tmp_path / "parts").shape == (2, 128)
    wrong = [
        {key: value for key, value in state.items() if key != "blocks.1.ls1.gamma"},
        {**state, "blocks.0.mlp.w12.weight": torch.zeros(2, 2)},
        {**state, "norm.bias": torch.zeros(3)},
        checkpoint(128, 2, 4 - registers),
        checkpoint(64, 1, registers),
        ["no", "mapping"],
    ]
    for content in wrong:
        torch.save(content, file)
        with pytest.raises(OwnDataError, match=f"not the weights of {name}"):
            dinov2.dinov2(name, file, 42)


def test_what_is_refused(tmp_path: Path) -> None:
    source = folder(tmp_path / "images", 5)
    (tmp_path / "weights.pth").write_bytes(b"none")
    base = ["fit", str(source), "--k", "2", "--out", str(tmp_path / "model"), "--minutes", "1"]
    file = str(tmp_path / "weights.pth")
    np.save(tmp_path / "a.npy", np.zeros((5, 2)))
    cases = [
        (["--backbone", "resnet18"], "need each other"),
        (["--backbone", "resnet18", "--weights", str(tmp_path / "none")], "cannot be read"),
        (["--backbone", "resnet18", "--weights", file], "no weights"),
        (["--backbone", "dinov2", "--weights", file], "no image model 'dinov2'"),
        (["--backbone", "dinov2_vitb14", "--weights", file], "no weights"),
        (
            ["--backbone", "vit_b_16", "--weights", file, "--features", str(tmp_path / "a.npy")],
            "exclude each other",
        ),
    ]
    for options, reason in cases:
        said = CliRunner().invoke(app, [*base, *options])
        assert isinstance(said.exception, IICError) and reason in str(said.exception)
    assert not (tmp_path / "model").exists()
