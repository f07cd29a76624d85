"""Weights of the authors' release under this package's names.

A file of the release is a state dict of torch 0.4 (docs/spec/released_code.md#names-of-weights).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from iic.own.errors import OwnDataError
from iic.params.escaping import quoted
from iic.params.networks import NetworkSettings
from iic.params.segmentation import SegmentationNetworkSettings

Tensors = dict[str, NDArray[Any]]
Architecture = Literal["net5g", "net6c", "net10a"]
HEAD = re.compile(r"head(?:_([AB]))?\.heads\.(\d+)\.0\.(weight|bias)")
"""Head, sub-head and tensor; networks with a single head name it ``head``."""
TRUNKS: dict[Architecture, tuple[tuple[str, str], ...]] = {
    "net10a": ((r"trunk\.features\.(.+)", r"trunk.layers.\1"),),
    "net6c": ((r"trunk\.features\.(.+)", r"trunk.layers.\1"),),
    "net5g": (
        (r"trunk\.conv1\.(.+)", r"trunk.stem.0.\1"),
        (r"trunk\.bn1\.(.+)", r"trunk.stem.1.\1"),
        (r"trunk\.layer(\d)\.(\d+)\.downsample\.(.+)", r"trunk.stages.\1.\2.shortcut.\3"),
        (r"trunk\.layer(\d)\.(.+)", r"trunk.stages.\1.\2"),
    ),
}
"""Names of the release -> names here; stages are counted from 1 there, from 0 here."""
LAYERS: dict[Architecture, tuple[str, tuple[str, ...]]] = {
    "net5g": ("linear", ("weight", "bias")),
    "net6c": ("linear", ("weight", "bias")),
    "net10a": ("convolution", ("weight",)),
}
"""Name of a head's layer here, and its tensors."""
STAGE = re.compile(r"(?<=trunk\.stages\.)\d")
INPUTS_6C = {3: 24, 8: 64}
"""Side of the last map of net6c -> side of its input."""


@dataclass(frozen=True)
class Released:
    """A network of the release.

    Args:
        source: What to call the weights in errors.
        architecture: Name in the released code.
        tensors: By the names of `iic.networks`.
        clusters: k of each head; a network of one head has it under both names.
        sub_heads: Of each head.
        tracked: Whether BatchNorm kept running statistics.
    """

    source: str
    architecture: Architecture
    tensors: Tensors
    clusters: dict[str, int]
    sub_heads: int
    tracked: bool

    @property
    def segments(self) -> bool:
        """Whether it gives clusters to pixels."""
        return self.architecture == "net10a"

    @property
    def in_channels(self) -> int:
        """Channels that it sees."""
        return int(self.tensors[self._convolutions()[0]].shape[1])

    def load_into(self, network: nn.Module) -> None:
        """Give a network these weights.

        Raises:
            OwnDataError: Some are missing, or of another shape.
        """
        with self.complete():
            network.load_state_dict(
                {name: torch.from_numpy(np.array(own)) for name, own in self.tensors.items()}
            )

    @contextmanager
    def complete(self) -> Iterator[None]:
        """While settings or a network are made of the weights.

        Raises:
            OwnDataError: Weights are missing, or of another shape.
        """
        try:
            yield
        except (LookupError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise OwnDataError(
                f"{self.source}: not all weights of a {self.architecture}: {quoted(reason[:300])}"
            ) from None

    def map_network(self, input_size: int) -> SegmentationNetworkSettings:
        """Settings that build net10a, for crops of a side in pixels."""
        first, second, third, _, last, _ = (
            self.tensors[name].shape[0] for name in self._convolutions()
        )
        return SegmentationNetworkSettings(
            input_size=input_size,
            in_channels=self.in_channels,
            channels=(first, second, third, last),
        )

    def network(self, input_size: int | None) -> NetworkSettings:
        """Settings that build net5g or net6c.

        Args:
            input_size: Side of its input in pixels; net5g alone can be asked for another one than
                the release had for such images.

        Raises:
            OwnDataError: The weights are for another side.
        """
        if self.architecture == "net5g":
            stages = self._stages()
            widths = tuple(
                self.tensors[f"trunk.stages.{stage}.0.conv1.weight"].shape[0]
                for stage in range(len(stages))
            )
            return NetworkSettings(
                family="A",
                input_size=input_size or 32,
                in_channels=self.in_channels,
                channels=widths,
                blocks=stages,
                batchnorm_running_statistics=self.tracked,
            )
        convolutions = self._convolutions()
        widths = tuple(self.tensors[name].shape[0] for name in convolutions)
        features = self.tensors["heads.B.linear.weight"].shape[1]
        side = round((features / widths[-1]) ** 0.5)
        own = INPUTS_6C.get(side)
        if own is None or side * side * widths[-1] != features or input_size not in (None, own):
            raise OwnDataError(
                f"net6c with {features} features of an image: no input of {input_size or 'any'} "
                f"pixels\n  allowed: {own or ' or '.join(map(str, INPUTS_6C.values()))}"
            )
        return NetworkSettings(
            family="B",
            input_size=own,
            in_channels=self.in_channels,
            channels=widths,
            batchnorm_running_statistics=self.tracked,
        )

    def _convolutions(self) -> list[str]:
        return [
            name
            for name, array in self.tensors.items()
            if array.ndim == 4 and name.startswith("trunk.")
        ]

    def _stages(self) -> tuple[int, ...]:
        """Blocks of each stage."""
        found = [
            (int(match[1]), int(match[2]))
            for name in self.tensors
            if (match := re.match(r"trunk\.stages\.(\d)\.(\d+)\.conv1\.", name))
        ]
        count = 1 + max(stage for stage, _ in found)
        return tuple(sum(stage == own for stage, _ in found) for own in range(count))


def architecture_of(text: str) -> Architecture:
    """The architecture of that name.

    Raises:
        OwnDataError: There is none.
    """
    for name in get_args(Architecture):
        if name == text:
            return name  # type: ignore[no-any-return]
    raise OwnDataError(f"--arch {text}: unknown\n  allowed: {', '.join(get_args(Architecture))}")


def read_released(path: Path, architecture: Architecture) -> Released:
    """Read a file of the release; nothing in it is run.

    Args:
        path: A file that `torch.save` wrote: a state dict, or one under the key ``net``.
        architecture: Name in the released code.

    Raises:
        OwnDataError: It is no such file, or holds the weights of another network.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes may lead an unpickler anywhere
        raise OwnDataError(f"{path}: no weights that can be read: {quoted(error)}") from None
    state = content.get("net", content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not all(map(_is_dense, state.values())):
        raise OwnDataError(f"{path}: no state dict: a mapping of names to tensors is needed")
    arrays = {
        str(name).removeprefix("module."): tensor.detach().numpy() for name, tensor in state.items()
    }
    return translated(arrays, architecture, str(path))


def _is_dense(value: object) -> bool:
    """Whether it is a tensor that numpy can hold."""
    return (
        isinstance(value, torch.Tensor)
        and value.layout == torch.strided
        and value.dtype in (torch.float32, torch.float64, torch.float16, torch.int64)
    )


def translated(state: Tensors, architecture: Architecture, source: str) -> Released:
    """The same weights by the names of `iic.networks`.

    Args:
        state: By the names of the release.
        architecture: Name in the released code.
        source: What to call them in errors.

    Raises:
        OwnDataError: A name is none of that network; a head or the trunk is missing.
    """
    layer, kinds = LAYERS[architecture]
    heads: dict[str, dict[str, list[NDArray[Any]]]] = {}
    tensors: Tensors = {}
    for name, array in state.items():
        match = HEAD.fullmatch(name)
        if match is None:
            tensors[_trunk_name(name, architecture, source)] = array
            continue
        own = heads.setdefault(match[1] or "", {kind: [] for kind in kinds})
        if int(match[2]) != len(own.setdefault(match[3], [])):
            raise OwnDataError(f"{source}: {name}: its sub-heads come in another order")
        own[match[3]].append(array)
    if set(heads) not in ({"A", "B"}, {""}) or not tensors:
        raise OwnDataError(
            f"{source}: heads {sorted(heads)}: not the weights of a clustering {architecture}\n"
            "  allowed: head_A and head_B, or head; each with sub-heads"
        )
    if set(heads) == {""}:
        heads = {"A": heads[""], "B": heads[""]}
    for head, parts in heads.items():
        for kind, arrays in parts.items():
            tensors[f"heads.{head}.{layer}.{kind}"] = _joined(arrays, head, source)
    tracked = any(name.endswith("running_mean") for name in tensors)
    if tracked:  # torch counts batches since 0.4.1
        for name in [name for name in tensors if name.endswith("running_mean")]:
            counter = name.replace("running_mean", "num_batches_tracked")
            tensors.setdefault(counter, np.array(0))
    clusters = {head: len(parts["weight"][0]) for head, parts in heads.items()}
    return Released(source, architecture, tensors, clusters, len(heads["B"]["weight"]), tracked)


def _joined(arrays: list[NDArray[Any]], head: str, source: str) -> NDArray[Any]:
    """One tensor of all sub-heads of a head."""
    if len({array.shape for array in arrays}) != 1:
        raise OwnDataError(f"{source}: head {head}: its sub-heads are missing or differ in size")
    return np.concatenate(arrays)


def _trunk_name(name: str, architecture: Architecture, source: str) -> str:
    for pattern, here in TRUNKS[architecture]:
        if re.fullmatch(pattern, name):
            moved = re.sub(pattern, here, name)
            return STAGE.sub(lambda stage: str(int(stage[0]) - 1), moved)
    raise OwnDataError(
        f"{source}: {quoted(name)}: no weights of a clustering {architecture}\n"
        f"  remedy: another --arch of {', '.join(TRUNKS)}"
    )
