"""Patches of Exemplar-CNN: where they are cut, and what is done to them."""

from __future__ import annotations

import colorsys

import numpy as np
import torch

from iic.methods.exemplar.colours import Palette, palette, stretched, to_hsv, to_rgb
from iic.methods.exemplar.patches import Places, cut, energies, places, recoloured
from iic.methods.exemplar.settings import PatchSettings

STILL = PatchSettings(
    shift=0, magnification=0, rotation_degrees=0, colour_deviation=0, power=0, factor=0, added=0,
    hue=0,
)  # fmt: skip


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 4, side: int = 12) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 3, side, side)).astype(np.uint8)


def test_sides_are_those_of_smaller_images() -> None:
    assert PatchSettings().sides(32) == (32, 40, 50, 62)


def test_energy_is_the_mean_square_of_the_gradient() -> None:
    image = images(1)[0]
    grey = image.mean(axis=0) / 255
    down, right = np.gradient(grey)
    found = energies(image, 5).numpy()
    assert found.shape == (8, 8)
    for top, left in ((0, 0), (3, 7), (7, 2)):
        window = np.s_[top : top + 5, left : left + 5]
        expected = (down[window] ** 2 + right[window] ** 2).mean()
        np.testing.assert_allclose(found[top, left], expected, rtol=1e-12)


def test_patches_lie_where_gradients_are_and_inside_the_image() -> None:
    corner = np.zeros((200, 3, 12, 12), np.uint8)
    corner[:, :, 9:, 9:] = np.random.default_rng(0).integers(0, 256, (200, 1, 3, 3))
    where = places(corner, [4, 5], draw())
    assert set(where.side.tolist()) == {4.0, 5.0}
    for middle in (where.row, where.column):
        assert (middle - where.side / 2 >= 0).all() and (middle + where.side / 2 <= 12).all()
        assert (middle + where.side / 2 > 8).all()
    blank = places(np.zeros((100, 3, 12, 12), np.uint8), [4], draw())
    assert len(set(zip(blank.row.tolist(), blank.column.tolist(), strict=True))) > 20


def test_without_transforms_a_patch_is_what_the_image_has_there() -> None:
    pixels = torch.from_numpy(images(2)).float() / 255
    where = Places(torch.tensor([4.0, 8.0]), torch.tensor([6.0, 5.0]), torch.tensor([4.0, 8.0]))
    found = cut(pixels, where, 4, STILL, draw())
    torch.testing.assert_close(found[0], pixels[0, :, 2:6, 4:8], atol=1e-5, rtol=0)
    # of twice the side every other pixel's neighbourhood
    square = pixels[1, :, 4:12, 1:9]
    means = square.reshape(3, 4, 2, 4, 2).mean(dim=(2, 4))
    torch.testing.assert_close(found[1], means, atol=1e-5, rtol=0)


def test_shifts_turns_and_magnifications_stay_in_their_bounds() -> None:
    """A ramp says where a pixel comes from: rows in red, columns in green."""
    ramp = torch.zeros(3, 64, 64)
    ramp[0] = torch.arange(64)[:, None] / 64
    ramp[1] = torch.arange(64) / 64
    count = 3000
    where = Places(*(torch.full((count,), value) for value in (32.0, 30.0, 20.0)))
    settings = STILL.model_copy(
        update={"shift": 0.25, "magnification": 0.5, "rotation_degrees": 20.0}
    )
    found = cut(ramp.expand(count, -1, -1, -1), where, 8, settings, draw())[:, :2] * 64 + 0.5
    middles = found.mean(dim=(2, 3))
    for number, middle in enumerate((32, 30)):
        offsets = middles[:, number] - middle
        assert -5.01 < offsets.min() < -4.8 and 4.8 < offsets.max() < 5.01
    # from the first to the last column
    steps = (found[:, :, :, -1] - found[:, :, :, 0]).mean(2) / (7 / 8 * 20)
    sizes, angles = steps.norm(dim=1), torch.atan2(steps[:, 0], steps[:, 1]).rad2deg()
    assert 2**-0.5 - 1e-3 < sizes.min() < 0.73 and 1.38 < sizes.max() < 2**0.5 + 1e-3
    assert -20.1 < angles.min() < -19 and 19 < angles.max() < 20.1


def test_hsv_is_pythons() -> None:
    pixels = images(3, 5).astype(np.float64) / 255
    pixels[0, :, 0] = pixels[0, :1, 0]  # grey
    pixels[0, :, 1] = 0
    found = to_hsv(torch.from_numpy(pixels))
    for place in np.ndindex(3, 5, 5):
        number, row, column = place
        expected = colorsys.rgb_to_hsv(*pixels[number, :, row, column])
        np.testing.assert_allclose(found[number, :, row, column], expected, atol=1e-12)
    torch.testing.assert_close(to_rgb(found), torch.from_numpy(pixels))


def test_principal_colours_are_stretched_from_the_mean() -> None:
    pictures = images(6)
    colours = palette(pictures)
    flat = pictures.transpose(1, 0, 2, 3).reshape(3, -1) / 255
    np.testing.assert_allclose(colours.mean, flat.mean(axis=1), atol=1e-6)
    directions = colours.directions.numpy().astype(np.float64)
    spread = directions.T @ np.cov(flat) @ directions
    np.testing.assert_allclose(spread, np.diag(np.diag(spread)), atol=1e-6)
    factors = np.array([[1.0, 2.0, 0.5]])
    found = stretched(torch.from_numpy(pictures[:1]).float() / 255, colours, torch.tensor(factors))
    pixels = pictures[0].reshape(3, -1) / 255 - flat.mean(axis=1, keepdims=True)
    expected = directions @ np.diag(factors[0]) @ directions.T @ pixels
    expected += flat.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found[0].reshape(3, -1), expected, atol=1e-5)


def test_colours_change_alike_in_a_patch_and_not_at_all_without_bounds() -> None:
    pixels = torch.from_numpy(images(4)).float() / 255
    colours = Palette(torch.zeros(3), torch.eye(3))
    torch.testing.assert_close(recoloured(pixels, colours, STILL, draw()), pixels)
    settings = STILL.model_copy(update={"power": 2.0, "factor": 0.5, "added": 0.1})
    changed = to_hsv(recoloured(pixels, colours, settings, draw()))
    for before, after in zip(to_hsv(pixels), changed, strict=True):
        # the hue stays, and the value is a rising function of what it was
        coloured = (after[1] > 0.01) & (after[2] > 0.01)
        turn = (after[0] - before[0] + 0.5).remainder(1) - 0.5
        assert turn[coloured].abs().max() < 1e-3
        order = before[2].flatten().argsort()
        assert (after[2].flatten()[order].diff() > -1e-6).all()
