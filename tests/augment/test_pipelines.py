"""The transforms as the engine calls them."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from iic.augment import jitter
from iic.augment.affine import AffineMaps
from iic.augment.colour import ColourDraws, ColourPipeline
from iic.augment.grey import GreyDraws, GreyPipeline
from iic.augment.pipeline import Augmentation, build
from iic.params.augmentation import Affine, ColourAugmentation, Cutout, GreyAugmentation
from tests.augment.augment_helpers import LEVEL, photographs, seeded

GREY = GreyAugmentation()
STL10 = ColourAugmentation()
CIFAR = ColourAugmentation(crop=20, input_size=32, channels="rgb+grey")
FINETUNE = ColourAugmentation(crop=40, input_size=32, affine=Affine(), cutout=Cutout(side=(8, 28)))
WARPED = GreyAugmentation(affine=Affine(probability=0.8))
SIZES = [(GREY, 28), (WARPED, 28), (STL10, 72), (CIFAR, 32), (FINETUNE, 48)]
each = pytest.mark.parametrize(
    ("settings", "size"), SIZES, ids=["grey", "warped", "stl", "cifar", "finetune"]
)


def batch(
    settings: GreyAugmentation | ColourAugmentation, size: int, count: int = 6
) -> torch.Tensor:
    return photographs(count, settings.image_channels, size)


def jittered(image: torch.Tensor, jitters: jitter.Jitters, i: int) -> torch.Tensor:
    brightness, contrast, saturation, _ = jitters.factors[i].tolist()
    turn = float(jitters.hue[i]) if jitters.hue is not None else 0.0
    steps = [
        lambda image: tv.adjust_brightness(image, brightness),
        lambda image: tv.adjust_contrast(image, contrast),
        lambda image: tv.adjust_saturation(image, saturation),
        lambda image: tv.adjust_hue(image, turn),
    ]
    for operation in jitters.order[i].tolist():
        image = steps[operation](image)
    return image


def warped(image: torch.Tensor, maps: AffineMaps, i: int) -> torch.Tensor:
    if not maps.active[i]:
        return image
    shift = [int(maps.shift_x[i]), int(maps.shift_y[i])]
    angle, scale, shear = float(maps.angle[i]), float(maps.scale[i]), float(maps.shear[i])
    return tv.affine(image, angle, shift, scale, [shear, 0.0], InterpolationMode.BILINEAR)


@pytest.mark.parametrize("wanted", [GREY, WARPED], ids=["paper", "affine"])
def test_grey_chain_is_torchvisions(wanted: GreyAugmentation) -> None:
    pipeline = GreyPipeline(wanted)
    images = batch(GREY, 28, 40)
    draws: GreyDraws = pipeline.draw_transformed(40, 28, 28, seeded())
    ours = pipeline.apply_transformed(images, draws)
    agrees = 0.0
    for i in range(40):
        side = GREY.crops[int(draws.windows.size_index[i])]
        image = tv.rotate(images[i], float(draws.angles[i]))
        image = tv.to_dtype(image, torch.float32, scale=True)
        image = image if draws.maps is None else warped(image, draws.maps, i)
        image = tv.crop(image, int(draws.windows.top[i]), int(draws.windows.left[i]), side, side)
        image = tv.resize(image, [24, 24], antialias=True)
        agrees += float(
            ((ours[i] - jittered(image, draws.jitters, i)).abs() < LEVEL).float().mean()
        )
    assert agrees / 40 >= 0.995


@pytest.mark.parametrize("channels", ["grey", "rgb+grey"])
def test_colour_chain_is_torchvisions(channels: str) -> None:
    settings = FINETUNE.model_copy(update={"channels": channels, "sobel": False})
    pipeline = ColourPipeline(settings)
    images = batch(settings, 48, 24)
    draws: ColourDraws = pipeline.draw_transformed(24, 48, 48, seeded())
    ours = pipeline.apply_transformed(images, draws)
    maps, squares = draws.maps, draws.squares
    assert maps is not None and squares is not None
    for i in range(24):
        image = tv.to_dtype(images[i], torch.float32, scale=True)
        image = tv.crop(image, int(draws.windows.top[i]), int(draws.windows.left[i]), 40, 40)
        image = warped(image, maps, i)
        if side := int(squares.side[i]):
            black = torch.zeros(3, side, side)
            image = tv.erase(image, int(squares.top[i]), int(squares.left[i]), side, side, black)
        image = tv.resize(image, [32, 32], antialias=True)
        image = tv.horizontal_flip(image) if draws.flips[i] else image
        image = jittered(image, draws.jitters, i)
        grey = tv.rgb_to_grayscale(image)
        expected = torch.cat([image, grey]) if channels == "rgb+grey" else grey
        torch.testing.assert_close(ours[i], expected, atol=LEVEL, rtol=0)


def test_sobel_takes_the_place_of_grey() -> None:
    images = batch(CIFAR, 32)
    with_sobel = build(CIFAR).transformed(images, 2, seeded())
    without = build(CIFAR.model_copy(update={"sobel": False})).transformed(images, 2, seeded())
    assert torch.equal(with_sobel[:, :3], without[:, :3])
    grey = without[:, 3:]
    inner = (grey[..., 1:-1, :-2] - grey[..., 1:-1, 2:]) * 2
    inner += grey[..., :-2, :-2] + grey[..., 2:, :-2] - grey[..., :-2, 2:] - grey[..., 2:, 2:]
    torch.testing.assert_close(with_sobel[:, 3:4, 1:-1, 1:-1], inner, atol=1e-5, rtol=0)


@each
def test_shapes_types_and_range(settings: Any, size: int) -> None:
    augmentation: Augmentation = build(settings)
    images = batch(settings, size)
    before = images.clone()
    original = augmentation.original(images, seeded())
    transformed = augmentation.transformed(images, 3, seeded())
    evaluation = augmentation.evaluation(images)
    side = settings.input_size
    assert augmentation.input_size == side
    assert augmentation.output_channels == settings.output_channels
    assert original.shape == evaluation.shape == (6, settings.output_channels, side, side)
    assert transformed.shape == (18, settings.output_channels, side, side)
    bound = 4 if isinstance(settings, ColourAugmentation) else 1
    for result in (original, transformed, evaluation):
        assert result.dtype == torch.float32 and result.is_contiguous()
        assert -bound <= result.min() and result.max() <= bound
        assert bound == 4 or result.min() >= 0
    assert torch.equal(images, before)


@each
def test_the_seed_decides(settings: Any, size: int) -> None:
    augmentation = build(settings)
    images = batch(settings, size)
    for call in (
        lambda generator: augmentation.original(images, generator),
        lambda generator: augmentation.transformed(images, 2, generator),
    ):
        assert torch.equal(call(seeded(1)), call(seeded(1)))
        assert not torch.equal(call(seeded(1)), call(seeded(2)))
        generator = seeded(1)
        assert not torch.equal(call(generator), call(generator))
    torch.manual_seed(0)
    state = torch.get_rng_state()
    augmentation.transformed(images, 2, seeded())
    assert torch.equal(torch.get_rng_state(), state), "the global generator was used"
    assert torch.equal(augmentation.evaluation(images), augmentation.evaluation(images))


@each
def test_each_image_depends_on_its_own_row_only(settings: Any, size: int) -> None:
    augmentation = build(settings)
    images = batch(settings, size, 7)
    draws = augmentation.draw_transformed(7, size, size, seeded())
    together = augmentation.apply_transformed(images, draws)
    for i in range(7):
        row = slice(i, i + 1)
        alone = augmentation.apply_transformed(images[row], draws.rows(row))
        torch.testing.assert_close(together[row], alone, atol=1e-5, rtol=0)
    other = images.clone()
    other[3] = 255 - other[3]
    changed = (augmentation.apply_transformed(other, draws) != together).flatten(1).any(1)
    assert changed.tolist() == [i == 3 for i in range(7)]


def test_large_batches_on_the_cpu_go_in_parts_with_the_same_result() -> None:
    pipeline = ColourPipeline(STL10)
    images = batch(STL10, 64, 50)
    draws = pipeline.draw_transformed(100, 64, 64, seeded())
    together = pipeline.apply_transformed(images.repeat(2, 1, 1, 1), draws)
    torch.testing.assert_close(
        pipeline.transformed(images, 2, seeded()), together, atol=1e-5, rtol=0
    )


@each
def test_copies_are_repeat_major_and_drawn_independently(settings: Any, size: int) -> None:
    augmentation = build(settings)
    images = batch(settings, size, 4)
    result = augmentation.transformed(images, 5, seeded())
    draws = augmentation.draw_transformed(20, size, size, seeded())
    for position in range(20):
        row = slice(position, position + 1)
        source = images[position % 4 : position % 4 + 1]
        expected = augmentation.apply_transformed(source, draws.rows(row))
        torch.testing.assert_close(result[row], expected, atol=1e-5, rtol=0)
    same = images[:1].expand(20, -1, -1, -1)
    versions = augmentation.transformed(same, 1, seeded()).flatten(1)
    assert len(versions.unique(dim=0)) == 20


def test_originals_are_central_half_of_the_time() -> None:
    pipeline = GreyPipeline(GREY)
    windows = pipeline.draw_original(20_000, 28, 28, seeded())
    central = ((windows.top == 4) & (windows.left == 4)).float().mean()
    assert abs(float(central) - (0.5 + 0.5 / 81)) < 0.015
    assert windows.top.min() == 0 and windows.top.max() == 8
    always = GreyPipeline(GreyAugmentation(centre_probability=1.0))
    images = batch(GREY, 28)
    assert torch.equal(always.original(images, seeded()), always.evaluation(images))


def test_without_randomness_the_transformed_image_is_the_evaluation_image() -> None:
    still_grey = GreyAugmentation(
        crop=28, crops=(28,), rotation_probability=0, brightness=0, contrast=0
    )
    still_colour = ColourAugmentation(
        crop=32,
        input_size=24,
        flip_probability=0,
        brightness=0,
        contrast=0,
        saturation=0,
        hue=0,
        channels="rgb+grey",
    )
    for settings, size in ((still_grey, 28), (still_colour, 32)):
        images = batch(settings, size)
        augmentation = build(settings)
        torch.testing.assert_close(
            augmentation.transformed(images, 1, seeded()),
            augmentation.evaluation(images),
            atol=1e-5,
            rtol=0,
        )


@each
def test_autocast_does_not_coarsen_pixels(settings: Any, size: int) -> None:
    augmentation = build(settings)
    images = batch(settings, size)
    plain = augmentation.transformed(images, 2, seeded())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(augmentation.transformed(images, 2, seeded()), plain)


class NoReadBack(TorchDispatchMode):
    """Fails on operations that make the host wait for the device's numbers."""

    waiting = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        assert name not in self.waiting, f"{name} waits for the device"
        return func(*args, **(kwargs or {}))


@each
def test_nothing_is_read_back_to_the_host(settings: Any, size: int) -> None:
    augmentation = build(settings)
    images = batch(settings, size)
    with NoReadBack():
        augmentation.original(images, seeded())
        augmentation.transformed(images, 2, seeded())
        augmentation.evaluation(images)
    with pytest.raises(AssertionError, match="waits"), NoReadBack():
        float(images.sum())


def test_wrong_images_are_refused() -> None:
    grey, colour = build(GREY), build(STL10)
    with pytest.raises(
        ValueError, match=r"uint8 images of shape \(U, 1, H, W\), got torch.float32"
    ):
        grey.transformed(torch.zeros(2, 1, 28, 28), 1, seeded())
    with pytest.raises(ValueError, match=r"shape \(U, 3, H, W\)"):
        colour.evaluation(torch.zeros(2, 1, 96, 96, dtype=torch.uint8))
    small = torch.zeros(2, 1, 22, 22, dtype=torch.uint8)
    assert grey.evaluation(small).shape == (2, 1, 24, 24)
    with pytest.raises(ValueError, match="side 24 does not fit"):
        grey.transformed(small, 1, seeded())
    with pytest.raises(ValueError, match="at least 1"):
        grey.transformed(small, 0, seeded())


def test_training_imports_no_torchvision() -> None:
    code = "import sys, iic.augment.pipeline; sys.exit('torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("size", [(24, 24), (31, 27)])
def test_ten_crops_are_torchvisions(size: tuple[int, int]) -> None:
    settings = ColourAugmentation(crop=16, input_size=16, channels="rgb+grey", sobel=False)
    images = torch.randint(0, 256, (3, 3, *size), dtype=torch.uint8)
    ours = ColourPipeline(settings).ten_crops(images)
    assert ours.shape == (10, 3, 4, 16, 16)
    for position, expected in enumerate(tv.ten_crop(images, [16, 16])):
        torch.testing.assert_close(ours[position, :, :3], expected / 255, rtol=0, atol=1e-6)
