"""A start for a method of your own: certain, even and unmoved clusters (no table has it).

This header says what is optimised, where it comes from, what the source leaves open, and what is
known to deviate from it.

Objective: minus the log of the probability that an image and its random transform are in the same
cluster, minus `evenness` times the entropy of the mean assignment of a batch. Source: none; it is
the plainest loss that clusters. Our choices: the house's trunk and transforms, one linear layer,
Adam 1e-3, the last epoch. No known deviation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iic.methods._template.settings import TemplateSettings

if TYPE_CHECKING:
    from iic.engine.context import Outcome, RunContext


class Settings(TemplateSettings):
    """Settings of the template."""


def train(context: RunContext[Settings]) -> Outcome:
    """Train on pairs of an image and its transform, and report the clusters.

    What is heavy is imported here: the workflow reads `Settings` while it plans.
    """
    from iic.engine.run import run
    from iic.methods._template.task import TemplateTask

    return run(context, TemplateTask)
