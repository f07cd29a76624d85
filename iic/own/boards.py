"""Losses of a training for TensorBoard, on request (`iic fit --log tensorboard DIR`)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from iic.engine.progress import WATCHER
from iic.own.errors import OwnDataError
from iic.own.extras import extra

KINDS = ("tensorboard",)


@contextlib.contextmanager
def board(kind: str | None, folder: Path | None) -> Iterator[None]:
    """Write each epoch of each training below `folder`, as soon as it is over.

    Args:
        kind: One of `KINDS`; None for nothing.
        folder: Where TensorBoard will look; each seed has a folder there.

    Raises:
        OwnDataError: Another kind.
        MissingExtra: TensorBoard is not installed.
    """
    if kind is None or folder is None:
        yield
        return
    if kind not in KINDS:
        raise OwnDataError(f"--log {kind}: unknown\n  allowed: {', '.join(KINDS)}")
    with extra("tensorboard"):
        from torch.utils.tensorboard import SummaryWriter

    def tell(name: str, entry: dict[str, Any]) -> None:
        with SummaryWriter(str(folder / name.rpartition("/")[2])) as writer:
            for head, loss in zip(entry["head"], entry["loss"] or (), strict=False):
                writer.add_scalar(f"loss/{head}", loss, entry["epoch"])
            if entry["pairs_per_second"]:
                writer.add_scalar("pairs_per_second", entry["pairs_per_second"], entry["epoch"])

    token = WATCHER.set(tell)
    try:
        yield
    finally:
        WATCHER.reset(token)
