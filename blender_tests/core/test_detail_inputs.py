# SPDX-License-Identifier: GPL-3.0-or-later
"""What the detail networks look at, and in which units: places, bands, the photo's channels and the light's."""

import cv2
import numpy as np
import pytest
from scipy.spatial import cKDTree

from facedetail_addon.core.colour import LUMINANCE, to_linear
from facedetail_addon.core.detail.inputs import DetailInputs, detail_inputs
from facedetail_addon.core.detail.space import (
    BOX,
    COARSE_MM,
    FINE_MM,
    SIDE,
    TEXEL_MM,
    VALUE_UNIT,
    DetailSpace,
    box_at,
    make_detail_space,
    split_bands,
    texel_vectors,
)
from facedetail_addon.core.face_model.brows import FAR_MM, usual_brows
from facedetail_addon.core.face_model.model import FACE_REGIONS, FaceModel
from facedetail_addon.core.lighting.types import LightEstimate
from facedetail_addon.core.rendering.harmonics import evaluate, lambert
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.rendering.transfer import light_transfer
from facedetail_addon.core.rendering.types import SkinGloss, Transfer
from facedetail_addon.core.uv.atlas import make_atlas
from facedetail_addon.core.uv.types import Atlas, UnwrappedPhoto

R = 512
STEP = SIDE // R
"""Texels of SIDE per texel of the tests' textures."""
HIGH, WIDE = BOX[3] - BOX[1], BOX[2] - BOX[0]
LAMP = evaluate(np.array([-0.5, 0.5, 0.7]) / np.sqrt(0.99), 3)
RADIANCE = np.outer(np.eye(9)[0] * np.sqrt(4 * np.pi) + 0.8 * LAMP, [1.0, 0.95, 0.9]).astype(np.float32)
"""Even light and more of it from above, from the subject's right."""
EVEN = RADIANCE * (np.arange(9) == 0)[:, None]


@pytest.fixture(scope="module")
def atlas(model) -> Atlas:
    return make_atlas(model, R)


@pytest.fixture(scope="module")
def space(model) -> DetailSpace:
    return make_detail_space(model)


@pytest.fixture(scope="module")
def posed(model) -> np.ndarray:
    """(V, 3) all parts of a head that smiles."""
    beta = np.zeros(len(model.expression_names), np.float32)
    beta[[model.expression_names.index(f"mouthSmile{side}") for side in ("Left", "Right")]] = 0.7
    return model.vertices(None, beta)


@pytest.fixture(scope="module")
def transfer(model, posed) -> Transfer:
    triangles = model.triangles()
    count = model.skin.stop
    gloss = SkinGloss(np.full(count, 0.45, np.float32), np.full(count, 0.5, np.float32))
    return light_transfer(posed, triangles, count, np.array([0.0, 0.0, 700.0]), gloss, 3, 128)


@pytest.fixture(scope="module")
def place(model, atlas, posed) -> np.ndarray:
    """(R, R, 3) mm where each texel lies on the posed head; NaN outside the skin."""
    return on_texels(atlas, model.skin.of(posed), np.nan)


@pytest.fixture(scope="module")
def inputs(model, atlas, space, posed, transfer) -> DetailInputs:
    """Of an evenly grey photo."""
    return inputs_of(grey(atlas), estimate(transfer), transfer, model.skin.of(posed), space, atlas)


def inputs_of(photo: UnwrappedPhoto, light: LightEstimate, *given) -> DetailInputs:
    transfer, vertices, space, atlas = given
    bald = np.zeros(len(vertices), np.float32)
    return detail_inputs(photo, light, transfer, vertices, resolvable_at(vertices), bald, space, atlas)


def resolvable_at(vertices: np.ndarray) -> np.ndarray:
    """(V,) mm that grow from one ear to the other."""
    return (1.1 + 0.01 * vertices[:, 0]).clip(0.2, 2.0).astype(np.float32)


def on_texels(atlas: Atlas, values: np.ndarray, outside: float = 0.0) -> np.ndarray:
    """(V_skin, C) to (R, R, C)."""
    out = np.full((atlas.resolution, atlas.resolution, values.shape[1]), outside)
    out[atlas.covered] = atlas.texels(values.astype(np.float32))
    return out


def estimate(transfer: Transfer, radiance: np.ndarray = RADIANCE) -> LightEstimate:
    """The light without what skin sends to skin."""
    shading = np.maximum(transfer.transmission[:, None] * (transfer.diffuse @ radiance), 1e-3).astype(np.float32)
    return LightEstimate(radiance, np.zeros(60, np.float32), shading, transfer.gloss @ radiance, 0.1, False)


def photo_of(atlas: Atlas, color: np.ndarray, confidence: np.ndarray | None = None) -> UnwrappedPhoto:
    """A photo that shows the (R, R, 3) colours everywhere, surely by default."""
    if confidence is None:
        confidence = atlas.covered.astype(np.float32)
    side, count = atlas.resolution, len(atlas.areas)
    vertex, sure = np.zeros((count, 3), np.float32), np.ones(count, np.float32)
    unseen = np.zeros((side, side), np.float32)
    return UnwrappedPhoto(color, confidence, np.zeros_like(color), unseen, vertex, sure, np.zeros_like(sure))


def grey(atlas: Atlas, level: int = 128) -> UnwrappedPhoto:
    return photo_of(atlas, np.full((atlas.resolution, atlas.resolution, 3), level, np.uint8))


def to_texture(channel: np.ndarray) -> np.ndarray:
    """(H, W) over BOX to (R, R), 0 elsewhere."""
    x0, y0, x1, y1 = (edge // STEP for edge in BOX)
    out = np.zeros((R, R))
    out[y0:y1, x0:x1] = cv2.resize(channel, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    return out


def inside(model: FaceModel, atlas: Atlas, vertices: np.ndarray) -> np.ndarray:
    """(R, R) bool: texels, and all around them, that lie between some (V_skin,) vertices only."""
    whole = on_texels(atlas, vertices[:, None].astype(np.float32))[..., 0] > 0.999
    return cv2.erode(whole.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0


def in_regions(model: FaceModel, *names: str) -> np.ndarray:
    return model.in_region(*names)


def test_relief_is_allowed_on_the_face_and_fades_out_around_it(model, space):
    rest = model.skin.of(model.mean)
    assert space.allowed.dtype == np.float32 and space.allowed.shape == (len(rest),)
    assert not space.allowed[in_regions(model, "socket")].any()
    assert (space.allowed[in_regions(model, "forehead")] == 1).all()
    assert space.allowed[in_regions(model, *FACE_REGIONS)].mean() > 0.85
    scalp = np.flatnonzero(in_regions(model, "scalp") & (np.abs(rest[:, 0]) < 45))
    near = np.array(
        [np.linalg.norm(rest[in_regions(model, *FACE_REGIONS)] - rest[row], axis=1).min() for row in scalp[::3]]
    )
    allowed = space.allowed[scalp[::3]]
    assert (allowed[near > 14] == 0).all() and allowed[near < 5].min() > 0.6
    assert np.corrcoef(near[near < 14], allowed[near < 14])[0, 1] < -0.9


def test_relief_fades_out_towards_eyes_nostrils_and_the_mouths_inside(model, space):
    rest = model.skin.of(model.mean)
    face = np.flatnonzero(in_regions(model, "forehead", "nose", "mouth", "eyes"))
    lips, _ = cKDTree(between_lips(model)).query(rest[face])
    face = face[lips > 3]
    near, _ = cKDTree(rest[in_regions(model, "socket")]).query(rest[face])
    allowed = space.allowed[face]
    assert not allowed[near < 0.8].any() and (allowed[near > 3] == 1).all()
    between = (near > 1) & (near < 2.8)
    assert np.corrcoef(near[between], allowed[between])[0, 1] > 0.95 and between.sum() > 100


def test_nothing_is_carved_where_the_lips_meet(model, space):
    rest = model.skin.of(model.mean)
    away, _ = cKDTree(between_lips(model)).query(rest)
    assert (away < 0.5).sum() > 10 and space.allowed[away < 0.5].max() < 0.05
    lips = in_regions(model, "mouth") & (away > 2.8) & (away < 5)
    assert np.median(space.allowed[lips]) == 1


def between_lips(model: FaceModel) -> np.ndarray:
    """(N, 3) mm along the inner border of both lips, landmarks 61 to 68."""
    corners = model.landmarks68.points(model.mean)[[*range(60, 68), 60]]
    return np.concatenate([np.linspace(a, b, 20) for a, b in zip(corners[:-1], corners[1:], strict=True)])


def test_the_box_holds_the_middle_of_the_face(model, atlas, space):
    x0, y0, x1, y1 = (edge // STEP for edge in BOX)
    for region in ("forehead", "nose", "mouth", "eyes"):
        here = on_texels(atlas, in_regions(model, region)[:, None].astype(np.float32))[..., 0] > 0.5
        assert here[y0:y1, x0:x1].sum() == here.sum() > 1000, region


def test_relief_ends_before_the_box_does(atlas, space):
    """At BOX's border maps are cut off: relief that is there would end in a cliff."""
    allowed = on_texels(atlas, space.allowed[:, None])[..., 0]
    x0, y0, x1, y1 = (edge // STEP for edge in BOX)
    allowed[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1] = 0
    assert allowed.max() < 0.05


def test_a_step_of_one_texel_lands_on_the_neighbours_place(model, atlas, space, posed, place):
    vectors = texel_vectors(model.skin.of(posed), space)
    face = inside(model, atlas, in_regions(model, *FACE_REGIONS))[1:-1, 1:-1]
    to_right = (place[1:-1, 2:] - place[1:-1, :-2]) / 2
    downwards = (place[2:, 1:-1] - place[:-2, 1:-1]) / 2
    for vector, wanted in zip(vectors, (to_right, downwards), strict=True):
        found = STEP * on_texels(atlas, vector)[1:-1, 1:-1]
        length = np.linalg.norm(wanted, axis=-1)
        away = (np.linalg.norm(found - wanted, axis=-1) / length)[face]
        assert np.median(away) < 0.03 and np.quantile(away, 0.95) < 0.2


def test_texels_have_about_their_nominal_size(model, space):
    right, down = texel_vectors(model.skin.of(model.mean).astype(np.float64), space)
    plain = in_regions(model, "forehead", "cheeks")
    sizes = np.sqrt(np.linalg.norm(np.cross(right, down), axis=1))[plain]
    assert np.median(sizes) == pytest.approx(TEXEL_MM, rel=0.3)
    forehead = in_regions(model, "forehead")
    assert (right[forehead, 0] > 0).all(), "the layout's right is the subject's left"
    assert (down[forehead, 1] < 0).all()


@pytest.mark.parametrize(("wave_mm", "medium", "fine"), [(1.0, 0.04, 0.96), (5.0, 0.87, 0.12), (30.0, 0.12, 0.0)])
def test_waves_go_to_their_band(wave_mm, medium, fine):
    """What is left of their amplitudes by the Gaussians' transfer, exp(−2π²σ²/λ²)."""
    x = (np.arange(2000) * TEXEL_MM).astype(np.float32)
    wave = np.sin(2 * np.pi * x / wave_mm).astype(np.float32)
    for band, wanted in zip(split_bands(np.tile(wave, (16, 1))), (medium, fine), strict=True):
        assert band.dtype == np.float32
        middle = band[8, 500:1500]
        assert 2 * (middle * wave[500:1500]).mean() == pytest.approx(wanted, abs=0.015)


def test_bands_meet_where_they_say_and_have_no_mean():
    for wave_mm, sigma_mm in ((2.1, FINE_MM), (12.8, COARSE_MM)):
        assert np.exp(-2 * (np.pi * sigma_mm / wave_mm) ** 2) == pytest.approx(0.5, abs=0.02)
    medium, fine = split_bands(np.full((64, 64), 0.7, np.float32))
    np.testing.assert_allclose(medium, 0, atol=1e-6)
    np.testing.assert_allclose(fine, 0, atol=1e-6)


@pytest.mark.parametrize("direction", [(0.3, 0.0, 0.0), (0.0, 0.3, 0.0), (0.15, -0.2, 0.1)])
def test_light_channels_tell_how_a_slope_changes_the_shading(model, atlas, posed, transfer, place, inputs, direction):
    """A relief that grows along a direction in space: its slopes come from where the texels lie, the change of
    light from normals that are tipped in space. Places with the whole sky; every region for its own layout."""
    normals = on_texels(atlas, vertex_normals(model.skin.of(posed), model.skin.triangles()), 1.0)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    gradient = np.array(direction) - normals * (normals @ np.array(direction))[..., None]
    small = 0.1
    ahead, behind = (np.log(irradiance(normals - turn * gradient)) for turn in (small, -small))
    wanted = ((ahead - behind) / (2 * small))[1:-1, 1:-1]

    height = place @ np.array(direction)
    nominal_mm = STEP * TEXEL_MM
    right = (height[1:-1, 2:] - height[1:-1, :-2]) / (2 * nominal_mm)
    down = (height[2:, 1:-1] - height[:-2, 1:-1]) / (2 * nominal_mm)
    light_x, light_y = to_texture(inputs.light_x)[1:-1, 1:-1], to_texture(inputs.light_y)[1:-1, 1:-1]
    found = light_x * right + light_y * down

    open_sky = np.abs(transfer.diffuse[:, 0] * np.sqrt(4 * np.pi) - 1) < 1e-5
    for region in ("forehead", "cheeks", "nose", "chin"):
        chosen = inside(model, atlas, open_sky & in_regions(model, region))[1:-1, 1:-1]
        assert chosen.sum() > 40, region
        error = np.abs(found - wanted)[chosen] / np.sqrt((wanted[chosen] ** 2).mean())
        assert np.median(error) < 0.03 and np.quantile(error, 0.99) < 0.15, region


def irradiance(normals: np.ndarray) -> np.ndarray:
    """Luminance of what white skin shows with the whole sky before it; normals of any length."""
    unit = normals / np.linalg.norm(normals, axis=-1, keepdims=True)
    return (evaluate(unit, 3) * lambert(3)) @ (RADIANCE @ LUMINANCE)


def test_light_from_skin_and_gloss_weaken_what_slopes_change(model, atlas, space, posed, transfer, inputs):
    """Twice the shading from the same direct light: half the change, half the direct share."""
    light = estimate(transfer)
    brighter = LightEstimate(light.radiance, light.gamma, 2 * light.shading, light.gloss, 0.1, False)
    found = inputs_of(grey(atlas), brighter, transfer, model.skin.of(posed), space, atlas)
    for name in ("light_x", "light_y", "direct_fraction"):
        before, after = getattr(inputs, name), getattr(found, name)
        calm = (inputs.mask > 0.99) & (cv2.dilate(np.abs(before), np.ones((25, 25))) < 2.5)  # nowhere clipped
        np.testing.assert_allclose(after[calm], before[calm] / 2, atol=0.02)


def test_even_light_tells_nothing_of_slopes(model, atlas, space, posed, transfer):
    """Where the whole sky is seen; crevices are darker to the side of their walls."""
    even = np.outer(np.eye(9)[0] * np.sqrt(4 * np.pi), np.ones(3)).astype(np.float32)
    found = inputs_of(grey(atlas), estimate(transfer, even), transfer, model.skin.of(posed), space, atlas)
    open_sky = inside(model, atlas, np.abs(transfer.diffuse[:, 0] * np.sqrt(4 * np.pi) - 1) < 1e-6)
    for channel in (found.light_x, found.light_y):
        assert np.abs(to_texture(channel)[open_sky]).max() < 0.02
    assert open_sky.sum() > 5000


def test_light_channels_do_not_depend_on_the_textures_resolution(model, space, posed, transfer, inputs):
    finer = make_atlas(model, 2 * R)
    found = inputs_of(grey(finer), estimate(transfer), transfer, model.skin.of(posed), space, finer)
    sure = cv2.erode(inputs.mask, np.ones((9, 9))) > 0.99
    for name in ("light_x", "light_y", "direct_fraction"):
        assert np.quantile(np.abs(getattr(found, name) - getattr(inputs, name))[sure], 0.98) < 0.05, name
    assert ((found.mask > 0.5) != (inputs.mask > 0.5)).mean() < 0.01


def test_channels_of_a_larger_texture_are_the_means_of_its_texels(model, space, posed, transfer):
    """Whatever way they are drawn in, to save memory."""
    large, vertices = make_atlas(model, 2 * SIDE), model.skin.of(posed)
    found = inputs_of(grey(large), estimate(transfer), transfer, vertices, space, large)
    for channel, values in ((found.lined, space.lined), (found.resolvable_mm, resolvable_at(vertices))):
        whole = large.picture(values)[box_at(2 * SIDE)]
        np.testing.assert_array_equal(channel, cv2.resize(whole, (WIDE, HIGH), interpolation=cv2.INTER_AREA))


def test_value_is_the_logarithm_of_brightness_in_its_unit(model, atlas, space, posed, transfer):
    """Waves of 6.4 mm on the texture, ±10 %; the slow change across it, a factor of 2, is taken off."""
    x = np.arange(R, dtype=np.float32)
    wave = 0.1 * np.sin(2 * np.pi * x / 8)
    linear = 0.2 * np.exp(wave + np.log(2) * (x / R - 0.5))
    srgb = np.float32(1.055) * linear ** (1 / 2.4) - np.float32(0.055)
    level = np.round(np.tile(srgb[None, :, None], (R, 1, 3)) * 255).astype(np.uint8)
    found = inputs_of(photo_of(atlas, level), estimate(transfer), transfer, model.skin.of(posed), space, atlas)
    value = to_texture(found.value)
    sure = to_texture(found.mask) > 0.9
    scale = 2 * (value * np.tile(np.sin(2 * np.pi * x / 8), (R, 1)))[sure].mean()
    assert scale == pytest.approx(0.1 / VALUE_UNIT, rel=0.1)
    assert abs(value[sure].mean()) < 0.05 and value[sure].std() < 0.42
    assert np.abs(found.chroma[found.mask > 0.9]).max() < 0.1
    np.testing.assert_allclose(to_texture(found.level)[sure], (level[..., 0] / 255)[sure], atol=0.03)


def test_redness_is_chroma_and_not_brightness(model, atlas, space, posed, transfer):
    """Spots with red over green 1.3 times as large and the same luminance."""
    rows, columns = np.mgrid[:R, :R]
    spots = ((rows // 4) % 4 == 0) & ((columns // 4) % 4 == 0)
    plain, red = np.float32([0.4, 0.25, 0.2]), np.float32([0.4, 0.25, 0.2]) * [1.12, 1.12 / 1.3, 1]
    red *= (plain @ LUMINANCE) / (red @ LUMINANCE)
    linear = np.where(spots[..., None], red, plain)
    color = np.round((1.055 * linear ** (1 / 2.4) - 0.055) * 255).astype(np.uint8)
    found = inputs_of(photo_of(atlas, color), estimate(transfer), transfer, model.skin.of(posed), space, atlas)
    sure = to_texture(found.mask) > 0.95
    chroma, value = to_texture(found.chroma), to_texture(found.value)
    assert chroma[sure & spots].mean() - chroma[sure & ~spots].mean() > 1.5
    assert abs(value[sure & spots].mean() - value[sure & ~spots].mean()) < 0.1


def test_mask_is_what_the_photo_shows_of_skin(model, atlas, space, posed, transfer):
    even = estimate(transfer, EVEN), transfer, model.skin.of(posed), space, atlas
    mask = to_texture(inputs_of(grey(atlas), *even).mask)
    assert (mask[inside(model, atlas, in_regions(model, "forehead"))] > 0.99).all()
    assert mask[inside(model, atlas, in_regions(model, "socket"))].max() < 0.05
    left = np.zeros((R, R), np.float32)
    left[:, : R // 2] = 1
    half = inputs_of(photo_of(atlas, np.full((R, R, 3), 128, np.uint8), left * atlas.covered), estimate(transfer),
                     transfer, model.skin.of(posed), space, atlas)  # fmt: skip
    assert not half.mask[:, WIDE // 2 + 8 :].any() and half.mask[:, : WIDE // 2].max() > 0.99


def test_unseen_is_skin_out_of_view_or_under_hair_but_not_what_is_seen_to_grow_there(
    model, atlas, space, posed, transfer
):
    vertices = model.skin.of(posed)
    forehead = inside(model, atlas, in_regions(model, "forehead"))
    left = np.zeros((R, R), np.float32)
    left[:, : R // 2] = 1
    photo, light = photo_of(atlas, np.full((R, R, 3), 128, np.uint8), left * atlas.covered), estimate(transfer, EVEN)
    half = to_texture(inputs_of(photo, light, transfer, vertices, space, atlas).unseen)
    on_the_right = np.arange(R) > R // 2 + 4
    assert (half[forehead & on_the_right] > 0.99).all() and half[forehead & (np.arange(R) < R // 2 - 4)].max() < 1e-3
    assert half[inside(model, atlas, in_regions(model, "socket"))].max() < 0.05
    fringe = in_regions(model, "forehead").astype(np.float32)
    hairy = detail_inputs(
        grey(atlas), light, transfer, vertices, resolvable_at(vertices), fringe, space, atlas
    )  # fmt: skip
    assert (to_texture(hairy.unseen)[forehead] > 0.99).all() and to_texture(hairy.mask)[forehead].max() < 1e-3
    dark = np.full((R, R, 3), 150, np.uint8)
    dark[forehead] = 30
    seen = inputs_of(photo_of(atlas, dark), light, transfer, vertices, space, atlas)
    assert to_texture(seen.unseen)[forehead].max() < 1e-3


@pytest.mark.parametrize("case", ["black", "white", "noise", "unseen", "no light", "glaring light"])
def test_whatever_the_photo_the_inputs_are_finite_and_in_range(model, atlas, space, posed, transfer, case):
    noise = np.random.default_rng(1).integers(0, 256, (R, R, 3), dtype=np.uint8)
    color = {"black": np.zeros_like(noise), "white": np.full_like(noise, 255)}.get(case, noise)
    radiance = RADIANCE * {"no light": 0.0, "glaring light": 1e6}.get(case, 1.0)
    light = estimate(transfer, radiance.astype(np.float32))
    if case == "no light":
        light = LightEstimate(light.radiance, light.gamma, 0 * light.shading, light.gloss, 0.1, True)
    photo = photo_of(atlas, color, np.zeros((R, R), np.float32) if case == "unseen" else None)
    found = inputs_of(photo, light, transfer, model.skin.of(posed), space, atlas)
    for name, most in (
        ("value", 25),
        ("chroma", 50),
        ("light_x", 3),
        ("light_y", 3),
        ("direct_fraction", 1),
        ("mask", 1),
        ("lined", 1),
        ("beard", 1),
    ):
        channel = getattr(found, name)
        assert channel.shape == (HIGH, WIDE) and channel.dtype == np.float32, name
        assert np.isfinite(channel).all() and np.abs(channel).max() <= most, name
    if case in ("white", "unseen"):
        assert found.mask.max() < 0.01
    if case == "no light":
        assert np.abs(found.light_x).max() < 1e-3


def test_flat_photo_has_no_value(inputs):
    np.testing.assert_allclose(inputs.value[inputs.mask > 0.5], 0, atol=0.02)
    np.testing.assert_allclose(inputs.chroma[inputs.mask > 0.5], 0, atol=0.02)
    linear = to_linear(np.uint8([128]))[0]
    np.testing.assert_allclose(inputs.level[inputs.mask > 0.5], 128 / 255, atol=0.01)
    assert linear < inputs.level[inputs.mask > 0.5].min(), "the level is not linear"


def test_hair_is_no_skin_and_a_groove_is(model, atlas, space, posed, transfer):
    """In even light something dark over the forehead, 8 mm high; and a line as dark, 0.8 mm high."""
    y0, x0 = BOX[1] // STEP, BOX[0] // STEP
    color = np.full((R, R, 3), 150, np.uint8)
    color[y0 + 30 : y0 + 40, x0 + 150 : x0 + 240] = 45
    color[y0 + 52 : y0 + 53, x0 + 150 : x0 + 240] = 45
    given = estimate(transfer, EVEN), transfer, model.skin.of(posed), space, atlas
    plain, dark = (inputs_of(photo_of(atlas, one), *given).mask for one in (np.full_like(color, 150), color))

    def kept(first: int, last: int) -> np.ndarray:
        place = slice(STEP * first, STEP * last), slice(STEP * 160, STEP * 230)
        assert plain[place].min() > 0.5
        return dark[place] / plain[place]

    assert kept(32, 38).max() < 0.05
    assert kept(52, 53).min() > 0.95
    assert kept(60, 70).min() > 0.95


def test_grain_is_the_skins_or_the_textures(model, atlas, posed, inputs):
    """On 512 texels nothing below 0.8 mm is shown, however sharp the photo."""
    resolvable = on_texels(atlas, resolvable_at(model.skin.of(posed))[:, None])[..., 0]
    found = to_texture(inputs.resolvable_mm)
    where = inside(model, atlas, in_regions(model, "forehead", "nose"))
    np.testing.assert_allclose(found[where], np.maximum(resolvable[where], STEP * TEXEL_MM), atol=0.05)
    assert (resolvable[where] < 0.75).any() and (resolvable[where] > 1.4).any()


def test_faint_brows_are_no_skin_but_the_skin_between_them_is(model, atlas, space, posed, transfer):
    """Stripes a third darker than the skin: along the brows, and down between them."""
    marks = model.landmarks68.points(model.skin.vertex_uv()) * [1, -1] * R + [0, R]
    color = np.full((R, R, 3), 150, np.uint8)
    brows = atlas.picture(usual_brows(model) + np.float32(FAR_MM)) - FAR_MM
    color[brows > -1] = 128
    middle = marks[[21, 22]].mean(axis=0)
    cv2.line(color, *((middle + [0, away]).round().astype(int).tolist() for away in (-8, 3)), (128, 128, 128), 3)
    given = estimate(transfer, EVEN), transfer, model.skin.of(posed), space, atlas
    plain, dark = (
        to_texture(inputs_of(photo_of(atlas, one), *given).mask) for one in (np.full_like(color, 150), color)
    )

    column, row = (middle - [0, 4]).round().astype(int)
    assert np.median((dark / np.maximum(plain, 1e-3))[(brows > 0) & (plain > 0.5)]) < 0.2
    assert dark[row, column] / plain[row, column] > 0.9


@pytest.mark.parametrize(("hair", "relief"), [("white", False), ("red", True)])
def test_hair_of_brows_that_is_no_darker_is_greyer_than_skin(model, atlas, space, posed, transfer, hair, relief):
    """Lit or white hair would be ridges; skin between hairs, reddened by a fold, is skin."""
    brows = atlas.picture(usual_brows(model) + np.float32(FAR_MM)) - FAR_MM
    color = np.full((R, R, 3), (190, 140, 120), np.uint8)
    color[brows > -1] = {"white": (182, 146, 135), "red": (197, 138, 117)}[hair]
    given = estimate(transfer, EVEN), transfer, model.skin.of(posed), space, atlas
    kept = to_texture(inputs_of(photo_of(atlas, color), *given).mask)[brows > 0]
    assert (np.median(kept) > 0.9) if relief else (np.median(kept) < 0.5)


def test_brows_lie_where_the_photo_shows_them(model, atlas, space, posed, transfer):
    """Dark places two centimetres above the usual ones are skin, unless the photo's landmarks say otherwise."""
    brows = usual_brows(model)
    high = np.full_like(brows, -FAR_MM)
    rest = model.skin.of(model.mean)
    forehead = in_regions(model, "forehead")
    high[forehead & (np.abs(np.abs(rest[:, 0]) - 30) < 14)] = 2
    color = np.full((R, R, 3), 150, np.uint8)
    color[atlas.picture(high + np.float32(FAR_MM)) - FAR_MM > 0] = 128
    photo, light = photo_of(atlas, color), estimate(transfer, EVEN)
    vertices = model.skin.of(posed)
    bald = np.zeros(len(vertices), np.float32)
    given = photo, light, transfer, vertices, resolvable_at(vertices), bald, space, atlas
    usual, own = (to_texture(detail_inputs(*given, brows=one).mask) for one in (None, high))
    where = atlas.picture(high + np.float32(FAR_MM)) - FAR_MM > 1.5
    assert np.median(usual[where]) > 0.9 and np.median(own[where]) < 0.2


def test_no_lines_are_looked_for_at_rims_and_on_undersides(model, space):
    rest = model.skin.of(model.mean)
    marks = model.landmarks68.points(model.mean)
    assert (space.lined <= space.allowed).all()

    def near(points: np.ndarray, reach_mm: float) -> np.ndarray:
        return cKDTree(points).query(rest)[0] < reach_mm

    for rim, reach_mm in ((marks[36:48], 1.5), (marks[31:36], 4.0), (marks[60:68], 3.5)):
        assert np.quantile(space.lined[near(rim, reach_mm)], 0.9) < 0.1
    below = vertex_normals(rest, model.skin.triangles())[:, 1] < -0.6
    assert space.lined[below].max() < 0.01
    assert (space.lined[in_regions(model, "forehead") & ~below] > 0.9).mean() > 0.9
    beside_eyes = marks[[36, 45]] + [[-14, 0, -8], [14, 0, -8]]
    assert np.median(space.lined[near(beside_eyes, 8)]) > 0.9


def test_beards_grow_below_the_nose(model, space):
    rest, marks = model.skin.of(model.mean), model.landmarks68.points(model.mean)
    assert space.beard[rest[:, 1] > marks[30, 1]].max() == 0
    assert space.beard[rest[:, 1] < marks[48:60, 1].max()].min() == 1


def test_hair_of_the_photos_mask_has_no_relief(model, atlas, space, posed, transfer):
    light, vertices = estimate(transfer), model.skin.of(posed)
    left = (vertices[:, 0] > 0).astype(np.float32)
    found = detail_inputs(grey(atlas), light, transfer, vertices, resolvable_at(vertices), left, space, atlas)
    assert found.mask[:, : WIDE // 2 - 60].max() > 0.95 and found.mask[:, WIDE // 2 + 60 :].max() < 0.01


def test_shading_and_metric_are_those_of_the_posed_head(model, atlas, inputs, transfer):
    shading = on_texels(atlas, np.log(estimate(transfer).shading @ LUMINANCE)[:, None])[..., 0]
    where = inside(model, atlas, in_regions(model, "forehead", "cheeks"))
    assert np.quantile(np.abs(to_texture(inputs.shading) - shading)[where], 0.95) < 0.01
    xx, xy, yy = (to_texture(channel)[where] for channel in np.moveaxis(inputs.metric, -1, 0))
    assert (xx * yy > xy**2).mean() > 0.97
    assert 0.6 < np.median(xx) < 1.6 and 0.6 < np.median(yy) < 1.6, "a texel is about TEXEL_MM wide"
