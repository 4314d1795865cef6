# SPDX-License-Identifier: GPL-3.0-or-later
"""The light stage of heads that known lamps light from far away, with shadows that are none of its own."""

from dataclasses import replace

import numpy as np
import pytest

from blender_tests.core.test_estimate_light import Studio
from facedetail_addon.core.colour import LUMINANCE
from facedetail_addon.core.lighting.stage import estimate_stage
from facedetail_addon.core.rendering.normals import unit, vertex_normals
from facedetail_addon.core.rendering.rays import RayScene
from facedetail_addon.core.rendering.stage import DISTANCE_MM, FACING, RADIUS_MM, lamp_directions, stage_transfer

CELL_DEG = 37.5  # no direction is further from the nearest lamp
ABOVE_LEFT, RIGHT = (0.7, 0.45, 0.75), (-0.85, 0.2, 0.6)


class LampStudio(Studio):
    """The mean head, lit by small lamps far away, whose shadows are hard, and evenly."""

    def __init__(self, model):
        super().__init__(model)
        self.triangles = model.triangles()
        self.skin = model.skin.of(self.fit.vertices)
        self.normals = vertex_normals(self.skin, model.skin.triangles())
        self.scene = RayScene(self.fit.vertices, self.triangles)

    def sunlit(self, *lamps, even=0.25) -> np.ndarray:
        """(V, 3) photo colours under lamps, each a direction and what white skin that faces it shows, three numbers."""
        shading = np.outer(self.transfer.diffuse[:, 0] * np.sqrt(4 * np.pi), np.broadcast_to(even, 3))
        for direction, colour in lamps:
            towards = unit(np.float64(direction))
            free = ~self.scene.occluded(self.skin + 0.3 * self.normals, np.tile(towards, (len(self.skin), 1)))
            shading += np.outer((self.normals @ towards).clip(0) * free, np.broadcast_to(colour, 3))
        return shading * self.basis.albedo(np.zeros(len(self.basis.modes)))

    def stage(self, colour: np.ndarray):
        """The stage that is found in the photo of those colours."""
        seen = self.of(colour.clip(0, 1))
        light = self.estimate(seen)
        return estimate_stage(seen, light, self.transfer, self.basis, self.atlas, self.fit.vertices, self.triangles)


@pytest.fixture(scope="module")
def studio(model) -> LampStudio:
    return LampStudio(model)


def angle_deg(one, other) -> float:
    return float(np.degrees(np.arccos(unit(np.float64(one)) @ unit(np.float64(other)))))


def brightest(stage) -> np.ndarray:
    return lamp_directions()[(stage.radiance @ LUMINANCE).argmax()]


def test_lamps_stand_at_the_faces_of_an_icosahedron_and_symmetrically():
    directions = lamp_directions()
    assert directions.shape == (20, 3) and np.allclose(np.linalg.norm(directions, axis=1), 1)
    angles = np.degrees(np.arccos((directions @ directions.T).clip(-1, 1)))
    assert np.allclose(np.sort(angles, axis=1)[:, 1:4], 41.81, atol=0.01), "three neighbours each"
    mirrored = directions * [-1, 1, 1]
    assert all(np.isclose(directions, place).all(axis=1).any() for place in mirrored)


def test_transfer_of_a_plate_in_the_middle_is_the_discs():
    """E = π L sin² φ at the middle under a disc that faces it, and what Lambert's law leaves of it aslant."""
    far_away = np.float32([[0, 0, -9000], [1, 0, -9000], [0, 1, -9000]])
    direction = lamp_directions()[0]
    aslant = unit(direction + 0.5 * np.cross(direction, [0, 1, 0]))
    found = stage_transfer(np.zeros((2, 3)), np.stack([direction, aslant]), far_away, np.array([[0, 1, 2]]))
    assert found[0, 0] == pytest.approx(FACING, rel=0.01)
    assert found[1, 0] == pytest.approx(FACING * aslant @ direction, rel=0.01)
    assert FACING == pytest.approx(RADIUS_MM**2 / (RADIUS_MM**2 + DISTANCE_MM**2))


def test_shadow_of_a_small_plate_is_soft():
    """Under a plate's border half of the lamp is hidden, far inside all of it, far outside none."""
    direction = np.float64([0, 1 / 1.618033988749895, 1.618033988749895]) / np.sqrt(3)
    number = int((lamp_directions() @ direction).argmax())
    across = np.cross(direction, [1.0, 0, 0])
    plate = np.array([[-1000, 0.0], [1000, 0.0], [1000, 2000.0], [-1000, 2000.0]])
    corners = (100 * direction + plate[:, :1] * [1.0, 0, 0] + plate[:, 1:] * across).astype(np.float32)
    points = np.outer([-60.0, 0.0, 60.0], across)
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    found = stage_transfer(points, np.tile(direction, (3, 1)), corners, triangles)[:, number] / FACING
    assert found[0] == pytest.approx(1, abs=0.02) and found[1] == pytest.approx(0.5, abs=0.1) and found[2] < 0.01


@pytest.mark.parametrize("direction", [ABOVE_LEFT, RIGHT, (0.1, 0.8, 0.7), (0.3, -0.5, 0.8)])
@pytest.mark.parametrize("even", [0.05, 0.3])
def test_the_strongest_lamp_stands_where_the_lamp_was(studio, direction, even):
    stage = studio.stage(studio.sunlit((direction, 0.6), even=even))
    assert angle_deg(brightest(stage), direction) < CELL_DEG
    mean = (stage.radiance @ LUMINANCE) @ lamp_directions()
    assert angle_deg(mean, direction) < 15
    behind = lamp_directions()[:, 2] < -0.5
    assert (stage.radiance[behind] @ LUMINANCE).sum() < 0.25 * (stage.radiance @ LUMINANCE).sum()


def test_two_coloured_lamps(studio):
    stage = studio.stage(studio.sunlit((ABOVE_LEFT, (0.6, 0.25, 0.15)), (RIGHT, (0.15, 0.25, 0.6)), even=0.1))
    side = lamp_directions()[:, 0]
    left, right = (stage.radiance[chosen].sum(axis=0) for chosen in (side > 0.3, side < -0.3))
    assert left[0] > 1.5 * left[2] and right[2] > 1.5 * right[0]


def test_even_light_is_mostly_even(studio):
    stage = studio.stage(studio.sunlit(even=0.8))
    lamps = (stage.radiance @ LUMINANCE) * FACING
    assert lamps.max() < 0.35 * (stage.ambient @ LUMINANCE)


def test_a_photo_without_colours_has_grey_lamps(studio):
    grey = np.repeat((studio.sunlit((ABOVE_LEFT, 0.6)) @ LUMINANCE)[:, None], 3, axis=1)
    stage = studio.stage(grey)
    bright = stage.radiance[stage.radiance.max(axis=1) > 0.1]
    assert len(bright) and (np.ptp(bright, axis=1) < 0.1 * bright.max(axis=1)).all()


def bad_photos(studio: LampStudio) -> dict[str, np.ndarray]:
    good = studio.sunlit((ABOVE_LEFT, 0.6))
    spots = np.random.default_rng(4).uniform(0, 1, (len(good), 3))
    return {"nearly black": good * 0.003, "black": good * 0, "white": good * 0 + 1, "noise": spots}


@pytest.mark.parametrize("name", ["nearly black", "black", "white", "noise"])
def test_bad_photos_stay_bounded(studio, name):
    stage = studio.stage(bad_photos(studio)[name])
    assert stage.radiance.shape == (20, 3) and stage.ambient.shape == (3,)
    assert stage.radiance.dtype == stage.ambient.dtype == np.float32
    for values in (stage.radiance, stage.ambient):
        assert np.isfinite(values).all() and values.min() >= 0 and values.max() * FACING < 20


def test_where_no_skin_is_seen_there_is_even_light_alone(studio):
    seen = studio.of(studio.sunlit((ABOVE_LEFT, 0.6)))
    seen = replace(seen, vertex_confidence=np.zeros_like(seen.vertex_confidence))
    light = studio.estimate(seen)
    stage = estimate_stage(
        seen, light, studio.transfer, studio.basis, studio.atlas, studio.fit.vertices, studio.triangles
    )
    assert stage.radiance.max() == 0
    np.testing.assert_allclose(stage.ambient, light.radiance[0] / np.sqrt(4 * np.pi), rtol=1e-6)


def test_same_photo_same_lamps(studio):
    colour = studio.sunlit((RIGHT, 0.5))
    one, other = studio.stage(colour), studio.stage(colour)
    np.testing.assert_array_equal(one.radiance, other.radiance)
    np.testing.assert_array_equal(one.ambient, other.ambient)
