"""The plain formulation of IIC's training, as the description of the released code reads.

Transforms are torchvision's on PIL images, one image at a time; each original goes through the
network as often as it is repeated; arithmetic is float32; the objective is computed one sub-head
after another, and for maps by a convolution whose kernels are maps. Written from
docs/spec/images.md#transforms and docs/spec/images.md#training, to be measured against
(`benchmarks/bench.py`) and to compare losses with; no training of the project uses it.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from iic.augment.sobel import sobel
from iic.methods.iic.method import Settings
from iic.networks.build import build
from iic.params.augmentation import ColourAugmentation, GreyAugmentation

EPS = sys.float_info.epsilon


def loss_of_sub_head(z: Tensor, z_transformed: Tensor, lam: float) -> Tensor:
    """Minus the information of pairs (n, k) of one sub-head (paper, Figure 4)."""
    joint = (z.unsqueeze(2) * z_transformed.unsqueeze(1)).sum(dim=0)
    joint = (joint + joint.t()) / 2
    joint = joint / joint.sum()
    rows = joint.sum(dim=1, keepdim=True).expand_as(joint).clamp(min=EPS)
    columns = joint.sum(dim=0, keepdim=True).expand_as(joint).clamp(min=EPS)
    joint = joint.clamp(min=EPS)
    return -(joint * (joint.log() - lam * rows.log() - lam * columns.log())).sum()


def loss_of_maps(z: Tensor, z_transformed: Tensor, half_side: int) -> Tensor:
    """Mean loss over shifts of maps (n, k, H, W), each transformed map a kernel over the others."""
    joint = nn.functional.conv2d(
        z.transpose(0, 1), z_transformed.transpose(0, 1), padding=half_side
    )
    joint = joint.flatten(2).permute(2, 0, 1)
    joint = joint / joint.sum((1, 2), keepdim=True)
    joint = (joint + joint.mT) / 2
    rows = joint.sum(2, keepdim=True).clamp(min=EPS)
    columns = joint.sum(1, keepdim=True).clamp(min=EPS)
    joint = joint.clamp(min=EPS)
    return -(joint * (joint.log() - rows.log() - columns.log())).sum((1, 2)).mean()


def chains(
    settings: GreyAugmentation | ColourAugmentation,
) -> tuple[transforms.Compose, transforms.Compose]:
    """Transforms of the original and of the transformed image of a pair, on PIL images."""
    size = settings.input_size
    if isinstance(settings, GreyAugmentation):
        central, anywhere = (
            transforms.CenterCrop(settings.crop),
            transforms.RandomCrop(settings.crop),
        )
        share = settings.centre_probability
        original = [transforms.RandomChoice([central, anywhere], p=[share, 1 - share])]
        rotation = transforms.RandomRotation(settings.rotation_degrees)
        transformed: list[object] = [
            transforms.RandomApply([rotation], p=settings.rotation_probability),
            transforms.RandomChoice([transforms.RandomCrop(side) for side in settings.crops]),
            transforms.Resize((size, size)),
            transforms.ColorJitter(settings.brightness, settings.contrast, 0.4, 0.125),
            transforms.ToTensor(),
        ]
        to_input = [transforms.Resize((size, size)), transforms.ToTensor()]
    else:
        jitter = (settings.brightness, settings.contrast, settings.saturation, settings.hue)
        original = [transforms.RandomCrop(settings.crop)]
        grey = [transforms.Grayscale(), transforms.ToTensor()]
        transformed = [
            transforms.RandomCrop(settings.crop),
            transforms.Resize((size, size)),
            transforms.RandomHorizontalFlip(settings.flip_probability),
            transforms.ColorJitter(*jitter),
            *grey,
        ]
        to_input = [transforms.Resize((size, size)), *grey]
    return transforms.Compose([*original, *to_input]), transforms.Compose(transformed)


class Pictures(Dataset[Tensor]):
    """Images (N, C, H, W) uint8 as PIL images behind a transform."""

    def __init__(self, images: np.ndarray, transform: transforms.Compose) -> None:
        self.images = images
        self.transform = transform
        self.to_pil = transforms.ToPILImage()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        picture = self.to_pil(torch.from_numpy(np.array(self.images[index])))
        transformed: Tensor = self.transform(picture)
        return transformed


class PlainTraining:
    """Passes of one head, batch after batch in the dataset's order, for ever.

    Args:
        settings: IIC's, of images.
        images: (N, C, H, W) uint8.
        head: The head that is trained.
        device: Where the network is; the CPU by default.
    """

    def __init__(
        self,
        settings: Settings,
        images: np.ndarray,
        head: str = "B",
        device: torch.device | None = None,
    ) -> None:
        torch.manual_seed(0)
        self.device = device or torch.device("cpu")
        self.settings = settings
        clusters = {name: own.k for name, own in settings.heads.items()}
        self.network = build(settings.network, clusters, settings.sub_heads).to(self.device)
        self.head = head
        self.sobel = getattr(settings.augmentation, "sobel", False)
        original, transformed = chains(settings.augmentation)
        repeats = settings.pairs.repeats
        self.loaders = [
            DataLoader(Pictures(images, transform), settings.pairs.batch_images, drop_last=True)
            for transform in (original, *[transformed] * repeats)
        ]
        self.optimiser = torch.optim.Adam(
            self.network.parameters(), lr=settings.optimiser.learning_rate
        )
        self.batches = self._endless()

    def _endless(self):  # type: ignore[no-untyped-def]
        while True:
            yield from zip(*self.loaders, strict=True)

    def load(self) -> tuple[Tensor, Tensor]:
        """Network inputs of the next batch: originals, repeated, and their transforms."""
        original, *transformed = next(self.batches)
        pairs = (
            torch.cat([original] * len(transformed)).to(self.device),
            torch.cat(transformed).to(self.device),
        )
        return (sobel(pairs[0]), sobel(pairs[1])) if self.sobel else pairs

    def loss(self, originals: Tensor, transformed: Tensor) -> Tensor:
        """Mean loss of the sub-heads on a batch of pairs."""
        z, z_transformed = self.network(originals, self.head), self.network(transformed, self.head)
        lam = self.settings.heads[self.head].lam
        losses = [loss_of_sub_head(z[:, i], z_transformed[:, i], lam) for i in range(z.shape[1])]
        return torch.stack(losses).mean()
