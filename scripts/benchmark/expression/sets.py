# SPDX-License-Identifier: GPL-3.0-or-later
"""What the expression benchmark measures on: regions of the face, held-out heads, and pairs that landmarks confuse."""

from dataclasses import dataclass

import numpy as np

from facedetail_addon.core.face_model.model import FaceModel, PointEmbedding
from facedetail_addon.core.fit.bounded import minimise_in_box
from facedetail_addon.core.geometry.nearest import ClosestPoints
from facedetail_addon.core.rendering.normals import vertex_normals
from scripts.training.heads.samples import HeadSample, PoseRange, sample_head

# Calibration (20), dictionary (30 to 39) and the geometry benchmark (99) start with other numbers.
HEAD_SEED, PAIR_SEED = 71, 72
POSE = PoseRange(yaw_deg=20.0, pitch_deg=12.0, roll_deg=10.0, near_mm=600.0, neutral_share=0.0)
SIDES_PX = (384, 512)

REGIONS = (
    "forehead and brows",
    "eyes and lids",
    "eye bags",
    "cheeks",
    "nasolabial folds",
    "nose",
    "mouth",
    "chin and jaw",
)
# Where landmarks say least, and where the expressions of a pair differ.
AMBIGUOUS = ("eye bags", "cheeks", "nasolabial folds")

LANDMARK_LIMIT_MM = 0.5
DIFFERENCE_MM = 1.0
# Of the joint expressions may differ within a pair, so that pairs differ among themselves.
MUSCLE_SHARE = 0.5
_CLIMBS, _BISECTIONS, _PRICES = 6, 12, (1e-4, 1e4)


@dataclass(frozen=True)
class AmbiguousPair:
    """Two expressions of one head that the 68 landmarks hardly tell apart.

    Attributes:
        sample: identity and view of both, the expression of the first.
        other_beta: (E,) float32 in [0, 1], the expression of the second.
        landmark_rms_mm: root mean square distance of the 68 landmarks of both heads, across the line of sight.
        difference_mm: mean distance of their vertices over the :data:`AMBIGUOUS` regions together.
    """

    sample: HeadSample
    other_beta: np.ndarray
    landmark_rms_mm: float
    difference_mm: float


def face_regions(model: FaceModel) -> dict[str, np.ndarray]:
    """(V_skin,) bool masks of :data:`REGIONS` on the built-in head; disjoint, symmetric, bounds in its mean's mm."""
    points = model.skin.of(model.mean).astype(np.float64)
    marks = model.landmarks68.points(model.mean).astype(np.float64)
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    labels = np.array(model.region_names)[model.region]
    eye, lower_lid = (np.abs(marks[rows]).mean(0) for rows in (slice(36, 48), [40, 41, 46, 47]))
    wing, corner = (np.abs(marks[rows]) * [1, 0, 0] + marks[rows] * [0, 1, 1] for rows in (35, 54))
    front = ~np.isin(labels, ("socket", "ears", "neck", "scalp")) & (z > 45)
    fold = _segment_distance(np.stack([x, y], 1), wing[:2] + [5, 6], corner[:2] + [8, -4])
    taken = np.zeros(len(points), bool)
    masks = {}
    for name, where in (
        ("nose", labels == "nose"),
        ("mouth", (labels == "mouth") | ((x < wing[0]) & (y < wing[1]) & (y > corner[1]))),
        ("eyes and lids", (labels == "eyes") & (y > lower_lid[1] - 3)),
        ("eye bags", (np.abs(x - eye[0]) < 19) & (y > lower_lid[1] - 20) & (y <= lower_lid[1])),
        ("nasolabial folds", fold < 7),
        ("forehead and brows", y > marks[[17, 26], 1].mean() - 8),
        ("chin and jaw", (y < corner[1] - 12) | (labels == "chin")),
        ("cheeks", y <= eye[1]),
    ):
        masks[name] = where & front & ~taken
        taken |= masks[name]
    return {name: masks[name] for name in REGIONS}


def places_on(reference: FaceModel, model: FaceModel) -> PointEmbedding:
    """Where the skin vertices of ``model``'s mean lie on the reference head's mean skin: the closest points that face
    the same way.

    Fields over the reference's vertices, motion for one, are carried over by it.
    """
    skin, triangles = reference.skin.stop, reference.skin.triangles()
    own = model.skin.of(model.mean).astype(np.float64)
    normals = vertex_normals(own, model.skin.triangles())
    found = ClosestPoints(reference.mean[:skin], triangles).query(own, normals, candidates=24)
    return PointEmbedding(triangles[found.triangle], found.weights.astype(np.float32))


def held_out_head(number: int, reference: FaceModel) -> HeadSample:
    """The ``number``-th head of the first set, always with an expression."""
    rng = np.random.default_rng((HEAD_SEED, number))
    return sample_head(rng, reference, size=int(rng.integers(SIDES_PX[0], SIDES_PX[1] + 1)), pose=POSE)


def ambiguous_pair(number: int, reference: FaceModel, places: PointEmbedding, regions: dict) -> AmbiguousPair:
    """The ``number``-th pair of the second set.

    Expressions are linear, so a pair's difference is δ of the expression weights, whoever the head is. From a random
    expression and a random direction, δ climbs to a maximum of the mean square motion over the ambiguous regions, each
    region counting alike, among symmetric δ of some muscles that keep both expressions in [0, 1] and the landmarks
    within :data:`LANDMARK_LIMIT_MM`. Draws whose maximum stays below :data:`DIFFERENCE_MM` are dropped.

    Args:
        places: from :func:`places_on`. regions: masks of :func:`face_regions`.
    """
    rng = np.random.default_rng((PAIR_SEED, number))
    every = _joint_expressions(reference.expression_names)
    while True:
        sample = sample_head(rng, reference, size=int(rng.integers(SIDES_PX[0], SIDES_PX[1] + 1)), pose=POSE)
        joint = every[rng.random(len(every)) < MUSCLE_SHARE]
        basis = np.einsum("je,evc->jvc", joint, reference.skin.of(reference.expression_basis))
        marks = reference.landmarks68.points(basis)
        fields = places.points(basis)
        flat = (marks @ sample.camera.rotation[:2].T).reshape(len(joint), -1) / np.sqrt(marks.shape[1])
        masks = [regions[name] for name in AMBIGUOUS]
        motion = [fields[:, mask].reshape(len(joint), -1) / np.sqrt(mask.sum()) for mask in masks]
        change = _climb(rng, _room(sample.beta, joint), flat, np.concatenate(motion, axis=1))
        moved = np.tensordot(change, fields[:, np.any(masks, axis=0)], 1)
        difference, apart = np.linalg.norm(moved, axis=1).mean(), np.linalg.norm(change @ flat)
        if difference >= DIFFERENCE_MM and apart <= LANDMARK_LIMIT_MM:
            other = (sample.beta + change @ joint).clip(0, 1).astype(np.float32)
            return AmbiguousPair(sample, other, float(apart), float(difference))


def _climb(
    rng: np.random.Generator, room: tuple[np.ndarray, np.ndarray], landmarks: np.ndarray, motion: np.ndarray
) -> np.ndarray:
    """(J,) δ in ``room``: a local maximum of |δ·motion|² while |δ·landmarks| keeps the limit."""
    keep, spread = landmarks @ landmarks.T, motion @ motion.T
    change = rng.uniform(*room)
    for _ in range(_CLIMBS):
        # |δ·motion|² is convex, so the problem that is linear about the last δ never leads downhill.
        uphill = spread @ change
        uphill /= max(np.linalg.norm(uphill), 1e-9)
        # The price of moving landmarks that just keeps them within the limit, by bisection of its logarithm.
        low, high = _PRICES
        for _ in range(_BISECTIONS):
            price = np.sqrt(low * high)
            # A little of δ itself keeps the problem definite.
            step = minimise_in_box(price * keep + 1e-3 * np.eye(len(keep)), uphill, *room)
            if step @ keep @ step <= LANDMARK_LIMIT_MM**2:
                high, change = price, step
            else:
                low = price
    return change


def _room(beta: np.ndarray, joint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(J,) least and greatest change of joint expressions that keeps all their members in [0, 1]."""
    members = joint > 0
    lower = np.where(members, -beta, -np.inf).max(1).astype(np.float64)
    return lower, np.where(members, 1 - beta, np.inf).min(1).astype(np.float64)


def _joint_expressions(names: tuple[str, ...]) -> np.ndarray:
    """(J, E) 1 where an expression belongs to a joint one: left with right, only muscles of the middle of the face."""
    still = ("eyeLook", "eyeBlink", "jaw", "mouthClose", "mouthLeft", "mouthRight")
    usable = [name for name in names if not name.startswith(still)]
    stems = sorted({name.removesuffix("Left").removesuffix("Right") for name in usable})
    return np.array([[float(name in (stem, f"{stem}Left", f"{stem}Right")) for name in names] for stem in stems])


def _segment_distance(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(N,) distance of (N, 2) points to a segment."""
    along = ((points - start) @ (end - start) / ((end - start) ** 2).sum()).clip(0, 1)
    return np.linalg.norm(points - start - along[:, None] * (end - start), axis=1)
