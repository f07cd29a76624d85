"""Records which functions of the package each job runs; prepended to a script inside a clone.

Standard library only. What runs around a job's body (command line, receipts, planning) is not
recorded: its effect on a result is the values that the body is given, which are hashed as such.
"""

from __future__ import annotations

import functools
import importlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

BODIES = {
    "prepare": ("iic.data.prepare.prepare", "iic.data.prepare_maps.prepare_maps"),
    "train": ("iic.cli.training.train_images", "iic.cli.training.train_maps"),
    "evaluate": ("iic.evaluate.run.evaluate_run",),
    "tabulate": ("iic.publish.tables.write",),
    "draw": ("iic.publish.figures.saving.write",),
}
"""Rule -> the functions that its verb calls for the work itself."""

EXECUTED: dict[str, set[CodeType]] = {}
"""Job -> code that it ran."""


@contextmanager
def recording(found: set[CodeType]) -> Iterator[None]:
    """Add the code of every function that is called to `found`, in all threads."""

    def called(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            found.add(frame.f_code)

    threading.setprofile(called)
    sys.setprofile(called)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]


def recorded(name: str, body: Callable[..., Any]) -> Callable[..., Any]:
    """`body`, which notes what it runs under the name of the job."""

    @functools.wraps(body)
    def run(*arguments: Any, **options: Any) -> Any:
        with recording(EXECUTED.setdefault(name, set())):
            return body(*arguments, **options)

    return run


@contextmanager
def job(rule: str, name: str, *more: str) -> Iterator[None]:
    """While it lasts, record the bodies of `rule`, and `more` functions, as those of job `name`."""
    kept = []
    for dotted in (*BODIES.get(rule, ()), *more):
        module, _, function = dotted.rpartition(".")
        owner = importlib.import_module(module)
        kept.append((owner, function, getattr(owner, function)))
        setattr(owner, function, recorded(name, getattr(owner, function)))
    try:
        yield
    finally:
        for owner, function, body in kept:
            setattr(owner, function, body)


def write(path: Path) -> None:
    """Job -> ``[module, qualified name, line]`` of every function of the package."""
    package = Path(importlib.import_module("iic").__file__ or "").resolve().parent
    lines = {
        name: sorted(
            [".".join(file.relative_to(package.parent).with_suffix("").parts), *place]
            for code in codes
            if package in (file := Path(code.co_filename).resolve()).parents
            for place in [(code.co_qualname, code.co_firstlineno)]
        )
        for name, codes in EXECUTED.items()
    }
    path.write_text(json.dumps(lines), encoding="utf-8")
