"""Tasks that classify the features of another run's network by a support vector machine."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Generator, Tensor

from iic.engine.labelled_task import LabelledTask
from iic.engine.machines import Points, classified
from iic.engine.seeding import derive
from iic.engine.task import N, Predictions


class MachineTask(LabelledTask[N]):
    """A task without training. A method writes `build` and `evaluate`, which gives features (n, d).

    `build` ends with `load`. The machine is fitted once, when predictions are first asked for.
    """

    def points(self, images: Tensor) -> Points:
        """Features of images (n,), (n, d)."""
        return np.concatenate([part.cpu().numpy() for part in self.evaluations(images)])

    @cached_property
    def classes(self) -> NDArray[np.unsignedinteger]:
        """Classes of the evaluated images, (m,)."""
        labels = np.asarray(self.context.data.labels)[self.training.numpy()]
        found = classified(
            self.points(self.training),
            labels.astype(np.int64),
            self.points(self.evaluated),
            self.settings.machine,
            seed=derive(self.seed, "machine"),
            threads=self.settings.threads,
            name=self.context.name,
        )
        return found.astype(np.min_scalar_type(self.k - 1))

    def predict(self, probabilities: bool = False) -> Predictions:
        """Classes of the evaluated images, (m, 1); a machine has no probabilities."""
        return Predictions(self.classes[:, None], None)

    def loss(self, head: str, indices: Tensor, draw: Generator) -> Tensor:
        """Never asked for: there is no epoch."""
        raise NotImplementedError

    def kept(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """None: they are those of the run that this one starts from."""
        return {}
