"""Operations of passes through networks, counted once and kept in a file.

A network is described where it is built and nowhere else. `iic export operations` counts what one
image takes on its way through each network of every scale (`iic.networks.operations`), and writes
`operations.json` beside this module: so costs are told without torch. A test counts anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from iic.params.base import Model
from iic.params.errors import IICError

FILE = Path(__file__).with_name("operations.json")


class Operations(NamedTuple):
    """Of one image, a multiplication and an addition counted as two.

    Matrix products and convolutions are counted; BatchNorm, pooling and the like are not.
    """

    forward: int
    training: int
    """Forward and backward together."""


class NetworkSettings(Protocol):
    """What the settings of every network have."""

    @property
    def in_channels(self) -> int:
        """Channels of the input."""

    @property
    def input_size(self) -> int:
        """Side of the square input in pixels."""


@dataclass(frozen=True)
class NetworkPass:
    """The way of an image through a network.

    Args:
        builder: Function or class that gives the network, by name and with its module. It is called
            with `settings` and, by keyword, with `others`; what it gives is called with images
            (N, in_channels, input_size, input_size).
        settings: Settings of the network.
        others: What else the builder asks for: plain values and settings.
        route: Methods and parts of the network that images go through one after another, in place
            of the network's own call.
    """

    builder: str
    settings: NetworkSettings
    others: Mapping[str, Any] = field(default_factory=dict, hash=False)
    route: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Text that is the same for passes of the same operations, and for no others."""
        settings = json.dumps([self.settings, self.others], default=_plain, sort_keys=True)
        return ".".join([f"{self.builder}({settings[1:-1]})".replace('"', ""), *self.route])


Count = Callable[[NetworkPass], Operations]
"""Where costs have operations from: `committed`, or `iic.networks.operations.count`."""


class NotCounted(IICError):
    """The file has no such pass: a setting of the network is in no committed scale."""


def committed(way: NetworkPass) -> Operations:
    """What the file has for a pass.

    Raises:
        NotCounted: It has none.
        IICError: The file is absent or damaged.
    """
    try:
        return Operations(*_read(FILE)[way.key])
    except KeyError:
        raise NotCounted(
            f"{FILE}: operations of {way.key} are not counted\n"
            "  remedy: run `iic export operations`"
        ) from None


def text(counted: Mapping[str, Operations]) -> str:
    """Content of the file: a line for each pass, by key."""
    lines = (f"{json.dumps(key)}: {json.dumps(counted[key])}" for key in sorted(counted))
    return "{\n" + ",\n".join(lines) + "\n}\n"


@cache
def _read(path: Path) -> dict[str, list[int]]:
    try:
        counted: dict[str, list[int]] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise IICError(
            f"{path}: {error}\n  remedy: run `iic export operations`, or take the file from git"
        ) from None
    return counted


def _plain(model: Model) -> dict[str, Any]:
    # what is not set decides nothing
    return model.model_dump(mode="json", exclude_none=True)
