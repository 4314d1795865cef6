# SPDX-License-Identifier: GPL-3.0-or-later
"""Portraits of one studio, fitted and unwrapped, and the light of that studio.

All portraits were taken in the same light, of which three things are known: it is white (the background and the
shirts are), it stays where it is while heads turn, and it shows a white shirt as ``SHIRT`` (linear, median of the
portraits). The last one gives the absolute scale that photos of faces alone never have.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facedetail_addon.core.colour import LUMINANCE
from facedetail_addon.core.detail.space import make_detail_space
from facedetail_addon.core.face_model.calibration import load_calibration
from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.fit.prepared import prepare
from facedetail_addon.core.model_parts import COARSE_TEXELS, SMALL_TEXELS
from facedetail_addon.core.models import Models
from facedetail_addon.core.observe.correspondence.finder import CorrespondenceFinder
from facedetail_addon.core.observe.expression.reader import ExpressionReader
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from facedetail_addon.core.observe.masks.networks import MaskNetworks
from facedetail_addon.core.observe.photo import read_photo
from facedetail_addon.core.pipeline import fit, observe, transfer_of
from facedetail_addon.core.rendering.harmonics import evaluate, lambert, rotation
from facedetail_addon.core.rendering.types import Transfer
from facedetail_addon.core.skin.gloss import skin_gloss
from facedetail_addon.core.uv.atlas import coarser
from facedetail_addon.core.uv.types import Atlas, UnwrappedPhoto
from facedetail_addon.core.uv.unwrap import unwrap
from facedetail_addon.settings import Settings
from scripts.harness import progress

BANDS, DIRECTIONS = 3, 128
"""Of the light, and of the rays from each vertex."""
SHIRT = 0.85
SHIRT_REFLECTANCE = 0.82  # white cotton; a guess between 0.75 and 0.9
PLAIN = ("forehead", "cheeks", "nose", "chin")  # regions where skin is mostly of one colour
_ROUNDS = 10
_TOLERANCE = 0.08  # relative differences from the common light beyond which a vertex counts less
_STEADY = 1e-3  # ridge on the light's bands above the first


@dataclass(frozen=True)
class Portrait:
    """One photo of one person.

    Attributes:
        person: who. group: what the person said of their ethnicity.
        unwrapped: what it shows. transfer: of the posed head. to_room: (3, 3) turns head axes to the camera's.
    """

    person: str
    group: str
    unwrapped: UnwrappedPhoto
    transfer: Transfer
    to_room: np.ndarray


def load_models(model: FaceModel, atlas: Atlas) -> Models:
    """The product's, but for the basis, which is learned here, and the relief's networks."""
    calibration = load_calibration()
    return Models(
        landmarker=MeshLandmarker.load(), fan=None, model=model, calibration=calibration,
        prepared=prepare(model, calibration), outline=None, offset=None,
        expression_reader=ExpressionReader.load(model, calibration), mask_networks=MaskNetworks.load(),
        finder=CorrespondenceFinder.load(), identity_reader=None, atlas=atlas,
        coarse_atlas=coarser(atlas, model, COARSE_TEXELS), small_atlas=coarser(atlas, model, SMALL_TEXELS), basis=None,
        gloss=skin_gloss(model), form_prior=None, detail_space=make_detail_space(model), detail_net=None,
        texture_generator=None,
    )  # fmt: skip


def read_portraits(folder: Path, models: Models) -> list[Portrait]:
    """Fit and unwrap every portrait of the London set (three seconds each).

    Args:
        folder: with ``neutral/``, ``smiling/`` and ``info.csv``.
    """
    with open(folder / "info.csv", newline="", encoding="utf-8") as stream:
        groups = {row["face_id"]: row["face_eth"] for row in csv.DictReader(stream)}
    portraits, settings = [], Settings()
    for path in [path for kind in ("neutral", "smiling") for path in sorted((folder / kind).glob("*.jpg"))]:
        observation = observe(read_photo(path), models, settings)
        pose = fit((observation,), models, settings).pose
        person, unwrapped = path.stem[:3], unwrap(observation.pixels, pose, models.model, models.atlas)
        transfer = transfer_of(pose, models, BANDS, directions=DIRECTIONS)
        progress(f"{path.parent.name} {path.stem}")
        portraits.append(Portrait(person, groups[person], unwrapped, transfer, pose.perspective.rotation))
    return portraits


def studio_light(portraits: list[Portrait], model: FaceModel) -> np.ndarray:
    """(9,) spherical harmonics of the white light of the room, in the camera's axes.

    Every portrait's plain skin is taken to be of one brightness, so that all that changes with the normals is light
    (what lies lower or higher on the face is not otherwise told from light from above). Scaled by the shirts.
    """
    plain = model.in_region(*PLAIN)
    shades = [portrait.unwrapped.vertex_color @ LUMINANCE for portrait in portraits]
    turns = [rotation(portrait.to_room.T, BANDS) for portrait in portraits]  # room to head
    trust = [plain * p.unwrapped.vertex_confidence * (p.unwrapped.vertex_clipped < 0.05) for p in portraits]
    tones = [float(np.median(shade[weight > 0.5])) for shade, weight in zip(shades, trust, strict=True)]
    chest = lambert(BANDS) * evaluate(np.float32([0, 0, -1]), BANDS)  # faces the camera
    light = np.zeros(BANDS**2)
    light[0] = np.sqrt(4 * np.pi) * SHIRT / SHIRT_REFLECTANCE
    for _ in range(_ROUNDS):
        normal, right = np.diag([0.0] + [_STEADY] * 8) * 1e4, np.zeros(9)
        for number, portrait in enumerate(portraits):
            rows = np.flatnonzero(trust[number] > 0.3)
            transfer = portrait.transfer
            gloss = transfer.gloss[rows] @ turns[number]
            skin = (transfer.transmission[rows, None] * transfer.diffuse[rows]) @ turns[number]
            # Tone: what makes this portrait's median agree with the light; its gloss has no tone.
            tones[number] = float(np.median((shades[number][rows] - gloss @ light) / np.maximum(skin @ light, 0.05)))
            terms = skin * tones[number] + gloss
            off = (shades[number][rows] - terms @ light) / (tones[number] + 0.02)
            weight = trust[number][rows] / (tones[number] + 0.02) ** 2 / (1 + (off / _TOLERANCE) ** 2) ** 2
            normal += (terms * weight[:, None]).T @ terms
            right += (terms * weight[:, None]).T @ shades[number][rows]
        light = np.linalg.solve(normal, right)
        light *= SHIRT / SHIRT_REFLECTANCE / float(chest @ light)
    return light


def plain_skin(atlas: Atlas, model: FaceModel) -> np.ndarray:
    """(R, R) bool: where skin is of one colour."""
    out = np.zeros((atlas.resolution,) * 2, bool)
    out[atlas.covered] = atlas.texels(model.in_region(*PLAIN).astype(np.float32)[:, None])[:, 0] > 0.99
    return out
