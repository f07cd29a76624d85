"""Settings of the evaluation: which images are scored, and how clusters become classes.

The paper's protocol: docs/spec/images.md#evaluation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from iic.params.base import Model, Problem
from iic.params.datasets import Dataset
from iic.params.splits import split_problems

Fraction = Annotated[float, Field(gt=0, le=1)]


class EvaluationSettings(Model):
    """How assignments are scored. The defaults are those of the unsupervised experiments."""

    matching: Literal["one_to_one", "many_to_one", "identity"] = "one_to_one"
    """Hungarian; each cluster to its most frequent class, for overclustering; or cluster i is
    class i, for classifiers."""
    mapping: tuple[str, ...] = ()
    """Splits whose labels the matching is found on; empty: every labelled image."""
    test: tuple[str, ...] = ()
    """Splits whose images are scored; empty: every labelled image."""
    label_fractions: tuple[Fraction, ...] = Field((), json_schema_extra={"no_influence": True})
    """Shares of the mapping split's labels that the matching is found on once more (supplement,
    Table 4). Computed from the assignments, so without influence on training."""
    label_draws: int = Field(10, ge=1, json_schema_extra={"no_influence": True})
    """Seeded draws of labels for each fraction below 1; the released code made one, unseeded."""
    class_balanced: bool = Field(False, json_schema_extra={"no_influence": True})
    """Whether each class keeps the same share of its labels; the released code drew from all."""

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether the dataset has these splits, and labels for every class at each fraction."""
        yield from split_problems("evaluation.mapping", self.mapping, dataset)
        yield from split_problems("evaluation.test", self.test, dataset)
        if self.label_fractions and self.matching != "many_to_one":
            yield Problem(
                "evaluation.label_fractions",
                f"need many-to-one matching, not {self.matching}",
                "evaluation.matching many_to_one",
            )
        if not dataset.labelled and (self.label_fractions or self.matching == "identity"):
            key = "label_fractions" if self.label_fractions else "matching"
            yield Problem(f"evaluation.{key}", f"{dataset.title} has no labels", "another dataset")
            return
        classes = len(dataset.classes)
        labels = sum(dataset.splits.get(name, 0) for name in self.mapping or dataset.splits)
        for fraction in self.label_fractions:
            kept = int(labels * fraction)
            if kept < classes:
                yield Problem(
                    "evaluation.label_fractions",
                    f"{fraction} of the {labels:,} labels are {kept}, which leaves some of the "
                    f"{classes} classes without one",
                    f"at least {classes / labels:.4g}",
                )
