"""``evaluation.json``: the scores of a run at its checkpoints, and the four selections.

All scores are in percent. Where no labels exist, scores and mappings are null.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer

from iic.params.base import Model

CheckpointName = Literal["last", "best_label"]
SelectionName = Literal["as_published", "as_published_mean", "label_free", "mean_head"]
Matching = Literal["one_to_one", "many_to_one", "identity"]

Percent = float
"""Between 0 and 100; ARI may be negative."""


class OfMaps(Model):
    """Base of scores that segmentation adds to; what others do not have is left out of the file."""

    miou: Percent | None = None
    """Segmentation: mean over classes of intersection over union."""

    @model_serializer(mode="wrap")
    def _without_absent(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = plain(self)
        for name in ("miou", "classes"):
            if name in content and content[name] is None:
                del content[name]
        return content


class ClassScores(Model):
    """One class of a segmentation."""

    acc: Percent | None
    """Share of its pixels that are found; null where it has none."""
    iou: Percent | None
    """Intersection over union; null where it is neither there nor predicted."""


class SubHeadScores(OfMaps):
    """One sub-head at one checkpoint."""

    acc: Percent | None
    """Accuracy after matching clusters to classes."""
    nmi: Percent | None
    """Normalised mutual information, arithmetic mean of the entropies."""
    ari: Percent | None
    """Adjusted Rand index."""
    loss: float | None
    """The objective's value that sub-heads are compared by; null where a method has none."""
    mapping_acc: Percent | None = None
    """Accuracy on the images that the mapping was made from, where others are scored."""
    mapping: list[int] | None
    """Class of each cluster; -1 for a cluster left without class by one-to-one matching."""
    classes: list[ClassScores] | None = None
    """Segmentation: each class."""


class CheckpointScores(Model):
    """All sub-heads at one checkpoint, in their order in the network."""

    epoch: int = Field(ge=0)
    sub_heads: list[SubHeadScores] = Field(min_length=1)


class Selection(OfMaps):
    """One answer to the question which model is reported."""

    checkpoint: CheckpointName
    epoch: int = Field(ge=0)
    sub_head: int | None
    """Index of the chosen sub-head; null where the mean over all is reported."""
    acc: Percent | None
    nmi: Percent | None
    ari: Percent | None
    acc_std_heads: Percent | None
    """Standard deviation of the accuracy over this checkpoint's sub-heads (population form,
    ddof 0, as in the paper's Table 1)."""


class FractionSelection(Model):
    """Accuracy of one selection over the draws of a label fraction."""

    acc: Percent
    """Mean over the draws."""
    acc_std: Percent | None
    """Standard deviation over the draws (ddof 1); null for a single draw."""


class FractionScores(Model):
    """What is left of the accuracy when the mapping is made from fewer labels."""

    fraction: float = Field(gt=0, le=1)
    """Share of the labels."""
    labels: int = Field(ge=1)
    """Labels in each draw."""
    draws: int = Field(ge=1)
    class_balanced: bool
    """Whether each class kept the same share."""
    selections: dict[SelectionName, FractionSelection | None]


class Evaluation(Model):
    """The whole file."""

    schema_version: Literal[1] = 1
    matching: Matching
    k_clusters: int = Field(ge=1)
    k_classes: int | None = Field(ge=1)
    """Null without labels."""
    n_mapping: int = Field(ge=0)
    """Samples that the mapping was made from."""
    n_scoring: int = Field(ge=0)
    """Samples that the scores are of."""
    checkpoints: dict[CheckpointName, CheckpointScores]
    selections: dict[SelectionName, Selection | None]
    """Null for the selections that need labels, or a checkpoint, that the run does not have."""
    fractions: list[FractionScores] = []
    """In the order of the settings; empty where they ask for none."""

    @field_validator("selections")
    @classmethod
    def _all_four(
        cls, selections: dict[SelectionName, Selection | None]
    ) -> dict[SelectionName, Selection | None]:
        missing = set(SelectionName.__args__) - set(selections)  # type: ignore[attr-defined]
        if missing:
            raise ValueError(f"selections lack {', '.join(sorted(missing))}")
        return selections
