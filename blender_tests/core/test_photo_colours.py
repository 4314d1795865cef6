# SPDX-License-Identifier: GPL-3.0-or-later
"""What files say about their colours, in every way: the same portrait comes out with the same pixels."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from skimage.data import astronaut

from facedetail_addon.core.colour import to_linear
from facedetail_addon.core.observe.colour import encoding
from facedetail_addon.core.observe.colour.icc import simple_profile
from facedetail_addon.core.observe.photo import read_photo

PORTRAIT = np.ascontiguousarray(astronaut()[20:240, 110:330])
LIGHT = to_linear(PORTRAIT)
LINEAR_CURVE = b"curv\0\0\0\0" + struct.pack(">IHH", 1, 256, 0)
REC2020 = encoding.by_code(9, 8)
P3 = encoding.by_code(12, 13)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(pixels: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of (H, W, 3 or 4) uint8 or uint16 with chunks of our own before the pixels."""
    height, width, channels = pixels.shape
    depth, kind = 8 * pixels.itemsize, {3: 2, 4: 6}[channels]
    big = pixels.astype(pixels.dtype.newbyteorder(">"))
    rows = b"".join(b"\0" + row.tobytes() for row in big)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    own = b"".join(chunk(*c) for c in chunks)
    return b"\x89PNG\r\n\x1a\n" + header + own + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def sixteen(values: np.ndarray) -> np.ndarray:
    return (np.clip(values, 0, 1) * 65535 + 0.5).astype(np.uint16)


def icc(curve: bytes, colorants: np.ndarray, name: bytes) -> bytes:
    """A matrix profile of version 2 with one curve for all channels."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name + bytes(79),
        b"cprt": b"text\0\0\0\0CC0\0",
        b"wtpt": white,
    }
    for tag, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), colorants.T, strict=True):
        tags[tag] = b"XYZ \0\0\0\0" + struct.pack(">3i", *np.round(column * 65536).astype(int))
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, body, start = b"", b"", 132 + 12 * len(tags)
    for tag, content in tags.items():
        content += bytes(-len(content) % 4)
        table += struct.pack(">4sII", tag, start + len(body), len(content))
        body += content
    size = start + len(body)
    head = struct.pack(">I4xI4s4s4s12x4s", size, 0x02100000, b"mntr", b"RGB ", b"XYZ ", b"acsp") + bytes(28)
    head += struct.pack(">3i", 63190, 65536, 54061) + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + body


LINEAR_PROFILE = icc(LINEAR_CURVE, encoding.srgb_in_d50(), b"sRGB-elle-V2-g10.icc")


def in_primaries(light: np.ndarray, of: encoding.Encoding) -> np.ndarray:
    return light @ np.linalg.inv(of.to_rec709).T


def perceptual_quantizer(light: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084 with white at 203 nits."""
    y = (np.maximum(light, 0) * 203 / 10000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * y) / (1 + 2392 / 128 * y)) ** (2523 / 32)


def hybrid_log_gamma(light: np.ndarray) -> np.ndarray:
    """ITU-R BT.2100 for a display of 1000 nits with white at 203 nits."""
    shown = np.maximum(light, 0) * 0.203
    luminance = np.maximum(shown @ [0.2627, 0.678, 0.0593], 1e-9)[..., None]
    scene = shown * luminance ** (1 / 1.2 - 1)
    high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)


def srgb(light: np.ndarray) -> np.ndarray:
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def cicp(*codes: int) -> tuple[bytes, bytes]:
    return b"cICP", bytes(codes)


def chromaticities(*numbers: float) -> tuple[bytes, bytes]:
    return b"cHRM", struct.pack(">8I", *(round(n * 100_000) for n in numbers))


def gamma(number: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(number * 100_000))


ICC_CHUNK = b"iCCP", b"x\0\0" + zlib.compress(LINEAR_PROFILE)
PNGS = {
    "linear profile whose name begins with sRGB": (LIGHT, (ICC_CHUNK,)),
    "gamma 1": (LIGHT, (gamma(1.0),)),
    "gamma 1/1.8 of old Macs": (LIGHT ** (1 / 1.8), (gamma(1 / 1.8),)),
    "PQ in Rec. 2020": (perceptual_quantizer(in_primaries(LIGHT, REC2020)), (cicp(9, 16, 0, 1),)),
    "HLG in Rec. 2020": (hybrid_log_gamma(in_primaries(LIGHT, REC2020)), (cicp(9, 18, 0, 1),)),
    "P3": (srgb(in_primaries(LIGHT, P3)), (cicp(12, 13, 0, 1),)),
    "code points count more than a profile": (PORTRAIT / 255, (cicp(1, 13, 0, 1), ICC_CHUNK)),
    "a profile counts more than gamma": (LIGHT, (gamma(1 / 2.2), ICC_CHUNK)),
    "sRGB counts more than gamma": (PORTRAIT / 255, ((b"sRGB", b"\0"), gamma(1.0))),
    "video's range": ((PORTRAIT / 255 * 219 + 16) / 255, (cicp(1, 13, 0, 0),)),
    "P3 by its primaries": (
        srgb(in_primaries(LIGHT, P3)), (chromaticities(0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PNGS)
def test_png_of_sixteen_bits(tmp_path, case):
    """Off by one level at most, in the darkest tones too; only what is HDR is said, and here nothing is cut off."""
    values, chunks = PNGS[case]
    (tmp_path / "a.png").write_bytes(png(sixteen(values), *chunks))
    photo = read_photo(tmp_path / "a.png")
    assert np.abs(photo.pixels.astype(int) - PORTRAIT).max() <= 1
    assert photo.notices == ()


@pytest.mark.parametrize("chunks", [(gamma(1 / 2.2),), (gamma(0.45),), ((b"sRGB", b"\0"),), (cicp(1, 13, 0, 1),), ()])
def test_what_is_srgb_stays_bit_for_bit(tmp_path, chunks):
    (tmp_path / "a.png").write_bytes(png(PORTRAIT, *chunks))
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png").pixels, PORTRAIT)


def test_what_is_brighter_than_white_is_cut_off_and_said(tmp_path):
    (tmp_path / "a.png").write_bytes(png(sixteen(perceptual_quantizer(in_primaries(4 * LIGHT, REC2020))), PQ_CHUNK))
    photo = read_photo(tmp_path / "a.png")
    assert [notice.code for notice in photo.notices] == ["hdr_photo"]
    dark = PORTRAIT.max(-1) < 40
    assert np.abs(to_linear(photo.pixels)[dark] - 4 * LIGHT[dark]).max() < 0.01


PQ_CHUNK = cicp(9, 16, 0, 1)


def test_codes_that_nobody_knows_are_said(tmp_path):
    (tmp_path / "a.png").write_bytes(png(PORTRAIT, cicp(200, 13, 0, 1)))
    photo = read_photo(tmp_path / "a.png")
    np.testing.assert_array_equal(photo.pixels, PORTRAIT)
    assert [notice.code for notice in photo.notices] == ["colour_profile"]


def test_transparent_parts_of_linear_pictures_lie_over_mid_grey(tmp_path):
    pixels = sixteen(np.concatenate([LIGHT, np.ones_like(LIGHT[..., :1])], -1))
    pixels[:50, :, 3] = 0
    (tmp_path / "a.png").write_bytes(png(pixels, gamma(1.0)))
    read = read_photo(tmp_path / "a.png").pixels
    assert (read[:50] == 128).all() and np.abs(read[50:].astype(int) - PORTRAIT[50:]).max() <= 1


def test_srgb_by_what_the_profile_does_not_by_its_name(tmp_path):
    table = to_linear(np.linspace(0, 1, 1024, dtype=np.float32)).astype(np.float64)
    curve = b"curv\0\0\0\0" + struct.pack(">I", 1024) + sixteen(table).astype(">u2").tobytes()
    same = icc(curve, encoding.srgb_in_d50(), b"c2")
    Image.fromarray(PORTRAIT).save(tmp_path / "a.png", icc_profile=same)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png").pixels, PORTRAIT)
    Image.fromarray((LIGHT * 255 + 0.5).astype(np.uint8)).save(tmp_path / "b.png", icc_profile=LINEAR_PROFILE)
    bright = PORTRAIT.min(-1) > 60
    assert np.abs(read_photo(tmp_path / "b.png").pixels.astype(int) - PORTRAIT)[bright].max() <= 3


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [(0, [2.2]), (1, [2.2, 1.1, -0.1]), (2, [2.2, 1.1, -0.1, 0.0]), (3, [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92,
     0.04045]), (4, [2.4, 0.9, 0.05, 0.1, 0.04, 0.01, 0.0])],
)  # fmt: skip
def test_curves_are_those_of_littlecms(kind, numbers):
    curve = b"para\0\0\0\0" + struct.pack(f">HH{len(numbers)}i", kind, 0, *(round(n * 65536) for n in numbers))
    data = icc(curve, encoding.srgb_in_d50(), b"curves")
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
    source = ImageCms.ImageCmsProfile(io.BytesIO(data))
    theirs = np.asarray(ImageCms.profileToProfile(Image.fromarray(ramp), source, ImageCms.createProfile("sRGB")))
    simple = simple_profile(data)
    ours = srgb(simple.linear(ramp.astype(np.float32) / 255) @ simple.to_rec709.T) * 255
    assert np.abs(ours - theirs).max() < 1.6


def test_grey_jpeg_with_the_profile_of_colours(tmp_path):
    grey = Image.fromarray(PORTRAIT).convert("L")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    grey.save(tmp_path / "with.jpg", icc_profile=profile)
    grey.save(tmp_path / "without.jpg")
    photo = read_photo(tmp_path / "with.jpg")
    assert photo.notices == ()
    np.testing.assert_array_equal(photo.pixels, read_photo(tmp_path / "without.jpg").pixels)


@pytest.mark.parametrize(("primaries", "transfer"), [(12, 13), (1, 8), (9, 16)])
def test_avif_says_it_in_nclx(tmp_path, primaries, transfer):
    """A file of sRGB whose code points are changed to those of the colours it is given."""
    of = encoding.by_code(primaries, 8) or encoding.by_code(1, 8)
    light = in_primaries(LIGHT, of)
    values = {13: srgb, 8: lambda x: x, 16: perceptual_quantizer}[transfer](light)
    stream = io.BytesIO()
    Image.fromarray((np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)).save(
        stream, "AVIF", quality=100, subsampling="4:4:4"
    )
    data = stream.getvalue()
    assert data.count(b"nclx\0\x01\0\x0d") == 1
    (tmp_path / "a.avif").write_bytes(
        data.replace(b"nclx\0\x01\0\x0d", struct.pack(">4sHH", b"nclx", primaries, transfer))
    )
    photo = read_photo(tmp_path / "a.avif")
    bright = PORTRAIT.min(-1) > 60
    assert np.abs(photo.pixels.astype(int) - PORTRAIT)[bright].mean() < (5 if transfer == 16 else 2)
    assert photo.notices == ()


@pytest.mark.parametrize("how", ["interoperability", "colour space"])
def test_adobe_rgb_of_cameras(tmp_path, how):
    adobe = encoding.by_numbers(encoding.ADOBE_GAMMA, encoding.ADOBE_RGB, encoding.D65)
    values = np.clip(in_primaries(LIGHT, adobe), 0, 1) ** (256 / 563)
    exif = Image.Exif()
    if how == "colour space":
        exif.get_ifd(0x8769)[0xA001] = 2
    else:
        exif.get_ifd(0x8769)[0xA001] = 0xFFFF
        exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    Image.fromarray((values * 255 + 0.5).astype(np.uint8)).save(
        tmp_path / "_a.jpg", exif=exif, quality=100, subsampling=0
    )
    assert np.abs(read_photo(tmp_path / "_a.jpg").pixels.astype(int) - PORTRAIT).mean() < 1.5


def test_bitmap_with_primaries_of_its_own(tmp_path):
    """BITMAPV4HEADER, calibrated: P3's primaries and a curve of 1.8."""
    height, width = PORTRAIT.shape[:2]
    values = np.clip(in_primaries(LIGHT, P3), 0, 1) ** (1 / 1.8)
    pixels = (values * 255 + 0.5).astype(np.uint8)
    # X, Y and Z of P3's red, green and blue, white being (0.9505, 1, 1.0891).
    xyz = [0.48657, 0.22897, 0, 0.26567, 0.69174, 0.04511, 0.19822, 0.07929, 1.04394]
    ends = struct.pack("<9i", *(round(n * 2**30) for n in xyz))
    header = struct.pack("<IiiHHIIiiII", 108, width, -height, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(20) + ends
    header += struct.pack("<3I", *(3 * [round(1.8 * 65536)]))
    assert len(header) == 108
    rows = b"".join(row[:, ::-1].tobytes().ljust(-(-3 * width // 4) * 4, b"\0") for row in pixels)
    (tmp_path / "a.bmp").write_bytes(b"BM" + struct.pack("<IHHI", 122 + len(rows), 0, 0, 122) + header + rows)
    assert np.abs(read_photo(tmp_path / "a.bmp").pixels.astype(int) - PORTRAIT).mean() < 1


def test_jpeg_2000_with_a_profile(tmp_path):
    stream = io.BytesIO()
    Image.fromarray((LIGHT * 255 + 0.5).astype(np.uint8)).save(stream, "JPEG2000")
    data = stream.getvalue()
    start = data.index(b"colr") - 4
    old = struct.unpack(">I", data[start : start + 4])[0]
    box = struct.pack(">I4sBBB", 11 + len(LINEAR_PROFILE), b"colr", 2, 0, 0) + LINEAR_PROFILE
    at = data.index(b"jp2h") - 4
    size = struct.unpack(">I", data[at : at + 4])[0] + len(box) - old
    data = data[:at] + struct.pack(">I", size) + data[at + 4 : start] + box + data[start + old :]
    (tmp_path / "a.jp2").write_bytes(data)
    bright = PORTRAIT.min(-1) > 60
    assert np.abs(read_photo(tmp_path / "a.jp2").pixels.astype(int) - PORTRAIT)[bright].max() <= 4


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_tiff_of_floats_is_light(tmp_path, channels):
    values = {1: LIGHT[..., 1], 3: LIGHT, 4: np.concatenate([LIGHT, np.ones_like(LIGHT[..., :1])], -1)}[channels]
    options = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    photometric = "minisblack" if channels == 1 else "rgb"
    tifffile.imwrite(tmp_path / "a.tif", values.astype(np.float32), photometric=photometric, **options)
    photo = read_photo(tmp_path / "a.tif")
    expected = PORTRAIT[..., 1:2] if channels == 1 else PORTRAIT
    assert np.abs(photo.pixels.astype(int) - expected).max() <= 1
    assert [notice.code for notice in photo.notices] == ["colour_profile"]


def test_tiff_of_logarithms(tmp_path):
    cv2.imwrite(str(tmp_path / "a.tif"), LIGHT[..., ::-1])
    assert np.abs(read_photo(tmp_path / "a.tif").pixels.astype(int) - PORTRAIT).mean() < 2


def test_tiff_of_floats_with_a_profile_turned(tmp_path):
    tags = [(34675, "B", len(LINEAR_PROFILE), LINEAR_PROFILE, True), (274, "H", 1, 3, True)]
    tifffile.imwrite(tmp_path / "a.tif", LIGHT[::-1, ::-1].astype(np.float32), photometric="rgb", extratags=tags)
    photo = read_photo(tmp_path / "a.tif")
    assert np.abs(photo.pixels.astype(int) - PORTRAIT).max() <= 1 and photo.notices == ()


def test_tiff_of_floats_that_count_levels(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PORTRAIT.astype(np.float32), photometric="rgb")
    photo = read_photo(tmp_path / "a.tif")
    np.testing.assert_array_equal(photo.pixels, PORTRAIT)
    assert [notice.code for notice in photo.notices] == ["colour_profile"]
