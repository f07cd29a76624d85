"""Every format, every broken file, and an order that names do not change."""

from __future__ import annotations

import gzip
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from iic.own.decode import decode
from iic.own.errors import OwnDataError, Unreadable
from iic.own.items import FileItem, Listing
from iic.own.reading import ColourFound, Images, Scan, collect, scan, write_skipped
from iic.own.sources import listing
from tests.own.pictures import encoded, folder, shapes

RAMP = np.linspace(0, 255, 32 * 32).reshape(32, 32).astype(np.uint8)


def read(source: Path, tmp_path: Path, side: int = 16, channels: int = 1) -> Images:
    return collect(scan(listing(source)), side, channels, tmp_path / "out" / "images.npy")


@pytest.mark.parametrize("kind", ["png", "webp", "gif", "bmp", "tiff", "jpeg"])
def test_grey_formats_give_the_same_picture(kind: str) -> None:
    options = {"lossless": True} if kind == "webp" else {}
    content = encoded(Image.fromarray(RAMP), kind, **options)
    pixels = decode(content, 32)
    assert abs(pixels.astype(int).mean(0) - RAMP).max() <= (6 if kind == "jpeg" else 1)


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "CMYK", "RGB", "YCbCr"])
def test_modes_become_grey_or_colour(mode: str) -> None:
    kind = {"CMYK": "tiff", "YCbCr": "jpeg"}.get(mode, "png")
    pixels = decode(encoded(Image.new("RGB", (40, 30), (200, 40, 90)).convert(mode), kind), 16)
    assert pixels.dtype == np.uint8
    assert pixels.shape == ((1, 16, 16) if mode == "1" else (3, 16, 16))
    if mode in ("RGB", "RGBA", "CMYK", "YCbCr"):
        assert abs(pixels[:, 8, 8].astype(int) - (200, 40, 90)).max() <= 3


def test_what_is_transparent_lies_on_white() -> None:
    pixels = decode(encoded(Image.new("RGBA", (16, 16), (10, 20, 30, 0)), "png"), 16)
    assert (pixels == 255).all()


def test_16_bits_are_stretched_from_darkest_to_brightest() -> None:
    deep = (RAMP.astype(np.uint16) * 16) + 1000
    pixels = decode(encoded(Image.fromarray(deep), "tiff"), 32)
    assert pixels.min() == 0 and pixels.max() == 255
    assert abs(pixels[0].astype(int) - RAMP).max() <= 1


def test_a_tiff_that_pillow_does_not_know(tmp_path: Path) -> None:
    deep = np.stack([RAMP.astype(np.uint16) * 257] * 3, axis=2)
    tifffile.imwrite(tmp_path / "deep.tif", deep, photometric="rgb")
    assert decode((tmp_path / "deep.tif").read_bytes(), 32).shape == (3, 32, 32)


def test_exif_says_which_side_is_up() -> None:
    image = Image.fromarray(np.repeat(np.uint8([[0], [255]]), 16, axis=0).repeat(32, axis=1))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = decode(encoded(image, "png", exif=exif), 32)[0]
    assert turned[:, 0].mean() > 250 and turned[:, -1].mean() < 5
    assert decode(encoded(image, "png"), 32)[0][0].mean() < 5


def test_the_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((8, 8), grey, np.uint8)) for grey in (10, 200)]
    content = encoded(frames[0], "gif", save_all=True, append_images=frames[1:])
    assert abs(int(decode(content, 8).max()) - 10) <= 1


def test_sizes_are_mixed_and_the_middle_is_kept() -> None:
    wide = np.zeros((20, 60), np.uint8)
    wide[:, 20:40] = 255
    assert (decode(encoded(Image.fromarray(wide), "png"), 20) == 255).all()


def test_a_100_megapixel_png_is_read_and_a_larger_one_refused() -> None:
    content = encoded(Image.new("L", (10_000, 10_000), 77), "png")
    assert (decode(content, 16) == 77).all()
    huge = encoded(Image.new("1", (20_000, 20_000)), "png")
    with pytest.raises(Unreadable, match="pixels"):
        decode(huge, 16)


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    """60 files, and a link that leads back."""
    top = tmp_path / "messy"
    folder(top, 47)
    grey = Image.fromarray(RAMP)
    picture = encoded(grey, "png")
    exif = Image.Exif()
    exif[0x0112] = 6
    (top / "turned.jpg").write_bytes(encoded(grey, "jpeg", exif=exif))
    (top / "moves.gif").write_bytes(
        encoded(grey, "gif", save_all=True, append_images=[grey.rotate(90)])
    )
    (top / "deep.tif").write_bytes(encoded(Image.fromarray(RAMP.astype(np.uint16) * 257), "tiff"))
    (top / "print.tif").write_bytes(encoded(grey.convert("CMYK"), "tiff"))
    (top / "clear.webp").write_bytes(encoded(grey.convert("RGBA"), "webp"))
    (top / "few.bmp").write_bytes(encoded(grey.convert("P"), "bmp"))
    (top / "no ending").write_bytes(encoded(grey.convert("1"), "png"))
    (top / "leer.png").write_bytes(b"")
    (top / "cut.png").write_bytes(picture[: len(picture) // 2])
    (top / "text.jpg").write_text("no picture at all")
    (top / "Übung mit Leerzeichen.png").write_bytes(picture)
    (top / "loop").symlink_to(top)
    (top / "gone.png").symlink_to(top / "nowhere.png")
    os.mkfifo(top / "pipe.png")
    return top


def test_messy_files_are_skipped_once_with_their_reason(messy: Path, tmp_path: Path) -> None:
    images = read(messy, tmp_path)
    assert len(images.names) == 47 + 8 and "Übung mit Leerzeichen.png" in images.names
    reasons = {one.name: one.reason for one in images.skipped}
    assert len(reasons) == len(images.skipped) == 6
    assert reasons["leer.png"] == "empty file"
    assert reasons["text.jpg"] == "no image of a known format"
    assert reasons["loop"] == "a link to a folder that is read already"
    assert reasons["gone.png"] == "no such file" and reasons["pipe.png"] == "no regular file"
    assert "truncated" in reasons["cut.png"]
    write_skipped(tmp_path / "skipped.csv", images.skipped)
    assert (tmp_path / "skipped.csv").read_text().count("\n") == 7


def test_names_and_their_order_do_not_matter(tmp_path: Path) -> None:
    first = read(folder(tmp_path / "first"), tmp_path / "a")
    files = sorted((tmp_path / "first").rglob("*.png"))
    renamed = tmp_path / "renamed"
    renamed.mkdir()
    for number, path in enumerate(reversed(files)):
        (renamed / f"x{number}.bin").write_bytes(path.read_bytes())
    second = read(renamed, tmp_path / "b")
    assert first.digest == second.digest
    assert np.array_equal(first.pixels, second.pixels)
    assert isinstance(first.pixels, np.memmap)


def test_a_file_that_vanishes_between_looking_and_reading(tmp_path: Path) -> None:
    top = folder(tmp_path / "images", 6)
    scanned = scan(listing(top))
    victim = sorted(top.rglob("*.png"))[0]
    victim.unlink()
    images = collect(scanned, 16, 1, tmp_path / "images.npy")
    assert images.pixels.shape == (5, 1, 16, 16)
    assert [one.reason for one in images.skipped] == ["no such file"]


def test_arrays_zips_listings_and_idx_hold_the_same_images(tmp_path: Path) -> None:
    pixels, labels = shapes(10)
    np.save(tmp_path / "a.npy", pixels)
    np.savez(tmp_path / "a.npz", images=pixels, y=labels)
    head = b"\0\0\x08\x03" + struct.pack(">3I", *pixels.shape)
    (tmp_path / "a-idx3-ubyte").write_bytes(head + pixels.tobytes())
    (tmp_path / "a.gz").write_bytes(gzip.compress(head + pixels.tobytes()))
    arrays = [
        read(tmp_path / name, tmp_path) for name in ("a.npy", "a.npz", "a-idx3-ubyte", "a.gz")
    ]
    assert len({one.digest for one in arrays}) == 1
    assert sorted(filter(None, arrays[1].labels)) == ["0"] * 5 + ["1"] * 5
    top = folder(tmp_path / "images", 10)
    files = sorted(top.rglob("*.png"))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in files:
            archive.write(path, path.relative_to(top))
    rows = "".join(f"{path.relative_to(tmp_path)},{path.parent.name}\n" for path in files)
    (tmp_path / "a.csv").write_text("Path,label\n" + rows)
    packed, listed = read(tmp_path / "a.zip", tmp_path), read(tmp_path / "a.csv", tmp_path)
    assert packed.digest == listed.digest == read(top, tmp_path).digest
    assert packed.labels == listed.labels
    assert np.array_equal(np.sort(packed.pixels, 0), np.sort(arrays[0].pixels, 0))


def test_an_idx_file_that_is_cut(tmp_path: Path) -> None:
    content = b"\0\0\x08\x03" + struct.pack(">3I", 10, 20, 20) + shapes(10)[0].tobytes()
    packed = gzip.compress(content)
    for name, part, reason in (
        ("a", content[:-1], r"cut: 3,999 pixels, but its head says \(10, 20, 20\)"),
        ("b", content[:9], "cut: 9 bytes"),
        ("a.gz", packed[: len(packed) // 2], "cannot be unpacked"),
    ):
        (tmp_path / name).write_bytes(part)
        with pytest.raises(OwnDataError, match=reason):
            listing(tmp_path / name)


def test_a_listing_names_files_that_are_not_there(tmp_path: Path) -> None:
    folder(tmp_path / "images", 4)
    name = next((tmp_path / "images").rglob("*.png")).relative_to(tmp_path)
    (tmp_path / "a.csv").write_text(f"file\n{name}\nnowhere.png\n")
    images = read(tmp_path / "a.csv", tmp_path)
    assert [(one.name, one.reason) for one in images.skipped] == [("nowhere.png", "no such file")]
    (tmp_path / "a.csv").write_text(f"file,label\n{name},x\n{name},x\ngone.png,y\ngone.png,y\n")
    images = read(tmp_path / "a.csv", tmp_path)
    assert images.names == [str(name)] and len(images.skipped) == 1
    (tmp_path / "a.csv").write_text(f"file,label\n{name},x\n{name},y\n")
    with pytest.raises(OwnDataError, match="is listed twice, as 'x' and as 'y'"):
        listing(tmp_path / "a.csv")


@pytest.mark.parametrize("top", [1.0, 16.0, 4095.0])
def test_numbers_are_scaled_to_bytes(tmp_path: Path, top: float) -> None:
    np.save(tmp_path / "a.npy", np.array([[[0, top], [top, 0]]]).astype(np.float32))
    pixels = read(tmp_path / "a.npy", tmp_path, side=2).pixels
    assert pixels[0, 0, 0].tolist() == [0, 255]


def test_one_row_alone_is_scaled_as_it_was_among_others(tmp_path: Path) -> None:
    many = np.arange(17.0)[:, None, None].repeat(2, axis=1).repeat(2, axis=2)
    np.save(tmp_path / "all.npy", many)
    np.save(tmp_path / "dark.npy", many[3:4])
    listed = listing(tmp_path / "all.npy")
    assert listed.top == 16
    alone = listing(tmp_path / "dark.npy", listed.top)
    assert np.array_equal(alone.items[0].read(), listed.items[3].read())


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((4, 5)), "shape"),
        (np.zeros((4, 5, 5, 7)), "shape"),
        (np.full((2, 3, 3), np.nan), "NaN"),
        (np.full((2, 3, 3), -1.0), "shift"),
        (np.full((2, 3, 3), "a"), "no type of pixels"),
    ],
)
def test_arrays_that_are_no_images(tmp_path: Path, array: np.ndarray, reason: str) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(OwnDataError, match=reason):
        listing(tmp_path / "a.npy")


def test_sources_that_hold_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OwnDataError, match="no such file"):
        listing(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(OwnDataError, match="empty"):
        listing(tmp_path / "empty")
    (tmp_path / "a.zip").write_bytes(b"no zip")
    with pytest.raises(OwnDataError, match="no zip"):
        listing(tmp_path / "a.zip")
    (tmp_path / "a.csv").write_text("name\nx\n")
    with pytest.raises(OwnDataError, match="call the column path"):
        listing(tmp_path / "a.csv")
    (tmp_path / "empty" / "a.txt").write_text("text")
    with pytest.raises(OwnDataError, match="1 x no image of a known format"):
        scan(listing(tmp_path / "empty"))

    def refused(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(OwnDataError, match="Permission denied"):
        listing(tmp_path / "empty")


def test_colour_is_seen_in_the_pixels_and_not_in_the_format(tmp_path: Path) -> None:
    def of(*colours: tuple[int, int, int]) -> Scan:
        items = []
        for number, colour in enumerate(colours):
            path = tmp_path / f"{number}.png"
            Image.new("RGB", (8, 8), colour).save(path)
            items.append(FileItem(path.name, path))
        return scan(Listing(items))

    assert not of((9, 9, 9), (200, 205, 200)).has_colour()
    mixed = of((9, 9, 9), (200, 20, 200))
    assert mixed.has_colour()
    with pytest.raises(ColourFound, match=r"1\.png"):
        collect(mixed, 8, 1, tmp_path / "images.npy", grey_taken=False)
    assert collect(mixed, 8, 1, tmp_path / "images.npy").pixels.shape == (2, 1, 8, 8)
