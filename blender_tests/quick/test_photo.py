# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of file an artist may bring: the right pixels, or one clear error."""

import os
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from facedetail_addon.core.errors import PhotoError
from facedetail_addon.core.observe.photo import MAX_SIDE, read_photo

RED, GREEN, BLUE = (220, 40, 30), (30, 200, 60), (20, 60, 210)


@pytest.fixture
def quarters() -> Image.Image:
    """64 × 48: red top left, green top right, blue bottom left, white bottom right."""
    pixels = np.full((48, 64, 3), 255, np.uint8)
    pixels[:24, :32], pixels[:24, 32:], pixels[24:, :32] = RED, GREEN, BLUE
    return Image.fromarray(pixels)


def corner(photo, x, y):
    return photo.pixels[y, x].astype(int)


def png(width: int, height: int, depth: int, kind: int, rows: bytes = b"") -> bytes:
    """A PNG written by hand, for headers no writer would write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp", "a.webp", "a.gif", "a.ppm", "a.tga", "a.jp2"])
def test_formats_give_the_same_pixels(tmp_path, quarters, name):
    path = tmp_path / name
    quarters.save(path, **({"lossless": True} if name == "a.webp" else {}))
    photo = read_photo(path)
    assert photo.pixels.shape == (48, 64, 3) and photo.pixels.dtype == np.uint8
    assert np.abs(photo.pixels.astype(int) - np.asarray(quarters)).max() <= 1
    assert photo.focal_px is None and photo.notices == ()


# Where the red quarter comes to lie when a viewer follows the tag (x, y of its centre), and the size.
UPRIGHT = {
    1: (16, 12), 2: (48, 12), 3: (48, 36), 4: (16, 36), 5: (12, 16), 6: (36, 16), 7: (36, 48), 8: (12, 48),
}  # fmt: skip


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_exif_turns_the_photo_upright(tmp_path, quarters, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned{suffix}"
    quarters.save(path, exif=exif, quality=95, subsampling=0)
    photo = read_photo(path)
    assert photo.pixels.shape[:2] == ((48, 64) if orientation < 5 else (64, 48))
    np.testing.assert_allclose(corner(photo, *UPRIGHT[orientation]), RED, atol=6)


@pytest.mark.parametrize("mode", ["L", "1", "LA", "I;16"])
def test_grey_becomes_three_equal_channels(tmp_path, mode):
    ramp = np.tile(np.linspace(0, 255, 64).round().astype(np.uint8), (8, 1))
    image = Image.fromarray(ramp.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(ramp).convert(mode)
    image.save(tmp_path / "grey.png")
    pixels = read_photo(tmp_path / "grey.png").pixels
    assert (pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all()
    if mode == "1":
        assert set(np.unique(pixels)) == {0, 255}
    else:
        np.testing.assert_array_equal(pixels[..., 0], ramp)


def test_sixteen_bit_colour(tmp_path):
    values = np.array([[[0, 30000, 65535], [40000, 257, 12345]]], ">u2")
    (tmp_path / "deep.png").write_bytes(png(2, 1, 16, 2, b"\0" + values.tobytes()))
    np.testing.assert_allclose(read_photo(tmp_path / "deep.png").pixels, values.astype(float) / 257, atol=1)


def test_cmyk_without_profile_is_converted_and_said(tmp_path, quarters):
    quarters.convert("CMYK").save(tmp_path / "print.jpg", quality=95, subsampling=0)
    photo = read_photo(tmp_path / "print.jpg")
    np.testing.assert_allclose(corner(photo, 16, 12), RED, atol=6)
    assert [notice.code for notice in photo.notices] == ["colour_profile"]


def test_embedded_profile_is_applied(tmp_path):
    """Lab is a profile Pillow can make itself whose numbers are far from sRGB's."""
    lab = ImageCms.createProfile("LAB")
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), lab, "RGB", "LAB")
    image = ImageCms.applyTransform(Image.new("RGB", (8, 8), RED), to_lab)
    image.save(tmp_path / "lab.tif", icc_profile=ImageCms.ImageCmsProfile(lab).tobytes())
    np.testing.assert_allclose(corner(read_photo(tmp_path / "lab.tif"), 4, 4), RED, atol=3)


def test_broken_profile_is_said(tmp_path, quarters):
    quarters.save(tmp_path / "odd.png", icc_profile=b"no profile at all")
    photo = read_photo(tmp_path / "odd.png")
    np.testing.assert_array_equal(photo.pixels, np.asarray(quarters))
    assert [notice.code for notice in photo.notices] == ["colour_profile"]


def test_palette_with_alpha_lies_over_mid_grey(tmp_path):
    image = Image.new("P", (8, 8), 0)
    image.putpalette([*RED, *GREEN, *BLUE])
    image.paste(1, (4, 0, 8, 8))
    image.save(tmp_path / "palette.png", transparency=bytes([0, 255, 255]))
    photo = read_photo(tmp_path / "palette.png")
    np.testing.assert_array_equal(corner(photo, 1, 1), (128, 128, 128))
    np.testing.assert_array_equal(corner(photo, 6, 6), GREEN)


def test_half_transparent_colour(tmp_path):
    Image.new("RGBA", (4, 4), (*RED, 128)).save(tmp_path / "half.png")
    np.testing.assert_allclose(corner(read_photo(tmp_path / "half.png"), 1, 1), (np.array(RED) + 128) / 2, atol=1.5)


def test_one_pixel(tmp_path):
    Image.new("RGB", (1, 1), BLUE).save(tmp_path / "dot.png")
    np.testing.assert_array_equal(read_photo(tmp_path / "dot.png").pixels, [[BLUE]])


@pytest.mark.parametrize("name", ["Zoë 李 Ünïcode.png", "two  spaces .jpeg", "no_extension", "a.b.c.txt", "photo.jpg"])
def test_names_do_not_matter(tmp_path, quarters, name):
    quarters.save(tmp_path / name, "PNG")
    np.testing.assert_array_equal(read_photo(tmp_path / name).pixels, np.asarray(quarters))


def test_first_picture_of_an_animation(tmp_path, quarters):
    quarters.save(tmp_path / "moves.gif", save_all=True, append_images=[Image.new("RGB", quarters.size, GREEN)])
    np.testing.assert_allclose(corner(read_photo(tmp_path / "moves.gif"), 16, 12), RED, atol=2)


def test_large_photo_is_shrunk_and_said(tmp_path):
    """A JPEG is decoded at half size, then shrunk; the colours stay."""
    image = Image.new("RGB", (14000, 500), RED)
    image.paste(GREEN, (7000, 0, 14000, 500))
    image.save(tmp_path / "wide.jpg", quality=95)
    photo = read_photo(tmp_path / "wide.jpg")
    assert photo.pixels.shape == (214, MAX_SIDE, 3)
    np.testing.assert_allclose(corner(photo, 1500, 100), RED, atol=4)
    np.testing.assert_allclose(corner(photo, 4500, 100), GREEN, atol=4)
    assert [notice.code for notice in photo.notices] == ["photo_shrunk"]


def test_bomb_is_refused_from_its_header(tmp_path):
    limit_before = Image.MAX_IMAGE_PIXELS
    (tmp_path / "bomb.png").write_bytes(png(20000, 20000, 8, 2, b"\0"))
    with pytest.raises(PhotoError, match="20000 × 20000 pixels") as caught:
        read_photo(tmp_path / "bomb.png")
    assert "Shrink" in caught.value.remedy
    assert limit_before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".gif"])
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_truncated_file(tmp_path, suffix, kept):
    noise = np.random.default_rng(1).integers(0, 256, (200, 300, 3)).astype(np.uint8)
    path = tmp_path / f"cut{suffix}"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(PhotoError, match="cut") as caught:
        read_photo(path)
    assert caught.value.remedy


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".gif", ".bmp", ".tga", ".psd"])
def test_damaged_bytes_never_give_another_error(tmp_path, quarters, suffix):
    path = tmp_path / f"bad{suffix}"
    if suffix == ".psd":
        whole = b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 48, 64, 8, 3) + bytes(14) + bytes(48 * 64 * 3)
    else:
        quarters.save(path)
        whole = path.read_bytes()
    rng = np.random.default_rng(2)
    for _ in range(60):
        data = bytearray(whole)
        for position in rng.integers(0, min(len(data), 400), 6):
            data[position] = rng.integers(256)
        path.write_bytes(data)
        try:
            pixels = read_photo(path).pixels
        except PhotoError as error:
            assert str(path) in error.message and error.remedy
        else:
            assert pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b"not a picture", "not an image"), (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not an image")],
)
def test_no_image_at_all(tmp_path, content, said):
    (tmp_path / "file.jpg").write_bytes(content)
    with pytest.raises(PhotoError, match=said) as caught:
        read_photo(tmp_path / "file.jpg")
    assert "file.jpg" in caught.value.message and caught.value.remedy


def test_a_pillow_without_some_format(tmp_path, monkeypatch):
    Image.init()
    monkeypatch.delitem(Image.OPEN, "AVIF")
    path = tmp_path / "x.jpg"
    path.write_bytes(b"not a picture")
    with pytest.raises(PhotoError, match="not an image"):
        read_photo(path)


def test_missing_file_folder_and_pipe(tmp_path):
    with pytest.raises(PhotoError, match=r"gone\.jpg does not exist"):
        read_photo(tmp_path / "gone.jpg")
    with pytest.raises(PhotoError, match="is a folder"):
        read_photo(tmp_path)
    with pytest.raises(PhotoError, match="cannot be opened|does not exist"):
        read_photo(tmp_path / ("n" * 300))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
        with pytest.raises(PhotoError, match="is not a file"):
            read_photo(tmp_path / "pipe.jpg")


def focal(tmp_path, size, tags) -> float | None:
    exif = Image.Exif()
    exif.get_ifd(0x8769).update(tags)
    Image.new("RGB", size).save(tmp_path / "camera.jpg", exif=exif)
    return read_photo(tmp_path / "camera.jpg").focal_px


def test_focal_length_from_the_film_equivalent(tmp_path):
    """50 mm on 36 × 24 mm film: 50/36 of the width of a 3:2 photo."""
    assert focal(tmp_path, (1200, 800), {0xA405: 50}) == pytest.approx(1200 * 50 / 36, rel=1e-3)


def test_focal_length_from_the_sensor(tmp_path):
    """A 4000 px wide photo of a sensor with 4000 px in 16 mm, later halved: 8 mm are 1000 px."""
    tags = {0x920A: 8.0, 0xA20E: 4000 / 16, 0xA210: 4, 0xA002: 4000, 0xA003: 3000}
    assert focal(tmp_path, (2000, 1500), tags) == pytest.approx(1000, rel=1e-3)


def test_focal_length_follows_shrinking(tmp_path):
    assert focal(tmp_path, (6600, 4400), {0xA405: 50}) == pytest.approx(6000 * 50 / 36, rel=1e-3)


@pytest.mark.parametrize(
    "tags",
    [{}, {0xA405: 0}, {0xA405: 5000}, {0x920A: 8.0}, {0xA405: 50, 0xA002: 1200, 0xA003: 1200}],
    ids=["no tags", "zero", "implausible", "unknown sensor", "cropped"],
)
def test_focal_length_unknown(tmp_path, tags):
    assert focal(tmp_path, (1200, 800), tags) is None


HEIC = Path(__file__).parent / "data" / "quarters.heic"
"""The quarters, to be turned as a phone held upright is, of 50 mm on film."""


def test_heic(tmp_path):
    pytest.importorskip("pi_heif", reason="needs pi-heif")
    photo = read_photo(HEIC)
    assert photo.pixels.shape == (64, 48, 3) and photo.notices == ()
    np.testing.assert_allclose(corner(photo, *UPRIGHT[6]), RED, atol=4)
    assert photo.focal_px == pytest.approx(50 / np.hypot(36, 24) * np.hypot(64, 48), rel=1e-3)
    whole = HEIC.read_bytes()
    in_p3 = whole.replace(b"nclx\0\x01\0\x0d", b"nclx\0\x0c\0\x0d")
    (tmp_path / "p3.HEIC").write_bytes(in_p3)
    assert corner(read_photo(tmp_path / "p3.HEIC"), *UPRIGHT[6])[0] > RED[0] + 8, "P3's red is redder"
    for kept in (40, 300, len(whole) - 200):
        (tmp_path / "cut.heic").write_bytes(whole[:kept])
        with pytest.raises(PhotoError, match="cut.heic"):
            read_photo(tmp_path / "cut.heic")


def test_heic_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(PhotoError, match="HEIC.*pi-heif") as caught:
        read_photo(HEIC)
    assert "JPEG" in caught.value.remedy
