# SPDX-License-Identifier: GPL-3.0-or-later
"""Eyes in Blender: their nodes, and that a Cycles picture of known irises gives their colours back."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facedetail_addon.core.camera import PerspectiveCamera
from facedetail_addon.core.eyes.estimate import estimate_eyes
from facedetail_addon.core.eyes.sampling import sample_eye
from facedetail_addon.core.eyes.types import USUAL_EYES, EyeLook
from facedetail_addon.core.face_model.eyeball import IRIS_RADIUS_MM, fit_eyeball, seen_front
from facedetail_addon.core.lighting.transport import diffuse_light
from facedetail_addon.core.render import trace_image

BLUE = EyeLook((0.10, 0.13, 0.16), (0.50, 0.46, 0.44), 12.2, 1.0)
BLACK = EyeLook((0.020, 0.013, 0.011), (0.40, 0.36, 0.33), 13.0, 1.0)
SIZE = (216, 84)


@pytest.fixture
def made(model, reconstruction_of):
    """A head that looks straight ahead, and a camera on its eyes: 1.6 px per mm."""
    plain = reconstruction_of(model, SIZE)
    rotation = np.diag([1.0, -1.0, -1.0])
    middle = np.mean([fit_eyeball(p, plain.vertices[p.start : p.stop]).center for p in eyes_of(model)], axis=0)
    camera = PerspectiveCamera(rotation, np.array([0, 0, 600.0]) - rotation @ middle, 960.0, np.array(SIZE) / 2, SIZE)
    return replace(plain, perspective=camera, eyes=BLUE)


def eyes_of(model):
    return [part for part in model.parts if part.name.startswith("eye")]


def test_the_nodes_carry_the_look_and_an_export_reads_them(blender, model, made):
    from facedetail_addon.core.colour import to_linear
    from facedetail_addon.scene.build import build_scene
    from facedetail_addon.scene.eye_material import IRIS_NODE, look_of
    from facedetail_addon.scene.eye_texture import eye_picture

    collection = build_scene(made, model)
    eyes = [item for item in collection.objects if "eye_" in item.name]
    materials = [material for item in eyes for material in item.data.materials]
    assert len(eyes) == 2 and all(IRIS_NODE in material.node_tree.nodes for material in materials)
    for material in materials:
        look = look_of(material)
        np.testing.assert_allclose((*look.iris, *look.sclera, look.iris_mm), (*BLUE.iris, *BLUE.sclera, 12.2), 1e-5)
    picture = to_linear(eye_picture(BLUE, 12.2 / USUAL_EYES.iris_mm))
    ring = picture[256, 256 + int(0.7 * 256 / 2.4) :][:6].mean(axis=0)
    np.testing.assert_allclose(ring, BLUE.iris, rtol=0.3)
    assert picture[256, 256].max() < 0.002


def test_known_irises_come_back_from_cycles(blender, model, made, tmp_path):
    """Through lids, shadows, gloss and the material's own shade; light and truth are known, the way is Cycles'."""
    from facedetail_addon.scene.build import build_scene
    from facedetail_addon.scene.eye_material import color_eyes
    from facedetail_addon.scene.render import render_scene

    collection = build_scene(made, model)
    parts = [item for item in collection.objects if item.type == "MESH"]
    found = []
    for number, look in enumerate((BLUE, BLACK)):
        color_eyes(parts, look)
        path = render_scene(tmp_path / f"{number}.png", collection, samples=4)
        found.append(estimate_eyes(seen(cv2.imread(str(path))[..., ::-1], made, model, look), False))
    for look, eyes in zip((BLUE, BLACK), found, strict=True):
        assert eyes.confidence > 0.6
        np.testing.assert_allclose(np.log(eyes.iris), np.log(look.iris), atol=0.4)
        np.testing.assert_allclose(np.log(eyes.sclera), np.log(look.sclera), atol=0.3)
    tint = [eyes.iris[2] / eyes.iris[0] for eyes in found]
    assert tint[0] > 1.3 and tint[1] < 0.9


def seen(image: np.ndarray, made, model, look: EyeLook) -> list:
    """What the picture shows of each eye, its landmarks taken from the geometry."""
    triangles = np.concatenate([part.triangles() + part.start for part in model.solid_parts])
    hits = trace_image(made.vertices, triangles, made.perspective)
    first = np.where(hits.triangle >= 0, triangles[hits.triangle, 0], -1).reshape(SIZE[1], SIZE[0])
    skin_light = np.full((model.skin.stop, 3), 0.2, np.float32)
    samples = []
    for part in eyes_of(model):
        vertices = made.vertices[part.start : part.stop]
        eye = fit_eyeball(part, vertices)
        points, normals = seen_front(eye, vertices)
        light = diffuse_light(points, normals, made.vertices, triangles, made.sh_radiance, skin_light)
        rim = eye.center + 0.9 * eye.radius * eye.gaze
        across, up = IRIS_RADIUS_MM * look.iris_mm / USUAL_EYES.iris_mm / 0.97 * eye.axes()
        iris = made.perspective.project(np.stack([rim, rim + across, rim + up, rim - across, rim - up]))
        lids = outline((first >= part.start) & (first < part.stop), outer_left=part.name == "eye_right")
        samples.append(sample_eye(image, lids, iris, eye, made.perspective, points, light))
    return samples


def outline(visible: np.ndarray, outer_left: bool) -> np.ndarray:
    """(16, 2) px along the edge of what is seen of an eye, in the landmarks' order."""
    columns = np.flatnonzero(visible.any(axis=0))
    x = np.linspace(columns[0], columns[-1], 9).astype(int)
    x = x if outer_left else x[::-1]
    rows = [np.flatnonzero(visible[:, column]) for column in x]
    lower = [(column + 0.5, row[-1] + 1) for column, row in zip(x, rows, strict=True)]
    upper = [(column + 0.5, row[0]) for column, row in zip(x, rows, strict=True)]
    return np.array(lower + upper[1:-1], np.float64)
