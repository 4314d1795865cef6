# SPDX-License-Identifier: GPL-3.0-or-later
"""The landmarker: exact against MediaPipe, and robust beyond it."""

import dataclasses
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from skimage.data import astronaut, coffee

from facedetail_addon.core.assets import shipped as assets
from facedetail_addon.core.errors import AssetError, PhotoError
from facedetail_addon.core.face_model.ibug import IBUG_FROM_MESH
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.observe.landmarks import landmarker as landmarker_module
from facedetail_addon.core.observe.landmarks.landmarker import MEDIAPIPE, MeshLandmarker, notices
from facedetail_addon.core.observe.region import Region
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.rendering.primary_rays import interpolate, trace_image

REFERENCE = Path(__file__).parent / "data" / "astronaut_mediapipe_mesh.npz"
FACE_WIDTH = 90  # px of the astronaut's face


@pytest.fixture(scope="module")
def landmarker() -> MeshLandmarker:
    return MeshLandmarker.load()


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return astronaut()


@pytest.fixture(scope="module")
def face(landmarker, photo):
    (found,) = landmarker.find(photo)
    return found


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.linalg.norm(a[:, :2] - b[:, :2], axis=1)


def test_same_as_mediapipe(photo):
    """``data/astronaut_mediapipe_mesh.npz`` is what mediapipe 0.10.21's FaceMesh (static, refined) answers."""
    (found,) = MeshLandmarker.load(MEDIAPIPE).find(photo)
    reference = np.load(REFERENCE, allow_pickle=False)["mesh_px"]
    assert np.abs(found.mesh_px - reference).max() < 0.3


def test_thorough_search_stays_near_mediapipe(face):
    reference = np.load(REFERENCE, allow_pickle=False)["mesh_px"]
    assert np.median(distances(face.mesh_px, reference)) < 0.02 * FACE_WIDTH


def test_result_has_the_promised_form(face):
    assert face.mesh_px.shape == (478, 3) and face.mesh_px.dtype == np.float32
    assert face.sparse_px.shape == (68, 2) and face.sparse_px.dtype == np.float32
    assert face.box_px.shape == (4,) and (face.box_px[2:] > face.box_px[:2]).all()
    assert face.rotation == 0 and 0.8 < face.score <= 1 and abs(face.yaw_deg) < 10


def test_ibug_points_lie_where_ibug_wants_them(face):
    points = face.sparse_px
    assert len(set(IBUG_FROM_MESH)) == 68
    jaw, right_eye, left_eye, mouth = points[:17], points[36:42], points[42:48], points[48:60]
    assert (np.diff(jaw[3:14, 0]) > 0).all(), "the jaw runs from the subject's right (image left) to the left"
    assert jaw[:, 1].argmax() in (7, 8, 9), "the chin is its lowest point"
    assert right_eye[:, 0].max() < left_eye[:, 0].min()
    assert points[17:27, 1].max() < right_eye[:, 1].min(), "brows above eyes"
    assert (np.diff(points[27:31, 1]) > 0).all() and points[30, 1] < points[33, 1] < mouth[:, 1].min()
    outline = mouth.reshape(-1, 1, 2)
    assert all(cv2.pointPolygonTest(outline, tuple(map(float, p)), True) > -1.0 for p in points[60:68])
    for eye in (right_eye, left_eye):
        assert eye[[1, 2], 1].mean() < eye[[4, 5], 1].mean(), "upper lid above lower lid"
    for iris, eye in ((468, right_eye), (473, left_eye)):
        assert np.linalg.norm(face.mesh_px[iris, :2] - eye.mean(0)) < 0.05 * FACE_WIDTH


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_photo_gives_the_same_points(landmarker, photo, face, turns):
    (found,) = landmarker.find(np.rot90(photo, turns))
    points = found.mesh_px[:, :2]
    for _ in range(turns):
        points = np.stack([photo.shape[1] - points[:, 1], points[:, 0]], axis=1)
    assert (found.rotation + turns) % 4 == 0
    assert distances(points, face.mesh_px).max() < 0.02 * FACE_WIDTH


def test_tilted_photo(landmarker, photo, face):
    turn = cv2.getRotationMatrix2D((223, 125), 45, 1)
    (found,) = landmarker.find(cv2.warpAffine(photo, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE))
    expected = face.mesh_px[:, :2] @ turn[:, :2].T + turn[:, 2]
    assert np.median(distances(found.mesh_px, expected)) < 0.03 * FACE_WIDTH


def test_several_faces_come_largest_first(landmarker, photo):
    part = photo[20:240, 110:330]
    collage = np.full((600, 640, 3), 128, np.uint8)
    for side, x, y in ((220, 390, 40), (180, 20, 60), (180, 60, 400), (120, 400, 420)):
        collage[y : y + side, x : x + side] = cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA)
    found = landmarker.find(collage)
    corners = [face.mesh_px[:, :2].min(0) for face in found]
    assert [(corner[0] > 320, corner[1] > 320) for corner in corners[::3]] == [(True, False), (True, True)]
    widths = [np.ptp(face.mesh_px[:, 0]) for face in found]
    np.testing.assert_allclose(widths, widths[0] * np.array([220, 180, 180, 120]) / 220, rtol=0.06)


def test_small_face_in_a_large_photo(landmarker, photo, face):
    large = np.full((3000, 4000, 3), 110, np.uint8)
    large[1700:2212, 2500:3012] = photo
    (found,) = landmarker.find(large)
    assert np.median(distances(found.mesh_px, face.mesh_px + [2500, 1700, 0])) < 0.02 * FACE_WIDTH


def test_face_in_a_huge_photo(landmarker, photo, face):
    huge = cv2.resize(photo, (12000, 12000), interpolation=cv2.INTER_LINEAR)
    (found,) = landmarker.find(huge)
    assert np.median(distances(found.mesh_px * (512 / 12000), face.mesh_px)) < 0.02 * FACE_WIDTH


def test_grey_photo(landmarker, photo, face):
    grey = np.repeat(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    (found,) = landmarker.find(grey)
    assert np.median(distances(found.mesh_px, face.mesh_px)) < 0.02 * FACE_WIDTH


@pytest.mark.parametrize("shape", [(1, 1), (2, 900), (700, 3), (300, 300)])
def test_no_face_in_empty_pictures(landmarker, shape):
    assert landmarker.find(np.full((*shape, 3), 90, np.uint8)) == ()


def test_no_face_in_patterns(landmarker):
    assert landmarker.find(np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)) == ()
    assert landmarker.find(coffee()) == ()


def test_face_cut_by_the_border_is_found_and_noticed(landmarker, photo, face):
    half = np.ascontiguousarray(photo[40:300, 215:400])
    (found,) = landmarker.find(half)
    visible = face.mesh_px[:, 0] > 225
    assert np.median(distances(found.mesh_px + [215, 40, 0], face.mesh_px)[visible]) < 0.06 * FACE_WIDTH
    codes = {notice.code for notice in notices(found, (half.shape[1], half.shape[0]))}
    assert codes == {"face_at_border", "small_face"}


def test_notices(face):
    size = (512, 512)
    assert [notice.code for notice in notices(face, size)] == ["small_face"]
    enlarged = dataclasses.replace(face, mesh_px=face.mesh_px * 2)
    assert notices(enlarged, (1024, 1024)) == ()
    (turned,) = notices(dataclasses.replace(enlarged, yaw_deg=50.0), (1024, 1024))
    assert turned.code == "yaw" and "left" in turned.message


@pytest.mark.parametrize("yaw", [-30, 30, 60])
def test_yaw_of_a_rendered_head(landmarker, model, yaw):
    image = render_turned_head(model, np.radians(yaw))
    (found,) = landmarker.find(image)
    assert found.yaw_deg == pytest.approx(yaw, abs=12)
    assert ("yaw" in {notice.code for notice in notices(found, (512, 512))}) == (abs(yaw) > 45)


def render_turned_head(model, yaw: float) -> np.ndarray:
    """A clay head with dark irises, turned to its left by ``yaw``; (512, 512, 3) uint8."""
    vertices = model.vertices().astype(np.float64)
    triangles = model.triangles()
    colour = np.full((len(vertices), 3), [205.0, 160.0, 135.0])
    for part in (model.part("eye_left"), model.part("eye_right")):
        ball = part.of(vertices) - part.of(vertices).mean(0)
        front = ball[:, 2] / np.linalg.norm(ball, axis=1) > 0.88
        colour[part.rows] = np.where(front[:, None], 35.0, 235.0)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    turned = vertices @ turn.T
    middle = model.skin.of(turned).mean(0)
    flip = np.diag([1.0, -1.0, -1.0])
    camera = PerspectiveCamera(
        flip, np.array([0, 0, 900.0]) - flip @ middle, 1300.0, np.array([256.0, 256.0]), (512, 512)
    )
    hits = trace_image(turned, triangles, camera)
    normals = interpolate(hits, triangles, vertex_normals(turned, triangles))
    shade = np.clip(normals @ np.array([0.3, 0.5, 0.8]), 0.15, 1)
    lit = interpolate(hits, triangles, colour) * shade[:, None]
    return np.where(hits.triangle[:, None] >= 0, lit, 120).reshape(512, 512, 3).clip(0, 255).astype(np.uint8)


def test_half_pixel_convention():
    """A crop twice as fine as the photo shows each pixel at its own place, without a shift."""
    image = np.zeros((8, 8, 3), np.uint8)
    image[3, 5] = 255
    crop = Region(np.array([4.0, 4.0]), 8.0).crop(image, 16, cv2.BORDER_CONSTANT).astype(float)[..., 0]
    y, x = np.mgrid[:16, :16] + 0.5
    assert (crop * x).sum() / crop.sum() == pytest.approx(2 * 5.5, abs=0.02)
    assert (crop * y).sum() / crop.sum() == pytest.approx(2 * 3.5, abs=0.02)
    place = Region(np.array([4.0, 4.0]), 8.0).to_photo(np.array([11, 7]) / 16)
    np.testing.assert_allclose(place, [5.5, 3.5])


def test_shrunk_crop_has_no_shift():
    """Averaging before sampling keeps a blob's centre where it is, at a step that divides nothing evenly."""
    y, x = np.mgrid[:1003, :1001] + 0.5
    blob = np.exp(-((x - 417.3) ** 2 + (y - 688.9) ** 2) / (2 * 60**2))
    image = np.repeat((blob * 255).astype(np.uint8)[..., None], 3, axis=2)
    region = Region(np.array([500.0, 510.0]), 940.0, 0.3)
    crop = region.crop(image, 128, cv2.BORDER_CONSTANT).astype(float)[..., 0]
    v, u = np.mgrid[:128, :128] + 0.5
    center = np.array([(crop * u).sum(), (crop * v).sum()]) / crop.sum() / 128
    np.testing.assert_allclose(region.to_photo(center), [417.3, 688.9], atol=0.5)


def test_thread_count_is_given_back(landmarker, photo):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        landmarker.find(photo[:200, 100:350])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3))])
def test_other_arrays_are_refused(landmarker, bad):
    with pytest.raises(PhotoError):
        landmarker.find(bad)


@pytest.fixture
def weights_copy(tmp_path, monkeypatch):
    """A copy of the weights' folder that the landmarker reads instead of the shipped one."""
    for name in (landmarker_module.DETECTOR_WEIGHTS, landmarker_module.MESH_WEIGHTS, assets.INDEX_NAME):
        shutil.copy(assets.WEIGHTS_DIR / name, tmp_path)
    monkeypatch.setattr(landmarker_module, "find_weights", lambda name: assets.find_weights(name, tmp_path))
    return tmp_path


def test_missing_weights(weights_copy):
    (weights_copy / landmarker_module.MESH_WEIGHTS).unlink()
    with pytest.raises(AssetError, match=landmarker_module.MESH_WEIGHTS) as caught:
        MeshLandmarker.load()
    assert caught.value.remedy


def test_damaged_weights(weights_copy):
    path = weights_copy / landmarker_module.DETECTOR_WEIGHTS
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    with pytest.raises(AssetError, match="damaged"):
        MeshLandmarker.load()


def test_weights_of_another_version(weights_copy):
    path = weights_copy / landmarker_module.DETECTOR_WEIGHTS
    tensors = load_file(path)
    tensors.pop(next(iter(tensors)))
    save_file(tensors, path)
    assets.register_weights(path)
    with pytest.raises(AssetError, match="does not fit"):
        MeshLandmarker.load()


def test_weights_are_half_precision_and_small():
    index = json.loads((assets.WEIGHTS_DIR / assets.INDEX_NAME).read_text(encoding="utf-8"))
    names = (landmarker_module.DETECTOR_WEIGHTS, landmarker_module.MESH_WEIGHTS)
    assert sum(index[name]["bytes"] for name in names) < 2.8e6
    for name in names:
        assert {tensor.dtype for tensor in load_file(assets.find_weights(name)).values()} == {torch.float16}


def test_wild_and_studio_photos(landmarker, data_dir):
    """Each of a sample of the test data's photos has one upright face, and it is found."""
    photos = (
        sorted((data_dir / "wild").glob("*.jpg"))[::49] + sorted((data_dir / "london" / "smiling").glob("*.jpg"))[::20]
    )
    for path in photos:
        found = landmarker.find(cv2.imread(str(path))[:, :, ::-1])
        assert len(found) == 1 and found[0].rotation == 0, path


def test_face_that_fills_a_square(landmarker):
    """Found without the detector, as in pictures that are all face."""
    picture = astronaut()
    face = landmarker.find(picture)[0].mesh_px
    x, y = (face[:, :2].min(0) - 12).astype(int)
    side = int(np.ptp(face[:, :2], axis=0).max()) + 24
    mesh_px, flag = landmarker.find_in_square(np.ascontiguousarray(picture[y : y + side, x : x + side]))
    assert flag > 0.99
    assert np.abs(mesh_px[:, :2] + [x, y] - face[:, :2]).max() < 0.04 * side
    _, nothing = landmarker.find_in_square(np.full((96, 96, 3), 128, np.uint8))
    assert nothing < 0.5
