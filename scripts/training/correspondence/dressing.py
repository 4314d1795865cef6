# SPDX-License-Identifier: GPL-3.0-or-later
"""What a drawn head wears: hair, beard, hat, glasses, shoulders; meshes that follow the posed head."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.rendering.normals import vertex_normals

_HAIR_COLOURS = np.array([
    [0.012, 0.010, 0.009], [0.03, 0.02, 0.013], [0.07, 0.04, 0.022], [0.16, 0.09, 0.045], [0.36, 0.24, 0.12],
    [0.50, 0.42, 0.30], [0.32, 0.31, 0.30], [0.62, 0.60, 0.57], [0.20, 0.07, 0.03],
])  # fmt: skip
_CURTAIN = (40, 14)  # columns and rows of the sheet of long hair
_BALL = (28, 14)


@dataclass(frozen=True)
class Garment:
    """A mesh with colours of its own.

    Attributes:
        vertices: (V, 3) float32 mm, head frame. triangles: (T, 3) int32. colour: (V, 3) float32 linear albedo.
        shine: of a gloss term.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    colour: np.ndarray
    shine: float = 0.02


@dataclass(frozen=True)
class Wardrobe:
    """What dressing needs of a model, computed once.

    Attributes:
        rest: (V_skin, 3) mean skin. triangles: of the skin. glasses: (V, 3) mm placed on the mean head; its triangles.
        scalp, ears: (V_skin,) bool. brow_y, mouth_y, chin: places on the mean head, mm.
        temples: (2, 3) int rows of the skin nearest to where glasses rest: nose bridge and over both ears.
    """

    rest: np.ndarray
    triangles: np.ndarray
    scalp: np.ndarray
    face: np.ndarray
    ears: np.ndarray
    lips: np.ndarray
    brow_y: float
    mouth_y: float
    nose_y: float
    glasses: np.ndarray
    glass_triangles: np.ndarray
    glass_rows: np.ndarray


def make_wardrobe(model: FaceModel, data: Path) -> Wardrobe:
    """Read the glasses and look at the model."""
    rest = model.skin.of(model.mean)
    marks = model.landmarks68.points(model.mean)
    vertices, triangles = _read_obj(data / "glasses" / "glasses.obj")
    width = np.ptp(vertices[:, 0])
    ears = rest[model.in_region("ears")]
    head_width = 2 * np.abs(ears[:, 0]).max() - 18
    vertices = vertices * (head_width / width)
    bridge = marks[27] + [0, -6, 6]
    front = vertices[vertices[:, 2] > vertices[:, 2].max() - 6]
    vertices = vertices + bridge - [0, front[:, 1].mean() + 2, vertices[:, 2].max() - 4]
    anchors = np.array([marks[27], [-head_width / 2, marks[27, 1], 15], [head_width / 2, marks[27, 1], 15]])
    rows = np.array([np.linalg.norm(rest - anchor, axis=1).argmin() for anchor in anchors])
    return Wardrobe(
        rest=rest, triangles=model.skin.triangles(), scalp=model.in_region("scalp"),
        face=~model.in_region("scalp", "neck", "ears", "socket"),
        ears=model.in_region("ears"), lips=model.in_region("mouth"), brow_y=float(marks[17:27, 1].mean()),
        mouth_y=float(marks[60:68, 1].mean()), nose_y=float(marks[33, 1]), glasses=vertices.astype(np.float32),
        glass_triangles=triangles, glass_rows=rows,
    )  # fmt: skip


def random_garments(wardrobe: Wardrobe, skin: np.ndarray, rng: np.random.Generator) -> list[Garment]:
    """Some of everything on a posed head, (V_skin, 3) mm."""
    normals = vertex_normals(skin, wardrobe.triangles)
    out = [_shoulders(skin, rng)]
    colour = _HAIR_COLOURS[rng.integers(len(_HAIR_COLOURS))] * rng.uniform(0.7, 1.3)
    style = rng.random()
    if style > 0.18:  # else bald, or hair that the skin's picture shows
        out.append(_cap_of_hair(wardrobe, skin, normals, colour, rng))
        if style > 0.55:
            out.append(_long_hair(skin, wardrobe, colour, rng))
    if rng.random() < 0.12:
        out.append(_hat(wardrobe, skin, normals, rng))
    if rng.random() < 0.18:
        out.append(_beard(wardrobe, skin, normals, colour, rng))
    if rng.random() < 0.2:
        out.append(_glasses(wardrobe, skin, rng))
    return out


def hair_alone(wardrobe: Wardrobe, skin: np.ndarray, rng: np.random.Generator) -> list[Garment]:
    """Shoulders and hair that leaves the face free; one in four is bald."""
    out = [_shoulders(skin, rng)]
    colour = _HAIR_COLOURS[rng.integers(len(_HAIR_COLOURS))]
    if rng.random() > 0.25:
        out.append(_cap_of_hair(wardrobe, skin, vertex_normals(skin, wardrobe.triangles), colour, rng))
    return out


def _streaks(places: np.ndarray, colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N, 3) hair colour that changes along random directions."""
    waves = rng.normal(size=(14, 3)) * np.array([0.5, 0.08, 0.5]) * np.exp(rng.normal(size=(14, 1)) * 0.6)
    value = np.sin(places @ waves.T + rng.uniform(0, 6.3, 14)) @ rng.normal(size=14) * rng.uniform(0.05, 0.16)
    return (colour * np.exp(value)[:, None]).astype(np.float32)


def _waves(places: np.ndarray, rng: np.random.Generator, wide: float = 0.03, narrow: float = 0.12) -> np.ndarray:
    """(N,) smooth noise about 0, of about unit size."""
    frequency = rng.normal(size=(8, 3)) * np.linspace(wide, narrow, 8)[:, None]
    return np.sin(places @ frequency.T + rng.uniform(0, 6.3, 8)) @ (rng.normal(size=8) / np.sqrt(8)) * 1.4


def _shell(
    wardrobe: Wardrobe, skin: np.ndarray, normals: np.ndarray, depth: np.ndarray, colour: np.ndarray, shine: float
) -> Garment:
    """Skin raised by (V,) mm where that is positive."""
    kept = wardrobe.triangles[(depth[wardrobe.triangles] > 0.3).all(1)]
    used, local = np.unique(kept, return_inverse=True)
    raised = skin[used] + normals[used] * depth[used, None]
    return Garment(raised.astype(np.float32), local.reshape(-1, 3).astype(np.int32), colour[used], shine)


def _cap_of_hair(
    wardrobe: Wardrobe, skin: np.ndarray, normals: np.ndarray, colour: np.ndarray, rng: np.random.Generator
) -> Garment:
    rest = wardrobe.rest
    line = wardrobe.brow_y + rng.uniform(4, 62) if rng.random() < 0.75 else wardrobe.brow_y + rng.uniform(-12, 15)
    # The hairline falls from the forehead over the temples to the nape, in front of the ears by a sideburn.
    back = np.clip((75 - rest[:, 2]) / rng.uniform(35, 70), 0, 1)
    floor = line - back * (line - wardrobe.nose_y + rng.uniform(-5, 30)) + 5 * _waves(rest, rng)
    inside = np.clip((rest[:, 1] - floor) / rng.uniform(2, 9), 0, 1)
    inside *= ~wardrobe.ears | (rng.random() < 0.35)
    inside[wardrobe.lips] = 0
    inside *= ~(wardrobe.face & (rest[:, 1] < wardrobe.brow_y - 14))
    size = np.exp(rng.uniform(np.log(1.5), np.log(38)))
    up = np.clip((rest[:, 1] - wardrobe.brow_y) / 90, 0, 1)
    depth = inside * size * (0.55 + rng.uniform(0, 0.9) * up) * (1 + 0.3 * _waves(rest, rng)).clip(0.2)
    return _shell(wardrobe, skin, normals, depth, _streaks(rest, colour, rng), 0.06)


def _long_hair(skin: np.ndarray, wardrobe: Wardrobe, colour: np.ndarray, rng: np.random.Generator) -> Garment:
    """A sheet around the back of the head, from over the ears down."""
    columns, rows = _CURTAIN
    ears = skin[wardrobe.ears]
    middle = np.array([ears[:, 0].mean(), ears[:, 1].mean() + 45, ears[:, 2].mean() - 10])
    half = np.ptp(ears[:, 0]) / 2
    opening = np.radians(rng.uniform(50, 88))  # half of what stays open in front
    angle = np.linspace(opening, 2 * np.pi - opening, columns)
    down = np.linspace(0, 1, rows)[:, None]
    length = rng.uniform(60, 320)
    radius = (half - 4 + rng.uniform(0, 14) + rng.uniform(-10, 30) * down) * np.ones((rows, columns))
    shape = np.stack([np.sin(angle) * radius, -length * down * np.ones(columns),
                      np.cos(angle) * radius * rng.uniform(1.0, 1.25)], axis=-1)  # fmt: skip
    shape[..., 1] -= 12 * _waves(np.stack([angle * 40, angle * 0, angle * 0], 1), rng) * down
    points = shape.reshape(-1, 3)
    swing = 5 * _waves(points, rng)[:, None] * (points / (np.linalg.norm(points[:, [0, 2]], axis=1)[:, None] + 1))
    points = points + swing * [1, 0, 1] + middle
    return Garment(points.astype(np.float32), _grid_triangles(rows, columns), _streaks(points, colour, rng), 0.06)


def _hat(wardrobe: Wardrobe, skin: np.ndarray, normals: np.ndarray, rng: np.random.Generator) -> Garment:
    rest = wardrobe.rest
    tilt = rng.uniform(-0.25, 0.25)
    over = rest[:, 1] - (wardrobe.brow_y + rng.uniform(2, 35) + tilt * (rest[:, 2] - 90))
    depth = np.clip(over / 2, 0, 1) * (rng.uniform(4, 14) + np.clip(over, 0, 90) * rng.uniform(0, 0.5))
    if rng.random() < 0.5:  # a brim
        depth = depth + (np.abs(over - 4) < 5) * (rest[:, 2] > rng.choice([-100, 40])) * rng.uniform(15, 55)
    depth *= ~wardrobe.ears
    colour = np.tile(rng.uniform(0.02, 0.7, 3), (len(rest), 1)) * (1 + 0.15 * _waves(rest, rng, 0.1, 0.5))[:, None]
    return _shell(wardrobe, skin, normals, depth, colour.clip(0.01, 0.9).astype(np.float32), 0.01)


def _beard(
    wardrobe: Wardrobe, skin: np.ndarray, normals: np.ndarray, colour: np.ndarray, rng: np.random.Generator
) -> Garment:
    rest = wardrobe.rest
    top = wardrobe.mouth_y + rng.uniform(0, 14) + np.abs(rest[:, 0]) * rng.uniform(0.1, 0.5)
    inside = np.clip((top - rest[:, 1]) / 6, 0, 1) * (rest[:, 2] > 20) * (rest[:, 1] > wardrobe.mouth_y - 75)
    near_lips = np.abs(rest[:, 1] - wardrobe.mouth_y) / 14 + np.abs(rest[:, 0]) / 34
    inside *= np.clip((near_lips - 0.75) / 0.4, 0, 1)
    below = np.clip((wardrobe.mouth_y - rest[:, 1]) / 50, 0, 1)
    depth = inside * np.exp(rng.uniform(np.log(0.8), np.log(7))) * (1 + rng.uniform(0, 4) * below)
    depth *= (1 + 0.3 * _waves(rest, rng, 0.1, 0.4)).clip(0.2)
    return _shell(wardrobe, skin, normals, depth, _streaks(rest, colour * rng.uniform(0.6, 1), rng), 0.03)


def _glasses(wardrobe: Wardrobe, skin: np.ndarray, rng: np.random.Generator) -> Garment:
    """The frame, moved with nose bridge and temples; now and then with dark discs for lenses."""
    source, target = wardrobe.rest[wardrobe.glass_rows], skin[wardrobe.glass_rows]
    across = np.linalg.norm(target[2] - target[1]) / np.linalg.norm(source[2] - source[1])
    points = (wardrobe.glasses - source[0]) * [across, rng.uniform(0.85, 1.25) * across, across] + target[0]
    points = points + [0, rng.normal() * 3 - 1, rng.uniform(0, 3)]
    dark = np.tile(rng.uniform(0.01, 0.3) * np.array([1, rng.uniform(0.7, 1), rng.uniform(0.5, 1)]), (len(points), 1))
    triangles = wardrobe.glass_triangles
    if rng.random() < 0.3:
        lens = _ball(np.array([0, 0, 0]), np.array([24, 19, 1.5]))
        for side in (-1, 1):
            at = target[0] + [side * 32 * across, -8, 8]
            triangles = np.concatenate([triangles, lens[1] + len(points)])
            points, dark = (
                np.concatenate([points, lens[0] + at]),
                np.concatenate([dark, np.full((len(lens[0]), 3), 0.012)]),
            )
    return Garment(points.astype(np.float32), triangles, dark.astype(np.float32), 0.3)


def _shoulders(skin: np.ndarray, rng: np.random.Generator) -> Garment:
    lowest = skin[:, 1].min()
    center = np.array([0, lowest - rng.uniform(70, 95), -25]) + rng.normal(size=3) * 8
    points, triangles = _ball(center, np.array([rng.uniform(170, 230), rng.uniform(90, 115), rng.uniform(85, 120)]))
    colour = np.tile(rng.uniform(0.01, 0.85, 3), (len(points), 1)).astype(np.float32)
    return Garment(points.astype(np.float32), triangles, colour, 0.0)


def _ball(center: np.ndarray, radii: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    columns, rows = _BALL
    around, up = np.linspace(0, 2 * np.pi, columns), np.linspace(0, np.pi, rows)[:, None]
    unit = np.stack([np.sin(up) * np.cos(around), np.cos(up) * np.ones(columns), np.sin(up) * np.sin(around)], -1)
    return unit.reshape(-1, 3) * radii + center, _grid_triangles(rows, columns)


def _grid_triangles(rows: int, columns: int) -> np.ndarray:
    first = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    quads = np.stack([first, first + 1, first + columns + 1, first + columns], axis=1)
    return np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]]).astype(np.int32)


def _read_obj(path: Path) -> tuple[np.ndarray, np.ndarray]:
    vertices, triangles = [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words[:1] == ["v"]:
            vertices.append([float(word) for word in words[1:4]])
        elif words[:1] == ["f"]:
            corners = [int(word.split("/")[0]) - 1 for word in words[1:]]
            triangles += [(corners[0], b, c) for b, c in zip(corners[1:-1], corners[2:], strict=True)]
    return np.array(vertices), np.array(triangles, np.int32)
