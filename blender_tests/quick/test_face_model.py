# SPDX-License-Identifier: GPL-3.0-or-later
"""The built-in head: what its mesh, UV, modes and names promise, and what a damaged file says."""

from collections import Counter

import numpy as np
import pytest

from facedetail_addon.core.assets.shipped import find_weights
from facedetail_addon.core.errors import FaceModelError
from facedetail_addon.core.face_model.model import FaceModel, split_quads
from facedetail_addon.core.face_model.model_file import load_face_model, save_face_model
from facedetail_addon.core.uv.raster import rasterise_uv


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_face_model(find_weights("face_model.npz"))


def _edges(faces: np.ndarray) -> Counter:
    return Counter(
        (min(a, b), max(a, b)) for f in faces.tolist() for a, b in zip(f, f[1:] + f[:1], strict=True)
    )  # fmt: skip


def _beta(model: FaceModel, **weights: float) -> np.ndarray:
    unknown = set(weights) - set(model.expression_names)
    assert not unknown
    return np.array([weights.get(name, 0.0) for name in model.expression_names], np.float32)


def _quad_sines(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    p = points[faces].astype(float)
    normal = np.cross(p[:, 2] - p[:, 0], p[:, 3] - p[:, 1])
    ahead, back = np.roll(p, -1, axis=1) - p, np.roll(p, 1, axis=1) - p
    sine = np.einsum("fkc,fc->fk", np.cross(ahead, back), normal / np.linalg.norm(normal, axis=1, keepdims=True))
    return (sine / (np.linalg.norm(ahead, axis=2) * np.linalg.norm(back, axis=2))).min(axis=1)


def test_skin_is_quads_with_one_border_at_the_neck(model):
    faces = model.skin.faces
    assert (faces >= 0).all()
    assert 10_000 <= model.skin.stop <= 20_000
    counts = _edges(faces)
    assert max(counts.values()) == 2
    border = {v for edge, n in counts.items() if n == 1 for v in edge}
    degree = Counter(v for edge, n in counts.items() if n == 1 for v in edge)
    assert set(degree.values()) == {2}
    assert model.mean[sorted(border), 1].max() < -85
    # Euler characteristic 1: a disk, so eyelids, lips and nostrils are closed by sockets.
    assert model.skin.stop - len(counts) + len(faces) == 1


def test_no_skin_quad_is_folded(model):
    assert (_quad_sines(model.mean, model.skin.faces) > 0).all()


def test_skin_is_symmetric(model):
    from scipy.spatial import cKDTree

    points = model.skin.of(model.mean)
    distance, partner = cKDTree(points).query(points * [-1, 1, 1])
    assert distance.max() < 0.1
    assert (partner[partner] == np.arange(len(points))).all()


def test_canonical_uv_is_one_island_without_flips_or_overlap(model):
    skin = model.skin
    corners = skin.uv[skin.face_uv].astype(float)
    area = 0.5 * np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    assert (area > 0).all()
    assert skin.uv.min() >= 0 and skin.uv.max() <= 1
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    edges = np.concatenate([skin.face_uv[:, [i, (i + 1) % 4]] for i in range(4)])
    graph = coo_matrix((np.ones(len(edges)), edges.T), (len(skin.uv),) * 2)
    assert connected_components(graph, directed=False)[0] == 1
    raster = rasterise_uv(skin, 1024)
    covered = (np.asarray(raster.triangle) >= 0).mean()
    assert covered == pytest.approx(area.sum(), rel=0.01)  # texels counted once = areas added up: no overlap


def test_face_texels_are_even_and_fine(model):
    skin = model.skin
    corners = skin.uv[skin.face_uv].astype(float)
    uv_area = 0.5 * np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    p = model.mean[skin.faces].astype(float)
    area = 0.5 * np.linalg.norm(np.cross(p[:, 2] - p[:, 0], p[:, 3] - p[:, 1]), axis=1)
    names = np.array(model.region_names)[model.region[skin.faces]]
    face = ~np.isin(names, ("scalp", "neck", "ears", "socket")).any(axis=1)
    mm = np.sqrt(area / uv_area)[face] / 2048
    low, high = np.percentile(mm, [1, 99])
    assert high / low < 2
    assert np.median(mm) < 0.2


def test_expressions_carry_arkit_names(model):
    assert len(model.expression_names) == len(set(model.expression_names)) == 53
    for name in ("jawOpen", "eyeBlinkLeft", "mouthSmileRight", "browInnerUpLeft", "cheekPuffRight", "noseSneerLeft"):
        assert name in model.expression_names


def test_left_is_the_subjects_left(model):
    moved = np.linalg.norm(model.expression_basis[model.expression_names.index("eyeBlinkLeft")], axis=1)
    assert (model.mean[:, 0] * moved).sum() / moved.sum() > 20
    points = model.landmarks68.points(model.mean)
    assert points[36, 0] < 0 < points[45, 0]  # iBUG 36 is on the subject's right


def test_landmarks_lie_where_their_names_say(model):
    points = model.landmarks68.points(model.mean)
    region = np.array(model.region_names)[model.region[model.landmarks68.vertices[:, 0]]]
    assert set(region[27:36]) == {"nose"}
    assert set(region[48:68]) == {"mouth"}
    assert set(region[36:48]) <= {"eyes", "socket"}
    assert set(region[17:27]) <= {"forehead", "eyes"}
    assert points[8, 1] == points[:, 1].min()  # chin
    mirrored = points[[*range(16, -1, -1), *range(26, 16, -1)]] * [-1, 1, 1]
    assert np.abs(mirrored - points[:27]).max() < 0.5


def test_teeth_move_with_the_jaw(model):
    opened = model.vertices(None, _beta(model, jawOpen=1.0))
    lower, upper = model.part("teeth_lower"), model.part("teeth_upper")
    shift = opened - model.mean
    assert np.abs(upper.of(shift)).max() < 0.05
    rest, moved = (lower.of(v).astype(float) for v in (model.mean, opened))
    a, b = rest - rest.mean(0), moved - moved.mean(0)
    u, _, vt = np.linalg.svd(a.T @ b)
    assert np.linalg.norm(a @ u @ vt - b, axis=1).mean() < 0.3  # rigid
    assert (rest.mean(0) - moved.mean(0))[1] > 15


def test_eyes_are_round_and_turn(model):
    for side in ("left", "right"):
        part = model.part(f"eye_{side}")
        globe = part.of(model.mean).astype(float)
        iris = np.unique(part.faces[part.face_material == part.materials.index("iris")])
        back = globe[globe[:, 2] < np.median(globe[:, 2])]
        design = np.concatenate([2 * back, np.ones((len(back), 1))], axis=1)
        centre = np.linalg.lstsq(design, (back**2).sum(1), rcond=None)[0][:3]
        radius = np.linalg.norm(back - centre, axis=1)
        assert radius.std() < 0.05 and 11 < radius.mean() < 16
        pupil = part.start + int(np.linalg.norm(part.uv - 0.5, axis=1).argmin())
        assert pupil - part.start in iris[iris >= 0]
        beta = _beta(model, **{f"eyeLookUp{side.capitalize()}": 1.0})
        turned = model.vertices(None, beta)
        assert turned[pupil, 1] - model.mean[pupil, 1] > 5
        spread = np.linalg.norm(part.of(turned) - centre, axis=1)
        assert np.abs(spread - np.linalg.norm(globe - centre, axis=1)).max() < 0.6


def test_blink_closes_the_lids(model):
    beta = _beta(model, eyeBlinkLeft=1.0, eyeBlinkRight=1.0)
    blinking = model.vertices(None, beta)
    from facedetail_addon.core.rendering.rays import RayScene

    triangles = model.triangles()
    eye = model.part("eye_left")
    globe = eye.of(model.mean)
    x, y = np.meshgrid(np.linspace(-12, 12, 60), np.linspace(-10, 10, 60))
    origins = np.stack([globe[0, 0] + x.ravel(), globe[0, 1] + y.ravel(), np.full(x.size, 300)], axis=1)
    down = np.broadcast_to([0.0, 0.0, -1.0], origins.shape)
    first = len(model.skin.triangles())

    def seen(vertices: np.ndarray) -> float:
        return float((RayScene(vertices, triangles).cast(origins, down).triangle >= first).mean())

    assert seen(model.mean) > 0.25
    assert seen(blinking) < 0.01


@pytest.mark.parametrize("name", ["jawOpen", "mouthPucker", "mouthFunnel", "browInnerUpLeft", "cheekPuffLeft"])
def test_expressions_do_not_fold_the_face(model, name):
    posed = model.vertices(None, _beta(model, **{name: 1.0}))
    outside = model.skin.faces[~model.in_region("socket")[model.skin.faces].any(axis=1)]
    assert (_quad_sines(posed, outside) < 0).mean() < 0.002


def test_identity_modes_are_orthogonal_and_sorted(model):
    modes = model.skin.of(model.identity_basis).reshape(len(model.identity_basis), -1).astype(float)
    assert len(modes) == 50
    gram = modes @ modes.T
    power = np.diag(gram)
    assert (np.diff(power) <= 1e-3 * power[0]).all()
    cosine = np.abs(gram / np.sqrt(np.outer(power, power)) - np.eye(50)).max()
    assert cosine < 0.02  # quantised to 0.01 mm


def test_round_trip(model, tmp_path):
    path = tmp_path / "head.npz"
    save_face_model(path, model)
    again = load_face_model(path)
    assert np.abs(again.expression_basis - model.expression_basis).max() < 0.02
    assert again.region_names == model.region_names
    np.testing.assert_array_equal(again.skin.face_uv, model.skin.face_uv)
    assert len(split_quads(again.skin.faces)) == 2 * len(again.skin.faces)


def _rewrite(path, **changes):
    with np.load(find_weights("face_model.npz"), allow_pickle=False) as data:
        arrays = {key: data[key] for key in data.files}
    for key, value in changes.items():
        if value is None:
            del arrays[key]
        else:
            arrays[key] = value
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"mean": None},
        {"format_version": np.int32(99)},
        {"mean": np.full((10, 3), np.nan, np.float32)},
        {"region": np.zeros(3, np.uint8)},
        {"landmarks68_vertices": np.full((68, 3), 10**6, np.int32)},
        {"expression_names": np.array(["jawOpen"])},
    ],
)
def test_a_damaged_model_is_refused(tmp_path, changes):
    path = _rewrite(tmp_path / "bad.npz", **changes)
    with pytest.raises(FaceModelError) as caught:
        load_face_model(path)
    assert "bad.npz" in caught.value.message and caught.value.remedy


def test_a_truncated_or_pickled_file_is_refused(tmp_path):
    whole = find_weights("face_model.npz").read_bytes()
    for name, content in (("cut.npz", whole[: len(whole) // 2]), ("empty.npz", b""), ("text.npz", b"hello")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FaceModelError):
            load_face_model(tmp_path / name)
    np.savez(tmp_path / "pickle.npz", mean=np.array([{"a": 1}], dtype=object))
    with pytest.raises(FaceModelError):
        load_face_model(tmp_path / "pickle.npz")
    with pytest.raises(FaceModelError):
        load_face_model(tmp_path / "missing.npz")


def test_rigid_parts_are_the_same_bits_with_every_blas(model):
    """What is measured on a model is known by its fingerprint, on other machines too."""
    from fractions import Fraction

    from facedetail_addon.core.io.archive import read_arrays

    arrays = read_arrays(find_weights("face_model.npz"))
    part = model.part("eye_left")
    maps = arrays["eye_left.identity_affine"]
    for mode, vertex in ((0, 0), (3, 100), (49, 641)):
        place = [*map(Fraction, model.mean[part.start + vertex].tolist()), Fraction(1)]
        for axis in range(3):
            value = Fraction(0)
            for row in range(4):  # exact, rounded once after each step
                value = Fraction(float(np.float32(float(value + place[row] * Fraction(float(maps[mode, row, axis]))))))
            assert float(value) == model.identity_basis[mode, part.start + vertex, axis]
