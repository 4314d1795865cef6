# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fast renderer draws of a face model: the part of its surface that a face crop can show, cut into pieces."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from facedetail_addon.core.face_model.model import FaceModel, split_quads
from facedetail_addon.core.geometry.camera import PerspectiveCamera
from facedetail_addon.core.observe.region import Region
from facedetail_addon.core.rendering.primary_rays import ambient_occlusion, trace_image
from scripts.training.heads.samples import head_rotation

# The skin lies over eyes, teeth and sockets by less than the depth buffer can tell: what lies under it is set back.
UNDER_SKIN_MM = 2.5
# Longest side of a piece, as a share of the crop's side; a little over a pixel of the usual crop.
PIECE_SIDE = 1.5 / 96
# Views in which a quad that is ever drawn should be seen.
RANDOM_VIEWS, VIEW_PX = 80, 128
INNER_RINGS = 1
INNER_LIPS = slice(60, 68)
AMBIENT_RAYS = 16
# A mouth that shows its teeth lets light onto them; expressions one by one do not tell which ones open it together.
# It falls off by depth behind the front teeth.
TEETH_AMBIENT, TONGUE_AMBIENT, MOUTH_DEPTH_MM = 0.45, 0.1, 12.0


@dataclass(frozen=True)
class FaceSurface:
    """The visible surface of a model: N vertices, F quads, M pieces.

    Attributes:
        vertices: (N,) int32, which of the model's.
        modes: (3·N, 1 + K + E) float32 mm: mean, identity, expression; all x, then all y, then all z.
        ambient: (N, 1 + E) float32, share of the sky that is free on the mean head, and what each expression adds.
        set_back: (N, 1) float32 mm, how much farther away than it is a vertex counts in the depth buffer.
        quads: (F, 4) int32 of the N vertices, the third repeated in triangles.
        around: (N, F) sparse, 1 where the quad touches the vertex.
        pieces: (M, N) sparse, rows sum to 1: the pieces' centres.
        piece_quad: (M,) int32. piece_share: (M, 1) float32, the piece's share of its quad.
    """

    vertices: np.ndarray
    modes: np.ndarray
    ambient: np.ndarray
    set_back: np.ndarray
    quads: np.ndarray
    around: csr_matrix
    pieces: csr_matrix
    piece_quad: np.ndarray
    piece_share: np.ndarray


def prepare_surface(model: FaceModel, region: Region) -> FaceSurface:
    """Find what can be seen of a model and measure its ambient light.

    Args:
        region: the crop of the mean head; x and −y of the head frame as px.
    """
    quads = np.concatenate([np.where(part.faces >= 0, part.faces + part.start, -1) for part in model.solid_parts])
    triangles = split_quads(quads)
    quads[:, 3] = np.where(quads[:, 3] < 0, quads[:, 2], quads[:, 3])
    quads = quads[_visible(model, quads, triangles, region)]
    used, local = np.unique(quads, return_inverse=True)
    quads = local.reshape(-1, 4).astype(np.int32)
    bases = np.concatenate([model.mean[None], model.identity_basis, model.expression_basis])[:, used]
    modes = np.ascontiguousarray(bases.transpose(2, 1, 0).reshape(3 * len(used), -1), np.float32)
    pieces, piece_quad, share = _pieces(quads, _longest_sides(model, quads, used), region.side * PIECE_SIDE)
    touching = (np.ones(quads.size, np.float32), (quads.ravel(), np.repeat(np.arange(len(quads)), 4)))
    return FaceSurface(
        vertices=used.astype(np.int32),
        modes=modes,
        ambient=_ambient_modes(model, triangles, used),
        set_back=(UNDER_SKIN_MM * _under_skin(model)[used, None]).astype(np.float32),
        quads=quads,
        around=csr_matrix(touching, shape=(len(used), len(quads))),
        pieces=pieces,
        piece_quad=piece_quad,
        piece_share=share,
    )


def _under_skin(model: FaceModel) -> np.ndarray:
    """(V,) bool: eyes, teeth, gums and sockets."""
    under = np.ones(len(model.mean), bool)
    under[model.skin.rows] = model.in_region("socket")
    return under


def _visible(model: FaceModel, quads: np.ndarray, triangles: np.ndarray, region: Region) -> np.ndarray:
    """(F,) bool: quads seen in the views of many heads and expressions, and their neighbours."""
    rng = np.random.default_rng(0)
    order = np.concatenate([np.arange(len(quads)), np.flatnonzero(quads[:, 3] != quads[:, 2])])
    seen = np.zeros(len(quads), bool)
    for beta in _trial_expressions(model, rng):
        alpha = rng.standard_normal(len(model.identity_basis)).clip(-2.5, 2.5)
        hits = trace_image(model.vertices(alpha, beta), triangles, _view(region, rng)).triangle
        seen[order[hits[hits >= 0]]] = True
    # How a mouth opens varies more than a few views tell: farther neighbours there.
    for within in (np.ones(len(quads), bool), *[_under_skin(model)[quads].any(1)] * INNER_RINGS):
        touched = np.zeros(len(model.mean), bool)
        touched[quads[seen]] = True
        seen |= touched[quads].any(1) & within
    return seen


def _trial_expressions(model: FaceModel, rng: np.random.Generator) -> np.ndarray:
    """(RANDOM_VIEWS, E) a few random expressions each; every other time those that move the lips most."""
    count = len(model.expression_basis)
    lips = np.linalg.norm(model.landmarks68.points(model.expression_basis)[:, INNER_LIPS], axis=2).mean(1)
    mixed = np.zeros((RANDOM_VIEWS, count))
    for number, row in enumerate(mixed):
        odds = lips + 0.01 * lips.max() if number % 2 else np.ones(count)
        chosen = rng.choice(count, min(6, count), replace=False, p=odds / odds.sum())
        row[chosen] = rng.uniform(0, 1, len(chosen))
    return mixed


def _view(region: Region, rng: np.random.Generator) -> PerspectiveCamera:
    turn = np.diag([1.0, -1.0, -1.0]) @ head_rotation(*rng.uniform(-1, 1, 3) * [35, 18, 10])
    middle = np.array([region.center[0], -region.center[1], 80.0])
    distance = rng.uniform(500, 1500)
    focal = distance * VIEW_PX / (1.15 * region.side)
    center = np.array([VIEW_PX, VIEW_PX]) / 2
    return PerspectiveCamera(turn, np.array([0, 0, distance]) - turn @ middle, focal, center, (VIEW_PX, VIEW_PX))


def _ambient_modes(model: FaceModel, triangles: np.ndarray, used: np.ndarray) -> np.ndarray:
    faces = np.concatenate([model.mean[None], model.mean + model.expression_basis])
    sky = np.array([ambient_occlusion(face, triangles, used, AMBIENT_RAYS) for face in faces])
    sky[1:] -= sky[:1]
    for part in model.solid_parts[1:]:
        if not part.name.startswith("eye_"):
            here = (used >= part.start) & (used < part.stop)
            front = np.exp((model.mean[used[here], 2] - part.of(model.mean)[:, 2].max()) / MOUTH_DEPTH_MM)
            sky[0, here] += front * (TEETH_AMBIENT if part.name.startswith("teeth") else TONGUE_AMBIENT)
    return np.ascontiguousarray(sky.T, np.float32)


def _longest_sides(model: FaceModel, quads: np.ndarray, used: np.ndarray) -> np.ndarray:
    """(F, 2) mm of the longer of opposite sides, at their longest in any one expression."""
    longest = np.zeros((len(quads), 2), np.float32)
    for basis in np.concatenate([np.zeros_like(model.mean)[None], model.expression_basis]):
        corners = (model.mean + basis)[used][quads]
        sides = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2)
        longest = np.maximum(longest, np.maximum(sides[:, :2], sides[:, 2:]))
    return longest


def _pieces(quads: np.ndarray, sides: np.ndarray, step: float) -> tuple[csr_matrix, np.ndarray, np.ndarray]:
    """Cut quads into rows and columns of pieces no longer than ``step``."""
    cuts = np.ceil(sides / step).clip(1, None).astype(int)
    weights, owners = [], []
    for across, down in np.unique(cuts, axis=0):
        which = np.flatnonzero((cuts == (across, down)).all(1))
        u, v = np.meshgrid((np.arange(across) + 0.5) / across, (np.arange(down) + 0.5) / down)
        u, v = u.ravel(), v.ravel()
        corner = np.stack([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v], axis=1)
        owners.append(np.repeat(which, len(corner)))
        weights.append(np.tile(corner, (len(which), 1)))
    owner, weight = np.concatenate(owners), np.concatenate(weights).astype(np.float32)
    rows = np.repeat(np.arange(len(owner)), 4)
    pieces = csr_matrix((weight.ravel(), (rows, quads[owner].ravel())), shape=(len(owner), quads.max() + 1))
    share = 1 / cuts.prod(1)[owner, None]
    return pieces, owner.astype(np.int32), share.astype(np.float32)
