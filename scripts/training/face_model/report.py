# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures and pictures of the built-in head."""

from pathlib import Path

import numpy as np

from facedetail_addon.core.face_model.model import FaceModel, split_quads
from facedetail_addon.core.geometry.nearest import ClosestPoints
from facedetail_addon.core.rendering.normals import vertex_normals
from facedetail_addon.core.rendering.rays import RayScene

from .assemble import NECK_LEVEL, NECK_SLOPE, SkinMesh
from .remesh import corner_quality
from .source import HEAD_STOP, SKIN_STOP, SourceHead, refine_skin
from .surface import boundary_loops

HEADS, SEED = 50, 7
POSES = {
    "neutral": {},
    "jawOpen": {"jawOpen": 1.0},
    "smile": {
        "mouthSmileLeft": 1.0,
        "mouthSmileRight": 1.0,
        "cheekSquintLeft": 0.6,
        "cheekSquintRight": 0.6,
        "jawOpen": 0.12,
    },
    "blink": {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
    "pucker": {"mouthPucker": 1.0},
}
VIEWS = {  # name: (yaw°, pitch°, centre mm, width mm)
    "front": (0, 0, (0, 10, 60), 290),
    "side": (75, 0, (0, 10, 0), 290),
    "three_quarter": (40, 8, (0, 10, 40), 290),
    "eye": (0, 0, (32, 36, 90), 60),
    "mouth": (0, 0, (0, -36, 100), 80),
    "nose": (20, -35, (5, -3, 110), 50),
    "ear": (80, 0, (80, 10, 0), 85),
}
COLOURS = {"skin": (0.82, 0.72, 0.66), "teeth": (0.9, 0.88, 0.8), "gums": (0.7, 0.35, 0.35), "sclera": (0.9, 0.9, 0.9)}


def mesh_figures(model: FaceModel, skin: SkinMesh) -> dict[str, float]:
    """Counts and quality of skin mesh and canonical UV."""
    faces, points = skin.faces, model.skin.of(model.mean).astype(float)
    corner = model.skin.uv[model.skin.face_uv].astype(float)
    area_uv = 0.5 * np.cross(corner[:, 2] - corner[:, 0], corner[:, 3] - corner[:, 1])
    p = points[faces]
    area = 0.5 * np.linalg.norm(np.cross(p[:, 2] - p[:, 0], p[:, 3] - p[:, 1]), axis=1)
    texel = np.sqrt(area / np.abs(area_uv)) / 2048
    names = np.array(model.region_names)[model.region[faces]]
    on_face = ~np.isin(names, ("scalp", "neck", "ears", "socket")).any(axis=1)
    quality = corner_quality(points, faces)
    low, high = np.percentile(texel[on_face], [1, 99])
    valence = np.bincount(np.concatenate([faces.ravel()]))
    return {
        "skin_vertices": len(points),
        "skin_quads": len(faces),
        "borders": len(boundary_loops(faces)),
        "irregular_vertices": int((valence != 4).sum() - len(boundary_loops(faces)[0])),
        "folded_quads": int((quality < 0).sum()),
        "flipped_uv_quads": int((area_uv <= 0).sum()),
        "face_mm_per_texel_2048": round(float(np.median(texel[on_face])), 3),
        "face_density_ratio_1_99": round(float(high / low), 2),
    }


def geometric_floor(source: SourceHead, skin: SkinMesh, model: FaceModel) -> dict[str, float]:
    """Mean distance of the kit's skin vertices to our surface on random heads with random expressions, mm.

    ``refined_mm``: the refined kit at the kit's own vertices. ``floor_remesh_mm``: our topology carrying the kit's full
    shape. ``floor_model_mm``: the written model with its own best coefficients for the same head.
    """
    generator = np.random.default_rng(SEED)
    triangles = split_quads(skin.faces)
    neutral = source.neutral[:SKIN_STOP].astype(float)
    kept = np.flatnonzero(
        (np.arange(SKIN_STOP) < HEAD_STOP) & (neutral[:, 1] + NECK_SLOPE * neutral[:, 2] > NECK_LEVEL + 3)
    )
    kit_triangles = split_quads(source.skin_faces)
    basis = model.skin.of(model.identity_basis).reshape(len(model.identity_basis), -1).T.astype(float)
    solve = np.linalg.pinv(basis)
    remesh, written = [], []
    for _ in range(HEADS):
        alpha = generator.standard_normal(len(source.identity))
        beta = generator.random(len(source.expression)) * (generator.random(len(source.expression)) < 0.15)
        identity = np.tensordot(alpha, source.identity[:, :SKIN_STOP], axes=1)
        expression = np.tensordot(beta, source.expression[:, :SKIN_STOP], axes=1)
        kit = neutral + identity + expression
        normals = vertex_normals(kit, kit_triangles)[kept]
        ours = skin.weights @ kit
        fitted = solve @ (skin.weights @ (neutral + identity) - model.skin.of(model.mean)).ravel()
        best = model.vertices(fitted.astype(np.float32), beta.astype(np.float32))[: model.skin.stop]
        for shape, out in ((ours, remesh), (best.astype(float), written)):
            out.append(ClosestPoints(shape, triangles).query(kit[kept], normals, candidates=24).distance.mean())
    refined = (refine_skin(source).weights[:SKIN_STOP] @ neutral) - neutral
    return {
        "refined_mm": round(float(np.linalg.norm(refined, axis=1).mean()), 3),
        "floor_remesh_mm": round(float(np.mean(remesh)), 3),
        "floor_model_mm": round(float(np.mean(written)), 3),
    }


def render_sheets(model: FaceModel, folder: Path) -> None:
    """Write ``<pose>.png`` sheets of all views, and ``wire.png`` with the quads drawn."""
    import cv2

    folder.mkdir(parents=True, exist_ok=True)
    for pose, weights in POSES.items():
        beta = np.array([weights.get(name, 0.0) for name in model.expression_names], np.float32)
        vertices = model.vertices(None, beta)
        views = (
            VIEWS
            if pose in ("neutral", "jawOpen")
            else {k: VIEWS[k] for k in ("front", "three_quarter", "eye", "mouth")}
        )
        tiles = [picture(model, vertices, *view) for view in views.values()]
        cv2.imwrite(str(folder / f"{pose}.png"), np.hstack(tiles)[..., ::-1])
    tiles = [picture(model, model.mean, *view, wire=True) for view in VIEWS.values()]
    cv2.imwrite(str(folder / "wire.png"), np.hstack(tiles)[..., ::-1])


def picture(model: FaceModel, vertices, yaw, pitch, centre, width, wire=False, size=560, supersample=2) -> np.ndarray:
    """An orthographic clay picture, (size, size, 3) uint8."""
    import cv2

    triangles, colours, diagonal = [], [], []
    for part in model.parts:
        own = part.triangles() + part.start
        triangles.append(own)
        first = len(part.faces)
        face_of = np.concatenate([np.arange(first), np.flatnonzero(part.faces[:, 3] >= 0)])
        palette = np.array([COLOURS.get(material, (0.25, 0.35, 0.45)) for material in part.materials])
        colours.append(palette[part.face_material[face_of]])
        quad = part.faces[face_of, 3] >= 0
        diagonal.append(np.where(quad, np.where(np.arange(len(own)) < first, 1, 2), -1))
    triangles, colours, diagonal = np.concatenate(triangles), np.concatenate(colours), np.concatenate(diagonal)
    yaw, pitch = np.radians([yaw, pitch])
    towards = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    right = np.array([np.cos(yaw), 0, -np.sin(yaw)])
    up = np.cross(towards, right)
    count = size * supersample
    grid = (np.arange(count) + 0.5) / count - 0.5
    x, y = np.meshgrid(grid * width, -grid * width)
    origins = np.asarray(centre) + x.reshape(-1, 1) * right + y.reshape(-1, 1) * up + towards * 500
    hits = RayScene(vertices, triangles).cast(origins, np.broadcast_to(-towards, origins.shape))
    index = np.maximum(hits.triangle, 0)
    normal = np.einsum("nkc,nk->nc", vertex_normals(vertices, triangles)[triangles[index]], hits.barycentric)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    light = towards * 0.6 + right * 0.5 + up * 0.6
    shade = 0.22 + 0.78 * np.clip(normal @ light / np.linalg.norm(light), 0, 1)
    image = colours[index] * shade[:, None]
    if wire:
        corners = vertices[triangles[index]].astype(float)
        double = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        distance = np.full(len(index), np.inf)
        for i in range(3):
            length = np.linalg.norm(corners[:, (i + 1) % 3] - corners[:, (i + 2) % 3], axis=1)
            height = hits.barycentric[:, i] * double / np.maximum(length, 1e-9)
            distance = np.where(diagonal[index] == i, distance, np.minimum(distance, height))
        image = np.where((distance < 0.8 * width / count)[:, None], image * 0.4, image)
    image[hits.triangle < 0] = 0.15
    picture = (np.clip(image, 0, 1) * 255).astype(np.uint8).reshape(count, count, 3)
    return cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
