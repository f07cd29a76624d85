"""Settings of the network trunks (paper, section 4; supplement, Table 1)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from iic.params.base import Model

Widths = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False, min_length=1)]
Counts = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False, min_length=2)]

PAPER_CHANNELS = (64, 128, 256, 512)
PAPER_BLOCKS = (3, 4, 6, 3)
SMALLEST_INPUT_A = 8


class NetworkSettings(Model):
    """One trunk. The defaults give the paper's networks; `width` and `blocks` give smaller ones."""

    family: Literal["A", "B"]
    """A: ResNet with the blocks of ResNet-34. B: four 5x5 convolutions, VGG-like."""
    input_size: int = Field(ge=1)
    """Side of the square input in pixels, after the augmentation's resize. Paper: 32 (CIFAR), 64
    (STL10) or 96 for A; 24 (MNIST) or 64 for B."""
    in_channels: int = Field(ge=1)
    """Channels that the network sees: 1 for grey, 2 for Sobel gradients, 5 for RGB and Sobel."""
    width: float = Field(default=1.0, gt=0)
    """Factor on the paper's channels per stage, 64, 128, 256, 512."""
    channels: Counts | None = None
    """Channels of each stage, instead of `width`; as many stages as there are entries."""
    blocks: Counts | None = None
    """Residual blocks of each stage (family A only). Paper: 3, 4, 6, 3."""
    batchnorm_running_statistics: bool = True
    """False: batch statistics also in evaluation, as in the paper's MNIST and CIFAR10 runs."""
    batchnorm_parts: int = Field(1, ge=1)
    """Parts of a batch that BatchNorm normalises apart, as if each lay on a GPU of its own: the
    released code's ``DataParallel``. The paper's run of IIC* on STL10 had 2."""

    @model_validator(mode="after")
    def _consistent(self) -> NetworkSettings:
        if self.channels is not None and self.width != 1.0:
            raise ValueError("width and channels exclude each other: remove one of them")
        if self.family == "A":
            self._check_a()
        else:
            self._check_b()
        return self

    def _check_a(self) -> None:
        if self.input_size < SMALLEST_INPUT_A:
            raise ValueError(
                f"input_size {self.input_size} is too small for family A: "
                f"at least {SMALLEST_INPUT_A}"
            )
        if len(self.stage_blocks) != len(self.stage_channels):
            raise ValueError(
                f"blocks has {len(self.stage_blocks)} entries for {len(self.stage_channels)} "
                "stages: give one entry per stage in both channels and blocks"
            )

    def _check_b(self) -> None:
        if self.blocks is not None:
            raise ValueError("blocks is a setting of family A only: remove it for family B")
        step = 2 ** (len(self.stage_channels) - 1)
        if self.input_size % step:
            below, above = self.input_size // step * step, (self.input_size // step + 1) * step
            allowed = f"{below} or {above}" if below else f"{above}"
            raise ValueError(
                f"input_size {self.input_size} does not survive {len(self.stage_channels) - 1} "
                f"halvings in family B: a multiple of {step} is needed, such as {allowed}"
            )

    @property
    def stage_channels(self) -> tuple[int, ...]:
        """Output channels of each stage, `width` or `channels` applied."""
        if self.channels is not None:
            return self.channels
        return tuple(max(1, round(self.width * channels)) for channels in PAPER_CHANNELS)

    @property
    def stage_blocks(self) -> tuple[int, ...]:
        """Residual blocks of each stage of family A."""
        return PAPER_BLOCKS if self.blocks is None else self.blocks
