"""Near-copies: found by contents, neither among images of one kind nor among flat ones."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from iic.own.explain import near_findings
from iic.own.near_copies import near_copies, read_near_copies, write_near_copies


def scene(draw: np.random.Generator) -> np.ndarray:
    """A smooth grey image, (24, 24)."""
    small = Image.fromarray(draw.integers(0, 256, (5, 5)).astype(np.uint8))
    return np.asarray(small.resize((24, 24), Image.Resampling.BICUBIC))


def compressed(image: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "jpeg", quality=75)
    return np.asarray(Image.open(buffer))


def test_compressed_and_noisy_copies_are_found_and_nothing_else(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    images = [scene(draw) for _ in range(60)]
    flat = [np.full((24, 24), level, np.uint8) for level in (0, 40, 200)]
    noisy = np.clip(images[9] + draw.normal(0, 4, (24, 24)), 0, 255).astype(np.uint8)
    copies = [compressed(images[7]), noisy, images[7], images[20][:, ::-1], 255 - images[20]]
    pixels = np.stack([*images, *flat, *copies])[:, None]
    groups = [group.tolist() for group in near_copies(pixels)]
    assert groups == [[7, 63, 65], [9, 64]]
    colour = np.repeat(pixels, 3, axis=1)
    assert [group.tolist() for group in near_copies(colour)] == groups
    names = [f"={number:03d}" for number in range(len(pixels))]
    assert write_near_copies(tmp_path / "a.csv", names, pixels) == 3
    read = read_near_copies(tmp_path / "a.csv")
    assert read == [["=007", "=063", "=065"], ["=009", "=064"]]
    assert "2 images are nearly the same" in near_findings(read, copies=1)[0].text
    assert near_findings(read, copies=3) == []
    assert write_near_copies(tmp_path / "b.csv", names, pixels[:60]) == 0
    assert read_near_copies(tmp_path / "b.csv") == []
