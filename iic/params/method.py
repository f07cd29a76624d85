"""The interface between params and a method's module, and how a module is found.

A method's module holds ``Settings`` (a `MethodSettings`) and ``train(context)``. It must be
importable without torch: the workflow reads settings while it plans, and has to plan within a
second. Whatever is heavy is imported inside ``train``.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import Field

from iic.params.base import Model
from iic.params.datasets import Dataset
from iic.params.errors import SettingsError
from iic.params.modules import check_module


class Problem(NamedTuple):
    """A semantic error: each value is well-formed, but they do not fit together."""

    key: str
    message: str
    allowed: str | None = None


class MethodSettings(Model):
    """What every method's settings have."""

    threads: int = Field(1, ge=1)
    """CPU threads of the job: part of the settings, since the number changes the last bits."""
    gpu: bool = False
    """Whether the workflow should ask its scheduler for a GPU for this job."""

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """What does not fit together in these settings, or with `dataset`."""
        yield from ()


def settings_model(method: str, file: str, key: str) -> type[MethodSettings]:
    """The ``Settings`` class of the module `method`.

    Raises:
        SettingsError: There is no such module, or it defines no ``Settings``.
    """
    check_module(method, file, key)
    module = importlib.import_module(method)
    model: Any = getattr(module, "Settings", None)
    if not (isinstance(model, type) and issubclass(model, MethodSettings)):
        raise SettingsError(
            file, key, f"module {method!r} defines no class Settings(MethodSettings)"
        )
    return model
