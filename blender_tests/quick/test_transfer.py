# SPDX-License-Identifier: GPL-3.0-or-later
"""Light that reaches skin: against closed forms, brute force with many more rays, and integrated GGX."""

import numpy as np
import pytest
from numpy.polynomial import legendre

from blender_tests.quick.test_render import sphere
from facedetail_addon.core.rendering.harmonics import evaluate, fibonacci_sphere, lambert
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.rendering.rays import RayScene
from facedetail_addon.core.rendering.specular import directional_albedo, lobe_factors, specular_occlusion
from facedetail_addon.core.rendering.transfer import light_transfer
from facedetail_addon.core.rendering.types import SkinGloss, Transfer
from facedetail_addon.core.skin.types import SKIN_IOR

CAMERA = np.array([0.0, 0.0, 700.0])
EVEN = np.sqrt(4 * np.pi)
"""First coefficient of an even light of radiance 1."""


@pytest.fixture(scope="module")
def head(model):
    """Vertices, triangles of all parts, normals of the skin, which skin is outside eye sockets, and the transfer."""
    triangles = model.triangles()
    count = model.skin.stop
    gloss = SkinGloss(np.full(count, 0.45, np.float32), np.full(count, 0.5, np.float32))
    transfer = light_transfer(model.mean, triangles, count, CAMERA, gloss, 3)
    normals = vertex_normals(model.mean[:count], model.skin.triangles())
    outside = ~model.in_region("socket")
    return model.mean, triangles, normals, outside, transfer


def test_transfer_of_a_head_has_its_shapes(model, head):
    *_, transfer = head
    count = model.skin.stop
    assert transfer.diffuse.shape == transfer.gloss.shape == (count, 9)
    assert transfer.interreflection.shape == (count, count) and transfer.transmission.shape == (count,)
    for array in (
        transfer.diffuse,
        transfer.vector,
        transfer.gloss,
        transfer.transmission,
        transfer.interreflection.data,
    ):
        assert array.dtype == np.float32 and np.isfinite(array).all()
    assert (
        0 < transfer.transmission.min() and transfer.transmission.max() < 1 and transfer.interreflection.data.min() >= 0
    )


def test_skin_with_nothing_in_the_way_has_the_analytic_transfer(head):
    _, _, normals, _, transfer = head
    openness = transfer.diffuse[:, 0] * EVEN
    free = (np.abs(openness - 1) < 1e-6) & (transfer.interreflection.getnnz(axis=1) == 0)
    assert free.sum() > 2000
    np.testing.assert_allclose(transfer.diffuse[free], evaluate(normals[free], 3) * lambert(3), atol=1e-6)


def test_shadows_agree_with_ten_times_as_many_rays(head):
    """A hit counts from the vertex on, however near: lips and lids must darken what they cover."""
    vertices, triangles, normals, outside, transfer = head
    chosen = np.random.default_rng(4).choice(np.flatnonzero(outside), 400, replace=False)
    light = coloured_light()
    wanted = brute_force(vertices, triangles, normals, chosen, light)
    difference = np.abs(transfer.diffuse[chosen] @ light - wanted)
    assert difference.mean() < 0.01 * wanted.mean()
    assert np.quantile(difference, 0.99) < 0.05 * wanted.mean()


def test_a_white_head_disappears_in_an_even_light(head):
    """The white furnace: what a head hides of the sky it sends on itself, when eyes and teeth send light on as well."""
    vertices, triangles, normals, outside, _ = head
    transfer = transfer_of(vertices, triangles, directions=128)
    direct = transfer.diffuse[:, 0] * EVEN
    light = direct
    for _ in range(200):
        light = direct + transfer.interreflection @ light
    assert (direct[: len(normals)][outside] < 0.8).mean() > 0.1  # so there was something to make up for
    assert (np.abs(light[: len(normals)][outside] - 1) < 0.05).mean() > 0.95
    assert light.max() < 1.001 and light.min() > -0.001


def test_a_sphere_has_neither_shadows_nor_light_from_itself():
    points, triangles = sphere(80.0)
    transfer = transfer_of(points, triangles)
    assert transfer.interreflection.nnz == 0
    wanted = evaluate(vertex_normals(points, triangles), 3) * lambert(3)
    np.testing.assert_allclose(transfer.diffuse, wanted, atol=1e-6)


def test_a_sphere_is_lit_on_the_side_of_the_lamp():
    points, triangles = sphere(80.0)
    towards = np.array([0.6, 0.0, 0.8])
    shown = transfer_of(points, triangles).diffuse @ evaluate(towards, 3)
    cosine = points / 80 @ towards
    order = np.argsort(cosine)
    assert shown.argmax() in order[-5:]
    assert np.corrcoef(shown, cosine.clip(0))[0, 1] > 0.99


def test_before_a_wall_half_the_light_comes_from_the_wall():
    """A point of the floor at the foot of a long wall: its sky is the half space away from the wall."""
    points, triangles, foot = floor_and_wall()
    transfer = transfer_of(points, triangles, directions=3000)
    np.testing.assert_allclose(transfer.diffuse[foot], quarter_sky(3), atol=0.006)
    assert transfer.interreflection[foot].sum() == pytest.approx(0.5, abs=0.01)
    lit = np.zeros(len(points), np.float32)
    lit[4:8] = 1  # only the wall sends light on
    assert (transfer.interreflection @ lit)[foot] == pytest.approx(0.5, abs=0.01)


def test_what_is_no_skin_shadows_and_sends_nothing_on():
    points, triangles, foot = floor_and_wall()
    order = np.r_[0:4, 8:11, 4:8]  # the wall after the skin
    place = np.argsort(order)
    skin_stop = 7
    transfer = transfer_of(points[order], place[triangles], skin_stop, directions=3000)
    np.testing.assert_allclose(transfer.diffuse[place[foot]], quarter_sky(3), atol=0.006)
    assert transfer.interreflection.nnz == 0 and transfer.interreflection.shape == (skin_stop, skin_stop)


def test_what_lies_behind_something_very_near_still_shadows():
    """A lid a millimetre away, and the roof above it: no light comes through."""
    spot = np.array([[0.0, 0, 0], [1, 0, 0], [0, 0, -1]])
    lid, roof = ceiling(1.0), ceiling(6.0)
    points = np.concatenate([spot, lid, roof])
    triangles = np.concatenate([[[0, 1, 2]], QUAD + 3, QUAD + 7])
    transfer = transfer_of(points, triangles)
    assert transfer.diffuse[0, 0] * EVEN < 0.03


def test_gloss_of_an_even_light_is_the_directional_albedo_times_what_is_not_hidden(head):
    vertices, _, normals, _, transfer = head
    view = CAMERA - vertices[: len(normals)]
    cosine = (normals * view).sum(axis=1) / np.linalg.norm(view, axis=1)
    shown = transfer.gloss[:, 0] * EVEN
    assert (shown[cosine <= 0] == 0).all() and (cosine <= 0).sum() > 1000
    seen = cosine > 0.02
    roughness, level = np.full(seen.sum(), 0.45), np.full(seen.sum(), 0.5)
    albedo = directional_albedo(cosine[seen], roughness, level)
    free = (transfer.diffuse[:, 0] * EVEN)[seen].clip(0, 1)
    hidden = specular_occlusion(cosine[seen], free, roughness)
    np.testing.assert_allclose(shown[seen], albedo * hidden, atol=3e-3)
    np.testing.assert_allclose(transfer.transmission[seen], 1 - albedo, atol=1e-4)


def test_gloss_mirrors_the_light_to_the_camera():
    points, triangles = sphere(80.0)
    camera, towards = np.array([0.0, 0.0, 5000.0]), np.array([0.8, 0.0, 0.6])
    gloss = SkinGloss(np.full(len(points), 0.2, np.float32), np.full(len(points), 0.5, np.float32))
    transfer = light_transfer(points, triangles, len(points), camera, gloss, 9)
    highlight = transfer.gloss @ evaluate(towards, 9)
    front = points[:, 2] > 0.5 * 80
    halfway = towards + [0, 0, 1]
    halfway /= np.linalg.norm(halfway)
    brightest = points[front][highlight[front].argmax()] / 80
    assert np.degrees(np.arccos(brightest @ halfway)) < 8


@pytest.mark.parametrize("roughness", [0.4, 0.5, 0.6])
def test_directional_albedo_of_skin_is_that_of_a_dielectric(roughness):
    """The fit's true tolerance: 0.02 up to 66° off, 0.035 at grazing angles, where the truth is 0.1 to 0.3."""
    cosines = np.array([1.0, 0.8, 0.6, 0.4, 0.2, 0.1])
    fitted = directional_albedo(cosines, np.full(6, roughness), np.full(6, 0.5))
    wanted = [reflected(cosine, roughness)[0].sum() for cosine in cosines]
    np.testing.assert_allclose(fitted[:4], wanted[:4], atol=0.02)
    np.testing.assert_allclose(fitted[4:], wanted[4:], atol=0.035)


def test_directional_albedo_follows_the_level_and_is_a_share():
    cosine, roughness = (grid.ravel() for grid in np.meshgrid(np.linspace(0.02, 1, 20), np.linspace(0.05, 1, 20)))
    albedos = [directional_albedo(cosine, roughness, np.full(400, level)) for level in (0.0, 0.25, 0.5, 1.0)]
    assert (albedos[0] == 0).all()
    for lower, higher in zip(albedos, albedos[1:], strict=False):
        assert (higher >= lower).all() and higher.min() > 0 and higher.max() < 1


@pytest.mark.parametrize("roughness", [0.3, 0.4, 0.5, 0.6])
def test_lobe_blurs_the_light_about_as_ggx_does(roughness):
    """The Gaussian's true tolerance: 0.15 for three bands; GGX has longer tails, so it is on the sharp side."""
    weight, cosine = reflected(0.7, roughness)
    wanted = [(weight * legendre.Legendre.basis(band)(cosine)).sum() / weight.sum() for band in range(3)]
    factors = lobe_factors(np.array([roughness]), 3)[0]
    np.testing.assert_allclose(factors[[0, 1, 4]], wanted, atol=0.15)
    assert factors[0] == 1


def test_rougher_skin_blurs_more():
    factors = lobe_factors(np.array([0.1, 0.3, 0.5, 0.9]), 3)
    assert (np.diff(factors[:, 1:], axis=0) < 0).all()


def test_open_skin_hides_nothing_of_what_it_reflects_and_buried_skin_all():
    cosine, roughness = np.linspace(0.05, 1, 12), np.full(12, 0.45)
    np.testing.assert_allclose(specular_occlusion(cosine, np.ones(12), roughness), 1)
    np.testing.assert_allclose(specular_occlusion(cosine, np.zeros(12), roughness), 0, atol=0.05)
    half = specular_occlusion(cosine, np.full(12, 0.5), roughness)
    assert ((half > 0.3) & (half < 0.7)).all() and (np.diff(half) >= 0).all()


def test_the_same_head_gives_the_same_transfer():
    points, triangles, _ = floor_and_wall()
    first, second = transfer_of(points, triangles), transfer_of(points, triangles)
    np.testing.assert_array_equal(first.diffuse, second.diffuse)
    np.testing.assert_array_equal(first.vector, second.vector)
    np.testing.assert_array_equal(first.gloss, second.gloss)
    assert (first.interreflection != second.interreflection).nnz == 0


def test_the_light_vectors_part_along_the_normal_is_the_diffuse_light(model, head):
    _, _, normals, _, transfer = head
    assert transfer.vector.shape == (model.skin.stop, 3, 9) and transfer.vector.dtype == np.float32
    along = np.einsum("vk,vkb->vb", normals, transfer.vector)
    np.testing.assert_allclose(along, transfer.diffuse, atol=2e-6)


def test_on_a_sphere_the_light_vector_is_that_of_the_half_of_the_sky_above():
    """Gershun's vector is the sum of the light that arrives, each share along the direction from which it comes."""
    points, triangles = sphere(80.0)
    normals = vertex_normals(points, triangles)
    picked = np.random.default_rng(5).choice(len(points), 60, replace=False)
    light, directions = coloured_light(), fibonacci_sphere(100_000)
    above = normals[picked] @ directions.T > 0
    arrives = evaluate(directions, 3) @ light
    wanted = np.einsum("vd,dk,dc->vkc", above.astype(np.float64), directions, arrives, optimize=True)
    found = np.einsum("vkb,bc->vkc", transfer_of(points, triangles).vector[picked], light)
    np.testing.assert_allclose(found, wanted * 4 / len(directions), atol=5e-3)


def test_on_a_sphere_the_light_changes_along_it_as_the_light_vector_says():
    """One step over the sphere turns the normal; the light there is another, by the tangential part of the vector."""
    points, triangles = sphere(80.0)
    normals, light = vertex_normals(points, triangles).astype(np.float64), coloured_light()
    tangent = np.cross(normals, [0.36, 0.48, 0.8])
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
    ahead, behind = (evaluate(np.cos(0.05) * normals + np.sin(turn) * tangent, 3) for turn in (0.05, -0.05))
    wanted = (ahead - behind).astype(np.float64) * lambert(3) @ light / 0.1
    found = np.einsum("vk,vkb,bc->vc", tangent, transfer_of(points, triangles).vector, light, optimize=True)
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    assert np.abs(wanted).max() > 0.2


def test_the_light_vector_knows_nothing_of_the_sky_behind_a_wall():
    points, triangles, foot = floor_and_wall()
    directions = fibonacci_sphere(200_000)
    seen = directions * ((directions[:, 0] > 0) & (directions[:, 1] > 0))[:, None]
    wanted = seen.T @ evaluate(directions, 3) * 4 / len(directions)
    found = transfer_of(points, triangles, directions=3000).vector[foot]
    np.testing.assert_allclose(found, wanted, atol=0.01)


def test_no_light_no_light_vector():
    """Under a lid a slope of the skin changes nothing, in whatever light."""
    spot = np.array([[0.0, 0, 0], [1, 0, 0], [0, 0, -1]])
    points, triangles = np.concatenate([spot, ceiling(1.0)]), np.concatenate([[[0, 1, 2]], QUAD + 3])
    light = coloured_light()
    lidded, free = (transfer_of(points, part, directions=1500).vector[0] for part in (triangles, triangles[:1]))
    assert np.linalg.norm(lidded @ light[:, :1]) < 0.03 * np.linalg.norm(free @ light[:, :1])


def test_tipped_skin_gets_the_light_that_the_light_vector_tells(head):
    """Brute force with normals tipped both ways, shadows of the head included."""
    vertices, triangles, normals, outside, transfer = head
    rng = np.random.default_rng(6)
    chosen, light = rng.choice(np.flatnonzero(outside), 150, replace=False), coloured_light()
    tangent = np.cross(normals, rng.normal(size=normals.shape))
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    tip = 0.1
    ahead, behind = (
        brute_force(vertices, triangles, np.cos(tip) * normals + np.sin(turn) * tangent, chosen, light)
        for turn in (tip, -tip)
    )
    wanted = (ahead - behind) / (2 * np.sin(tip))
    found = np.einsum("vk,vkb,bc->vc", tangent[chosen], transfer.vector[chosen], light, optimize=True)
    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.98
    assert np.abs(found - wanted).mean() < 0.15 * np.abs(wanted).mean()


QUAD = np.array([[0, 1, 2], [0, 2, 3]])


def transfer_of(
    points: np.ndarray, triangles: np.ndarray, skin_stop: int | None = None, directions: int = 384
) -> Transfer:
    """Three bands; the surface is that of skin."""
    count = skin_stop or len(points)
    gloss = SkinGloss(np.full(count, 0.45, np.float32), np.full(count, 0.5, np.float32))
    return light_transfer(points, triangles, count, CAMERA, gloss, 3, directions)


def floor_and_wall() -> tuple[np.ndarray, np.ndarray, int]:
    """Points and triangles of a floor (y up) with a wall along x = −3 mm, and the point of the floor at the origin."""
    floor = np.array([[-3, -0.01, -9e3], [9e3, -0.01, -9e3], [9e3, -0.01, 9e3], [-3, -0.01, 9e3]])
    wall = np.array([[-3, 0, -9e3], [-3, 0, 9e3], [-3, 9e3, 9e3], [-3, 9e3, -9e3]])
    spot = np.array([[0.0, 0, 0], [0.5, 0, 0], [0, 0, -0.5]])
    triangles = np.concatenate([QUAD[:, ::-1], QUAD[:, ::-1] + 4, [[8, 9, 10]]])
    return np.concatenate([floor, wall, spot]), triangles, 8


def ceiling(height: float) -> np.ndarray:
    """(4, 3) corners of a wide square above the origin."""
    return np.array([[-1e3, height, -1e3], [1e3, height, -1e3], [1e3, height, 1e3], [-1e3, height, 1e3]])


def quarter_sky(bands: int) -> np.ndarray:
    """(B²,) transfer of a surface that looks up (+y) and sees the sky of x > 0 only, by summing over the sphere."""
    directions = fibonacci_sphere(200_000)
    received = directions[:, 1].clip(0) * (directions[:, 0] > 0)
    return received @ evaluate(directions, bands) * 4 / len(directions)


def coloured_light() -> np.ndarray:
    """(9, 3) an even light with a lamp of another direction in each channel; positive."""
    light = np.outer([EVEN, *[0] * 8], np.ones(3))
    return light + 0.9 * evaluate(np.array([[0.6, 0, 0.8], [-1, 0, 0], [0, 0.8, 0.6]]), 3).T


def brute_force(
    vertices: np.ndarray, triangles: np.ndarray, normals: np.ndarray, chosen: np.ndarray, light: np.ndarray
) -> np.ndarray:
    """(N, 3) irradiance / π of some vertices from 4096 directions, whatever is hit being black."""
    scene, directions = RayScene(vertices, triangles), fibonacci_sphere(4096)
    radiance = evaluate(directions, 3) @ light
    out = np.empty((len(chosen), 3))
    for row, vertex in enumerate(chosen):
        cosine = directions @ normals[vertex]
        above = cosine > 0
        origins = np.broadcast_to(vertices[vertex] + 0.3 * normals[vertex], (above.sum(), 3))
        free = ~scene.occluded(origins, directions[above])
        out[row] = (cosine[above] * free) @ radiance[above] * 4 / len(directions)
    return out


def reflected(cosine: float, roughness: float) -> tuple[np.ndarray, np.ndarray]:
    """A dielectric GGX surface of α = roughness² seen at this cosine.

    Facets are spread as GGX spreads them (Walter et al. 2007) with Smith's height-correlated shadowing and the exact
    Fresnel reflection.

    Returns:
        (N,) reflected share that goes by each facet, adding up to the directional albedo, and (N,) the cosine between
        the direction by each facet and the mirror direction of the whole surface.
    """
    alpha, steps = roughness**2, (np.arange(300) + 0.5) / 300
    u, angle = (grid.ravel() for grid in np.meshgrid(steps, 2 * np.pi * steps))
    up = np.sqrt((1 - u) / (1 + (alpha**2 - 1) * u))
    across = np.sqrt(1 - up**2)
    facet = np.stack([across * np.cos(angle), across * np.sin(angle), up], axis=1)
    view = np.array([np.sqrt(1 - cosine**2), 0, cosine])
    meets = facet @ view
    out = 2 * meets[:, None] * facet - view
    valid = (out[:, 2] > 1e-6) & (meets > 1e-6)
    shadow = 1 / (1 + _smith(np.array([cosine]), alpha) + _smith(out[:, 2].clip(1e-6), alpha))
    share = fresnel(meets.clip(1e-6)) * shadow * meets / (up * cosine)
    return np.where(valid, share, 0) / len(u), out @ (view * [-1, -1, 1])


def _smith(cosine: np.ndarray, alpha: float) -> np.ndarray:
    return (np.sqrt(1 + alpha**2 * (1 / cosine**2 - 1)) - 1) / 2


def fresnel(cosine: np.ndarray) -> np.ndarray:
    """Unpolarised reflection of a dielectric of the skin's index."""
    g = np.sqrt(SKIN_IOR**2 - 1 + cosine**2)
    along = (cosine * (g + cosine) - 1) / (cosine * (g - cosine) + 1)
    return ((g - cosine) / (g + cosine)) ** 2 / 2 * (1 + along**2)
