"""DINOv2's vision transformers, from the checkpoints that torch.hub names for them.

A block of DINOv2 is one of torchvision's whose two branches are scaled, channel by channel, before
they are added. The scales are multiplied into the last layer of each branch, so torchvision's
transformer gives the same features. Register tokens are further class tokens without a position.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.models import VisionTransformer

from iic.own.errors import OwnDataError
from iic.params.escaping import quoted

WIDTHS = {"dinov2_vits14": 384, "dinov2_vitb14": 768, "dinov2_vitl14": 1024}
"""Name -> features of an image; each comes with registers too, under a name that ends in _reg."""
REGISTERS = "_reg"
PATCH, HEAD = 14, 64
"""Side of a patch in pixels, and channels of an attention head."""
OFFSET = 0.1
"""Added to the patches of a side where positions are stretched; without registers alone."""
BLOCK = re.compile(r"blocks\.(\d+)\.(.+)")
PARTS = {
    "norm1": "ln_1",
    "attn.qkv": "self_attention.in_proj",
    "attn.proj": "self_attention.out_proj",
    "norm2": "ln_2",
    "mlp.fc1": "mlp.0",
    "mlp.fc2": "mlp.3",
}
"""Layer of a block there -> here."""
SCALES = {"attn.proj": "ls1", "mlp.fc2": "ls2"}
"""Last layer of a branch -> what scales it."""
State = dict[str, Tensor]


def is_dinov2(name: str) -> bool:
    """Whether a model's name is one of DINOv2's."""
    return name.removesuffix(REGISTERS) in WIDTHS


def dinov2(name: str, path: Path, input_size: int) -> nn.Module:
    """A model that gives the normalised class token of images (n, 3, S, S), (n, d).

    Args:
        name: As torch.hub calls it.
        path: Its checkpoint, .pth or .safetensors; nothing in it is run.
        input_size: Side S in pixels, a multiple of 14.

    Raises:
        OwnDataError: The file is no checkpoint, or another model's.
    """
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes may lead a reader anywhere
        raise OwnDataError(f"{path}: no weights: {quoted(error)}") from None
    try:
        width = state["cls_token"].shape[-1]
        if width != WIDTHS[name.removesuffix(REGISTERS)]:
            raise ValueError(f"{width} features of an image")
        if ("register_tokens" in state) != name.endswith(REGISTERS):
            raise ValueError("register tokens, or none")
        return _built(state, width, input_size)
    except (LookupError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        reason = quoted(" ".join(str(error).split())[:200])
        raise OwnDataError(
            f"{path}: not the weights of {name}: {reason}\n"
            f"  remedy: another --backbone, or the checkpoint that torch.hub names for {name}"
        ) from None


def _built(state: State, width: int, input_size: int) -> nn.Module:
    model: nn.Module = VisionTransformer(
        image_size=input_size,
        patch_size=PATCH,
        num_layers=1 + max(int(match[1]) for match in map(BLOCK.fullmatch, state) if match),
        num_heads=width // HEAD,
        hidden_dim=width,
        mlp_dim=state["blocks.0.mlp.fc1.bias"].shape[0],
    )
    model.heads = nn.Identity()
    registers = state.get("register_tokens", torch.zeros(1, 0, width))
    tokens = {
        "class_token": torch.cat([state["cls_token"], registers], dim=1),
        "encoder.pos_embedding": _positions(state, input_size // PATCH, registers.shape[1]),
    }
    model.class_token = nn.Parameter(tokens["class_token"])
    model.get_submodule("encoder").pos_embedding = nn.Parameter(tokens["encoder.pos_embedding"])
    model.load_state_dict({**_layers(state), **tokens})
    return model


def _positions(state: State, side: int, registers: int) -> Tensor:
    """Positions of the tokens for `side` patches a side; registers have none."""
    given = state["pos_embed"].float()
    patches = given[:, 1:]
    trained = round(patches.shape[1] ** 0.5)
    if trained != side:
        square = patches.reshape(1, trained, trained, -1).permute(0, 3, 1, 2)
        # as DINOv2's own code stretches them
        if registers:
            square = interpolate(square, [side, side], mode="bicubic", antialias=True)
        else:
            factor = (side + OFFSET) / trained
            square = interpolate(square, scale_factor=(factor, factor), mode="bicubic")
        patches = square.flatten(2).transpose(1, 2)
    return torch.cat([given[:, :1], given.new_zeros(1, registers, given.shape[2]), patches], dim=1)


def _layers(state: State) -> State:
    """Weights of all layers by torchvision's names."""
    named = {
        "conv_proj.weight": state["patch_embed.proj.weight"],
        "conv_proj.bias": state["patch_embed.proj.bias"],
        "encoder.ln.weight": state["norm.weight"],
        "encoder.ln.bias": state["norm.bias"],
    }
    for name, tensor in state.items():
        match = BLOCK.fullmatch(name)
        if match is None or match[2].endswith(".gamma"):
            continue
        layer, _, kind = match[2].rpartition(".")
        if layer in SCALES:
            scale = state[f"blocks.{match[1]}.{SCALES[layer]}.gamma"]
            tensor = scale[:, None] * tensor if tensor.ndim == 2 else scale * tensor
        joint = "_" if layer == "attn.qkv" else "."
        named[f"encoder.layers.encoder_layer_{match[1]}.{PARTS[layer]}{joint}{kind}"] = tensor
    return named
