"""A model on disk: what is in its folder, and how it is read again.

``model.safetensors``, ``config.json`` and ``README.md`` are named as hubs of models expect them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from safetensors import SafetensorError
from safetensors.numpy import load

from iic.methods.frozen_features.settings import ModelFile
from iic.methods.iic.maps import Settings as MapSettings
from iic.methods.iic.method import Settings
from iic.own.answers import Answers, answers
from iic.own.choice import Wishes
from iic.own.errors import ModelError
from iic.own.kinds import loaded
from iic.own.map_network import MapNetwork
from iic.own.network import TrainedNetwork
from iic.own.vectors import VectorSettings
from iic.params.base import Model
from iic.provenance.machine import usable_processors
from iic.records.files import RecordError, read_record, sha256_file, sha256_json
from iic.records.receipt import Code, Environment, Session

N = TypeVar("N", TrainedNetwork, MapNetwork)
WEIGHTS = "model.safetensors"
CONFIG = "config.json"
CARD = "README.md"
CHOICE = "settings.yaml"
ASSIGNMENTS = "assignments.csv"
SKIPPED = "skipped.csv"
NEAR_COPIES = "near_copies.csv"
EXAMPLES = "examples.npz"
RECEIPT = "fit.json"
REPORT = "report.html"
WORK = ".fit"
"""Folder of a fit under way: its images, checkpoints and finished trainings."""
HASHED = (WEIGHTS, CONFIG, CARD, CHOICE, ASSIGNMENTS, SKIPPED, NEAR_COPIES, EXAMPLES)
"""Files whose content the receipt keeps by hash."""


class ModelConfig(Model):
    """``config.json``: everything that a prediction needs besides the weights."""

    schema_version: Literal[1] = 1
    architecture: Literal["IIC"] = "IIC"
    version: str
    """Of this package."""
    k: int
    """Clusters."""
    side: int
    """Working size in pixels."""
    channels: Literal[1, 3]
    grey_taken: bool
    """Whether coloured images are turned grey, since the user asked for a grey model."""
    top: float | None = None
    """Number that is white in an array of other numbers than bytes, if such were fitted."""
    sub_head: int
    """The reported one."""
    alignment: tuple[tuple[int, ...], ...]
    """For each sub-head and its cluster the reported sub-head's."""
    settings: Settings | VectorSettings | MapSettings
    backbone: ModelFile | None = None
    """What makes the features, if a pretrained model does."""


class ReleasedWeights(Model):
    """A file of the authors' release that a model was made from."""

    path: str
    architecture: Literal["net5g", "net6c", "net10a"]
    sha256: str
    input_size: int | None = None
    """Side of the network's input in pixels, where the weights do not tell."""
    crop: int | None = None
    """Side of the central crop in pixels, if not that of the release's commands."""


class FitRequest(Model):
    """The arguments of a fit: the same ones go on with it, others are refused."""

    source: str
    task: Literal["group", "segment"] = "group"
    """Whether images get clusters, or pixels."""
    k: int
    minutes: float
    """For all trainings together."""
    wishes: Wishes = Wishes()
    settings: str | None = None
    """Path of a settings file."""
    features: str | None = None
    """Path of a file of features, which are clustered in place of pixels."""
    backbone: ModelFile | None = None
    """A pretrained model whose features are clustered in place of pixels."""
    halves: bool = False
    """Whether each half of the images is trained on besides, to see what another sample gives."""
    umap: bool = False
    """Whether silhouettes are taken in the space of UMAP too."""
    released: ReleasedWeights | None = None
    """Weights that were imported in place of a training."""


class SeedSummary(Model):
    """One training of a fit."""

    seed: int
    loss: float
    """Of its best sub-head: minus the mutual information of a pair, in nats."""
    steps: int
    seconds: float
    history: list[dict[str, Any]]
    sessions: list[Session]


class Stability(Model):
    """Whether trainings from other seeds find the same clusters."""

    ari: float | None
    """Mean adjusted Rand index between seeds, 0 to 1; null with one seed."""
    pairs: tuple[float, ...] = ()
    """The same for each two seeds."""
    shuffled: float | None
    """The largest among pairs of seeds whose images were shuffled: what chance gives."""
    halves: float | None = None
    """Adjusted Rand index, on all images, of trainings on either half of them; null if not asked
    for."""
    agreement: float
    """Mean agreement of sub-heads."""


class FitReceipt(Model):
    """``fit.json``: what was read, done and written, on which machine."""

    schema_version: Literal[1] = 1
    request: FitRequest
    images: int
    distinct: int
    """Images of different content."""
    skipped: int
    data_sha256: str
    """Over the contents of all images, whatever their names."""
    features_sha256: str | None
    """Of the file of features, if such were clustered."""
    choice_sha256: str
    """Of the settings, in canonical JSON."""
    reported: int
    """Seed whose network the model is."""
    seeds: tuple[SeedSummary, ...] = Field(min_length=1)
    stability: Stability
    seconds: dict[str, float]
    """What took how long."""
    step_seconds: dict[str, float]
    """Measured seconds of a step by precision; empty where nothing was measured."""
    silhouettes: dict[str, float]
    """Of IIC's and the rival's clusters in the space of the principal components, -1 to 1; and, if
    asked for, of IIC's in that of UMAP."""
    rival: str
    """What the column `rival` of the assignments is."""
    files: dict[str, str]
    """File -> sha256."""
    environment: Environment
    code: Code
    seal: str = ""
    """`digest` at the time of writing: shows an edit of the receipt itself."""

    @property
    def digest(self) -> str:
        """SHA-256 of the receipt without its seal."""
        return sha256_json(self.model_dump(mode="json", exclude={"seal"}))


class OwnModel:
    """A fitted model.

    Args:
        folder: Where `iic fit` wrote it.

    Raises:
        ModelError: There is none, it is damaged, or of another version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / CONFIG).exists():
            unfinished = (folder / WORK).exists()
            remedy = "run the same `iic fit` again: it goes on" if unfinished else "`iic fit`"
            raise ModelError(f"{folder}: no finished model: no {CONFIG}\n  remedy: {remedy}")
        try:
            self.config = read_record(folder / CONFIG, ModelConfig)
        except RecordError as error:
            raise ModelError(str(error)) from None

    @cached_property
    def receipt(self) -> FitReceipt:
        """How it was made."""
        try:
            return read_record(self.folder / RECEIPT, FitReceipt)
        except RecordError as error:
            raise ModelError(str(error)) from None

    @cached_property
    def network(self) -> TrainedNetwork:
        """The network in evaluation mode.

        Raises:
            ModelError: The weights are missing, cut, or of another network.
        """
        settings = self.config.settings
        if isinstance(settings, MapSettings):
            raise ModelError(f"{self.folder}: segments images, and gives pixels clusters")
        return self._built(lambda tensors: loaded(settings, tensors))

    @cached_property
    def map_network(self) -> MapNetwork:
        """The network of a segmentation.

        Raises:
            ModelError: As for `network`; or the model groups images.
        """
        settings = self.config.settings
        if not isinstance(settings, MapSettings):
            raise ModelError(f"{self.folder}: groups images, and does not segment them")
        return self._built(lambda tensors: MapNetwork(settings, tensors))

    def _built(self, build: Callable[[dict[str, NDArray[Any]]], N]) -> N:
        path = self.folder / WEIGHTS
        try:
            return build(load(path.read_bytes()))
        except (OSError, SafetensorError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise ModelError(f"{path}: not the weights of this model: {reason}") from None

    @property
    def segments(self) -> bool:
        """Whether it gives clusters to pixels."""
        return isinstance(self.config.settings, MapSettings)

    @property
    def takes_features(self) -> bool:
        """Whether it was fitted on features that a user has, and not on pixels."""
        return isinstance(self.config.settings, VectorSettings) and self.config.backbone is None

    def answers(self, points: NDArray[Any]) -> Answers:
        """What the model says of images (n, C, S, S), or of features (n, d)."""
        aligned = np.array(self.config.alignment)
        return answers(self.network.probabilities(points), self.config.sub_head, aligned)

    @property
    def threads(self) -> int:
        """Threads that it answers with here: those of the fit, as far as there are so many."""
        return min(self.config.settings.threads, usable_processors())

    def changed_files(self) -> list[str]:
        """Files that are not as the receipt says, with what is wrong."""
        wrong = []
        for name, digest in self.receipt.files.items():
            path = self.folder / name
            if not path.exists():
                wrong.append(f"{name}: missing")
            elif sha256_file(path) != digest:
                wrong.append(f"{name}: changed since the fit")
        return wrong
