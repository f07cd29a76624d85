"""Network of IMC-SwAV: encoder, prototypes, classifier, and what training has to remember."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from iic.networks.encoder import Encoder
from iic.params.encoder import EncoderSettings


class Counter(nn.Module):
    """A number that checkpoints have, and that is read without waiting for a device.

    Attributes:
        value: The number.
    """

    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.value = 0
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_load_state_dict_post_hook(self._read)  # type: ignore[no-untyped-call]

    def set(self, value: int) -> None:
        """Make it `value`."""
        self.value = value
        self.count.fill_(value)

    def _read(self, module: nn.Module, _keys: Any) -> None:
        self.value = int(self.count)


class PrototypeScores(nn.Module):
    """Projector and prototypes: features (N, d) to cosines (N, prototypes).

    The projector is two linear layers with nothing between them, as in the released code.
    """

    def __init__(self, features: int, projection: int, prototypes: int) -> None:
        super().__init__()
        self.projector = nn.Sequential(
            nn.Linear(features, features), nn.Linear(features, projection)
        )
        self.prototypes = nn.Linear(projection, prototypes, bias=False)
        self.normalise()

    def normalise(self) -> None:
        """Give every prototype length 1, in place."""
        with torch.no_grad():
            self.prototypes.weight.copy_(normalize(self.prototypes.weight, dim=1))

    def forward(self, features: Tensor) -> Tensor:
        """Cosines of projected features with the prototypes."""
        scores: Tensor = self.prototypes(normalize(self.projector(features), dim=1))
        return scores


class Bank(nn.Module):
    """Features and scores of past crops, until there are enough for a step of the classifier.

    Args:
        views: Crops of an image, T.
        capacity: Most images that are held.
        features: Length of a feature vector, d.
        prototypes: Scores of a crop, K.
    """

    features: Tensor
    scores: Tensor

    def __init__(self, views: int, capacity: int, features: int, prototypes: int) -> None:
        super().__init__()
        self.images = Counter()
        self.register_buffer("features", torch.zeros(views, capacity, features))
        self.register_buffer("scores", torch.zeros(views, capacity, prototypes))

    def add(self, features: Tensor, scores: Tensor) -> None:
        """Put in images by their features (T, n, d) and scores (T, n, K)."""
        start = self.images.value
        end = start + features.shape[1]
        with torch.no_grad():
            self.features[:, start:end] = features
            self.scores[:, start:end] = scores
        self.images.set(end)

    def content(self) -> tuple[Tensor, Tensor]:
        """Features (T, n, d) and scores (T, n, K) of all n images."""
        size = self.images.value
        # copies: the bank is filled anew before the gradient is taken
        return self.features[:, :size].clone(), self.scores[:, :size].clone()


class IMCSwAVNetwork(nn.Module):
    """A freshly initialised network; all randomness comes from torch's global generator.

    Args:
        settings: The encoder.
        projection: Length of what is compared with the prototypes.
        prototypes: Number of prototypes.
        hidden: Width of the classifier's two hidden layers.
        k: Clusters.
        bank: Views and capacity of the bank; None without one.

    Attributes:
        encoder: Images to features.
        assigner: Features to cosines with the prototypes.
        classifier: Features to logits of clusters.
        bank: Of images that wait for a step of the classifier; None without one.
        steps: Steps done.
    """

    def __init__(
        self,
        settings: EncoderSettings,
        *,
        projection: int,
        prototypes: int,
        hidden: int,
        k: int,
        bank: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(settings)
        width = self.encoder.out_features
        self.assigner = PrototypeScores(width, projection, prototypes)
        self.classifier = nn.Sequential(
            nn.Linear(width, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, k),
        )
        self.bank = None if bank is None else Bank(*bank, width, prototypes)
        self.steps = Counter()

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, k) of images (N, channels, s, s)."""
        logits: Tensor = self.classifier(self.encoder(x))
        return logits
