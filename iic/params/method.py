"""The interface between params and a method's module, and how a module is found.

A method's module holds ``Settings`` (a `MethodSettings`) and ``train(context)``. It must be
importable without torch: the workflow reads settings while it plans, and has to plan within a
second. Whatever is heavy is imported inside ``train``.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from pydantic import Field

from iic.params.base import Model, Problem
from iic.params.cost import Cost
from iic.params.datasets import Dataset
from iic.params.errors import SettingsError
from iic.params.evaluation import EvaluationSettings
from iic.params.modules import check_module
from iic.params.operations import Count

__all__ = ["MethodSettings", "Problem", "settings_model"]


class MethodSettings(Model):
    """What every method's settings have."""

    threads: int = Field(1, ge=1)
    """CPU threads of the job: part of the settings, since the number changes the last bits."""
    gpu: bool = False
    """Whether the workflow should ask its scheduler for a GPU for this job."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """Which images are scored, and how clusters are matched to classes."""

    @property
    def base(self) -> str | None:
        """Run of the same dataset and seed whose weights this one starts from."""
        return None

    def cost(self, dataset: Dataset, count: Count) -> Cost | None:
        """Operations of one training, for ``iic status``; None where nobody has counted them.

        It names what ``train`` will do. No result depends on it, so an edit makes no training
        stale.

        Args:
            dataset: Entry of the catalogue, for how many images the splits have.
            count: Gives the operations of a network's pass.

        Raises:
            NotCounted: `count` does not know a pass.
        """
        return None

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """What does not fit together in these settings, or with `dataset`."""
        yield from self.evaluation.problems(dataset)


def settings_model(method: str, file: str, key: str) -> type[MethodSettings]:
    """The ``Settings`` class of the module `method`.

    Raises:
        SettingsError: There is no such module, or it cannot be imported or has no ``Settings``.
    """
    check_module(method, file, key)
    try:
        module = importlib.import_module(method)
    except (SyntaxError, ImportError) as error:
        where = f"{error.filename}:{error.lineno}: " if isinstance(error, SyntaxError) else ""
        raise SettingsError(
            file, key, f"module {method!r} cannot be imported: {where}{error.msg}"
        ) from None
    model: Any = getattr(module, "Settings", None)
    if not (isinstance(model, type) and issubclass(model, MethodSettings)):
        raise SettingsError(
            file, key, f"module {method!r} defines no class Settings(MethodSettings)"
        )
    return model
