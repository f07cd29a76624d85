"""Settings of DEC: its three stages and their cost (torch-free)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, NamedTuple

from pydantic import Field

from iic.methods.autoencoders.settings import ReconstructionSettings
from iic.params.base import Model, Problem
from iic.params.cost import Cost, evaluated_images, scheduled
from iic.params.datasets import Dataset
from iic.params.learning_rates import LearningRateSettings
from iic.params.operations import Count, NetworkPass
from iic.params.optimisers import MomentumSettings
from iic.params.splits import image_count

Stage = Literal["layer", "finetuning", "clustering"]


class Phase(NamedTuple):
    """Where in the training an epoch lies."""

    stage: Stage
    layer: int
    """Layer that is trained, from the image on and counted from 0; 0 in the other stages."""
    epoch: int
    """Epoch within this phase, from 0; each layer is a phase of its own."""

    @property
    def name(self) -> str:
        """As the history calls it."""
        return f"layer {self.layer + 1}" if self.stage == "layer" else self.stage


class PretrainingSettings(Model):
    """The autoencoder's training before any clusters: layer by layer, then the whole."""

    layer_epochs: int = Field(ge=1)
    """Epochs in which each layer of the encoder is trained with its mirror in the decoder."""
    finetuning_epochs: int = Field(ge=1)
    """Epochs in which the whole autoencoder is trained, without dropout."""
    learning_rate: float = Field(0.1, gt=0)
    """At the start of each layer and of the finetuning."""
    decay_epochs: int = Field(ge=1)
    """Epochs of a phase after which the learning rate is multiplied by `decay`, once more after as
    many again, and so on."""
    decay: float = Field(0.1, gt=0, le=1)
    dropout: float = Field(0.2, ge=0, lt=1)
    """Share of a layer's inputs, and of its hidden units, that is set to 0 while it is trained."""
    corrupt_images: bool = True
    """False: the first layer sees whole images, as in the released code; the paper's equations drop
    inputs of every layer."""
    initial_deviation: float | None = Field(0.01, gt=0)
    """Standard deviation of the first weights, around 0; null for weights spread evenly between
    -1 / sqrt(n) and 1 / sqrt(n), n inputs of the layer, as in DEC-keras. Biases are 0."""


class DECSettings(ReconstructionSettings):
    """Settings of DEC; `schedule.epochs` are the clustering's, at most, after the pretraining's."""

    pretraining: PretrainingSettings
    scale: float | None = Field(None, gt=0)
    """What pixels in [0, 1] are multiplied by; null for the number that gives the training images a
    mean square of 1, as the paper says. The released code has 5.1 for MNIST (0.02 of 0 to 255)."""
    refresh_epochs: int = Field(1, ge=1)
    """Epochs of clustering between two computations of the target P, each over all images."""
    tolerance: float = Field(1e-3, ge=0, lt=1)
    """The clustering ends when less than this share of the images changed their cluster between two
    computations of P; with 0 it never ends before `schedule.epochs`."""
    optimiser: MomentumSettings = MomentumSettings(learning_rate=0.01)  # type: ignore[assignment]
    """Of the clustering; its momentum and weight decay hold in pretraining too."""

    @property
    def layers(self) -> int:
        """Layers of the encoder."""
        return len(self.autoencoder.layers) + 1

    @property
    def pretraining_epochs(self) -> int:
        """Epochs before the clustering."""
        return self.layers * self.pretraining.layer_epochs + self.pretraining.finetuning_epochs

    @property
    def total_epochs(self) -> int:
        """Epochs in all, if the clustering does not end earlier."""
        return self.pretraining_epochs + self.schedule.epochs

    def phase(self, epoch: int) -> Phase:
        """The phase of an epoch, counted from 0 over the whole training."""
        each = self.pretraining.layer_epochs
        if epoch < self.layers * each:
            return Phase("layer", epoch // each, epoch % each)
        if epoch < self.pretraining_epochs:
            return Phase("finetuning", 0, epoch - self.layers * each)
        return Phase("clustering", 0, epoch - self.pretraining_epochs)

    def learning_rate(self, phase: Phase) -> float:
        """The learning rate of an epoch."""
        if phase.stage == "clustering":
            return self.optimiser.learning_rate
        own = self.pretraining
        return float(own.learning_rate * own.decay ** (phase.epoch // own.decay_epochs))

    def cost(self, dataset: Dataset, count: Count) -> Cost:
        """Operations of one training that does not end early; k-means is not counted."""
        images = image_count(self.splits, dataset)
        steps = -(-images // self.batch_images)
        autoencoder = "iic.methods.autoencoders.network.Autoencoder"
        layer_pass = "iic.methods.dec.network.layer_pass"
        coding = count(NetworkPass(autoencoder, self.autoencoder, route=("encoder",)))
        finetuning = count(NetworkPass(autoencoder, self.autoencoder)).training
        layers = [
            count(NetworkPass(layer_pass, self.autoencoder, {"layer": layer}))
            for layer in range(self.layers)
        ]
        phases: list[tuple[int, float]] = [
            (self.pretraining.layer_epochs, layer.training) for layer in layers
        ]
        phases.append((self.pretraining.finetuning_epochs, finetuning))
        refreshing = coding.forward / self.refresh_epochs
        phases.append((self.schedule.epochs, coding.training + refreshing))

        predicting = coding.forward * evaluated_images(self.evaluation, dataset)
        schedule = self.schedule.model_copy(update={"epochs": self.total_epochs})
        cost = scheduled(
            schedule, self.compute, steps, 0, predicting=predicting, finishing=2 * predicting
        )
        training, left = 0.0, cost.steps
        for epochs, operations in phases:
            taken = min(epochs * steps, left)
            training += images * operations * (taken / steps if steps else 0)
            left -= taken
        return replace(cost, training=training)

    def problems(self, dataset: Dataset) -> Iterator[Problem]:
        """Whether all fits the dataset, and is what DEC can be trained with."""
        yield from super().problems(dataset)
        if self.autoencoder.family != "dense":
            yield Problem(
                "autoencoder.family",
                f"{self.autoencoder.family}, but DEC trains fully connected layers one by one",
                "dense",
            )
        if self.clusters.scaling != "none":
            yield Problem(
                "clusters.scaling",
                f"{self.clusters.scaling}, but DEC's centres lie among the codes as they are",
                "none",
            )
        if self.schedule.learning_rate != LearningRateSettings():
            yield Problem(
                "schedule.learning_rate", "DEC's stages set their rates themselves", "leave it out"
            )
        images = image_count(self.splits, dataset)
        if images < self.k:
            yield Problem("k", f"{self.k} clusters for {images} training images", f"2 to {images}")
