# SPDX-License-Identifier: GPL-3.0-or-later
"""From a photo to a reconstruction: the whole story, top to bottom."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..settings import AUTO_FIT, BUILTIN, FAN_LANDMARKER, NO_DETAIL, SPARSE_FIT, Settings
from .assets.user import landmarker_folders
from .detail.inputs import detail_inputs
from .detail.normal_map import flat_detail
from .detail.resolvable_size import resolvable_size
from .detail.space import DetailSpace, make_detail_space
from .detail.synthesis import DetailNet, load_detail_net, make_detail
from .detail.synthesis import notices as detail_notices
from .detail.types import DetailMaps
from .errors import NoFaceError
from .eyes.estimate import estimate_eyes
from .eyes.estimate import notices as eye_notices
from .eyes.sampling import EyeSample, sample_eye
from .face_model.calibration import LandmarkCalibration
from .face_model.eyeball import fit_eyeball, seen_front
from .face_model.library import installed, load_named_calibration, load_named_model, named_dictionary
from .face_model.model import FaceModel, PointEmbedding, split_quads
from .face_model.outline import mesh_offset, outline_paths
from .fit.dense import ROUGH_FIT, fit_proxy
from .fit.dense import notices as fit_notices
from .fit.sparse import ROUGH_FIT as ROUGH_SPARSE_FIT
from .fit.sparse import fit_sparse
from .fit.types import ProxyFit
from .lighting.estimate import estimate_light, prior_direction_of
from .lighting.estimate import notices as light_notices
from .lighting.types import LightEstimate, Transfer
from .model_import.install import match_again
from .notices import Notice
from .observe.expression.reader import ExpressionReader
from .observe.expression.reader import notices as expression_notices
from .observe.expression.types import ExpressionPrior
from .observe.landmarks.fan import FanLandmarker
from .observe.landmarks.landmarker import MeshLandmarker, notices
from .observe.landmarks.mesh_points import EYES
from .observe.landmarks.types import FaceLandmarks
from .observe.photo import Photo, read_photo
from .rendering.transfer import diffuse_light, light_transfer
from .result.record import Reconstruction
from .skin.gloss import skin_gloss
from .skin.native_basis import albedo_basis
from .skin.texture import make_skin_maps
from .skin.types import AlbedoBasis, SkinGloss
from .uv.atlas import make_atlas
from .uv.types import Atlas, UnwrappedPhoto
from .uv.unwrap import unwrap


@dataclass(frozen=True)
class Models:
    """Networks and models in memory, loaded once for many photos.

    ``fan`` is None with the other landmarker, ``outline`` with the dense fit, ``detail_net`` without relief. ``offset``
    is how far, (68, 3) mm, beside the model's 68 landmarks the landmarker in use puts them; None for not at all.
    """

    landmarker: MeshLandmarker
    fan: FanLandmarker | None
    model: FaceModel
    calibration: LandmarkCalibration
    outline: PointEmbedding | None
    offset: np.ndarray | None
    expression_reader: ExpressionReader
    atlas: Atlas
    basis: AlbedoBasis
    gloss: SkinGloss
    detail_space: DetailSpace
    detail_net: DetailNet | None

    @classmethod
    def load(cls, settings: Settings, assets: Path | None = None) -> "Models":
        """Load what the settings ask for.

        Args:
            assets: the user's folder with imported face models and FAN's weights; None where there is none.

        Raises:
            AssetError: a weight file is missing, damaged or made for another face model.
            FaceModelError: the face model is not installed or not what it should be.
        """
        landmarker = MeshLandmarker.load()
        fan = FanLandmarker.load(landmarker_folders(assets)) if settings.landmarker == FAN_LANDMARKER else None
        _keep_up_to_date(settings.face_model, assets, landmarker)
        model = load_named_model(settings.face_model, assets)
        calibration = load_named_calibration(settings.face_model, assets)
        dictionary = named_dictionary(settings.face_model, assets)
        atlas = make_atlas(model, settings.resolution)
        return cls(
            landmarker=landmarker,
            fan=fan,
            model=model,
            calibration=calibration,
            outline=outline_paths(model) if _is_sparse(settings) else None,
            offset=None if fan else mesh_offset(model, calibration),
            expression_reader=ExpressionReader.load(model, calibration, dictionary),
            atlas=atlas,
            basis=albedo_basis(model, atlas),
            gloss=skin_gloss(model),
            detail_space=make_detail_space(model),
            detail_net=None if settings.detail == NO_DETAIL else load_detail_net(),
        )


def _keep_up_to_date(name: str, assets: Path | None, landmarker: MeshLandmarker) -> None:
    """An imported model that was matched to the built-in head of another version is matched again."""
    if name == BUILTIN:
        return
    info, builtin = installed(name, assets), load_named_model(BUILTIN)
    if info.canonical != builtin.canonical():
        match_again(info, builtin, load_named_calibration(BUILTIN), landmarker.find, lambda text, done: None)


def _is_sparse(settings: Settings) -> bool:
    return settings.fit == SPARSE_FIT or (settings.fit == AUTO_FIT and settings.landmarker == FAN_LANDMARKER)


def reconstruct(
    photo: Path, core: Models, settings: Settings, progress: Callable[[str, float], None]
) -> Reconstruction:
    """Reconstruct one face of one photo.

    Args:
        photo: an image file.
        core: what :meth:`Core.load` gave for the same settings.
        settings: which face, how large a texture, what the expression is taken from, how fine the light.
        progress: called with a short text and the fraction done (0 to 1, never falling) before each stage and at
            the end; an exception it raises stops the work, so it can cancel.

    Raises:
        PhotoError: the photo cannot be read. NoFaceError: it shows no face, or not the asked-for one.
    """
    seconds: dict[str, float] = {}
    stage = partial(_stage, progress, seconds)

    with stage("photo", "Reading the photo", 0.0):
        picture = read_photo(photo)
    height, width = picture.pixels.shape[:2]

    with stage("landmarks", "Finding the face", 0.15):
        faces = core.landmarker.find(picture.pixels)
        landmarks = _choose_face(faces, picture, settings.face)
        landmarks = core.fan.refine(picture.pixels, landmarks) if core.fan else landmarks

    with stage("expression", "Reading the expression", 0.3):  # the emotion is told whatever the source is
        reading = core.expression_reader.read(picture.pixels, landmarks)

    with stage("proxy", "Fitting the head", 0.35):
        fit = _fit(landmarks, (width, height), reading, picture.focal_px, core, settings)

    with stage("unwrap", "Unwrapping the photo", 0.5):
        unwrapped = unwrap(picture.pixels, fit, core.model, core.atlas)

    with stage("light", "Separating light from skin", 0.55):
        transfer = _transfer(fit, core, settings)
        above = prior_direction_of(fit.perspective.rotation)
        light = estimate_light(unwrapped, transfer, core.basis, core.atlas, above)

    with stage("albedo", "Painting the skin", 0.7):
        maps = make_skin_maps(unwrapped, light, core.basis, core.gloss, core.model, core.atlas)

    with stage("eyes", "Finding the eyes' colours", 0.78):
        eyes = estimate_eyes(eye_samples(picture.pixels, landmarks, fit, light, core), light.monochrome)

    with stage("detail", "Finding wrinkles and pores", 0.8):
        detail, detail_warnings = _detail(picture, landmarks, unwrapped, light, transfer, fit, core)

    warnings = (
        *picture.notices,
        *_several_faces(faces, settings.face),
        *notices(landmarks, (width, height)),
        *expression_notices(reading, settings.expression),
        *fit_notices(fit, landmarks, ROUGH_FIT if core.outline is None else ROUGH_SPARSE_FIT),
        *light_notices(light, unwrapped),
        *eye_notices(eyes, core.model, light.monochrome),
        *detail_warnings,
    )
    progress("Reconstructed", 1.0)
    return Reconstruction(
        photo_name=picture.path.name, photo=picture.pixels,
        face_model=settings.face_model, landmarker=settings.landmarker, expression_names=core.model.expression_names,
        alpha=fit.alpha, beta=fit.beta, native_beta=fit.native_beta,
        expression_source=settings.expression, emotion=reading.emotion,
        affine=fit.affine, perspective=fit.perspective,
        landmarks68_px=landmarks.sparse_px, landmarks68_mm=core.model.landmarks68.points(fit.vertices),
        vertices=fit.vertices, vertices_neutral=fit.vertices_neutral,
        gamma=light.gamma, sh_radiance=light.radiance,
        albedo=maps.albedo, roughness=maps.roughness, specular=maps.specular,
        displacement_medium=detail.medium, displacement_fine=detail.fine,
        normal=detail.normal, normal_fine=detail.normal_fine,
        confidence=maps.confidence, stage_seconds=seconds, notices=warnings, eyes=eyes,
    )  # fmt: skip


def _fit(
    landmarks: FaceLandmarks,
    image_size: tuple[int, int],
    reading: ExpressionPrior,
    focal_px: float | None,
    core: Models,
    settings: Settings,
) -> ProxyFit:
    how = {"reading": reading, "expression": settings.expression, "focal_px": focal_px}
    if core.outline is None:
        return fit_proxy(landmarks, image_size, core.model, core.calibration, **how)
    return fit_sparse(landmarks, image_size, core.model, outline=core.outline, offset=core.offset, **how)


def _transfer(fit: ProxyFit, core: Models, settings: Settings) -> Transfer:
    parts = core.model.solid_parts
    return light_transfer(
        fit.vertices,
        np.concatenate([split_quads(part.faces) + part.start for part in parts]),
        core.model.skin.stop,
        fit.perspective.position(),
        core.gloss,
        settings.light_bands,
    )


def eye_samples(
    pixels: np.ndarray, landmarks: FaceLandmarks, fit: ProxyFit, light: LightEstimate, core: Models
) -> list[EyeSample]:
    """What a photo, (H, W, 3) uint8 sRGB, shows of each eye; nothing of eyes that the model does not have."""
    triangles = np.concatenate([part.triangles() + part.start for part in core.model.solid_parts])
    skin_light = light.shading * core.basis.albedo(light.gamma)
    names = [part.name for part in core.model.parts]
    samples = []
    for side, eye_points in EYES.items():
        if f"eye_{side}" not in names:
            continue
        part = core.model.part(f"eye_{side}")
        vertices = fit.vertices[part.start : part.stop]
        eye = fit_eyeball(part, vertices)
        points, normals = seen_front(eye, vertices)
        lit = diffuse_light(points, normals, fit.vertices, triangles, light.radiance, skin_light)
        lids, iris = (landmarks.mesh_px[list(which), :2] for which in eye_points)
        samples.append(sample_eye(pixels, lids, iris, eye, fit.perspective, points, lit))
    return [sample for sample in samples if sample is not None]


def _detail(
    picture: Photo,
    landmarks: FaceLandmarks,
    unwrapped: UnwrappedPhoto,
    light: LightEstimate,
    transfer: Transfer,
    fit: ProxyFit,
    core: Models,
) -> tuple[DetailMaps, tuple[Notice, ...]]:
    if core.detail_net is None:
        return flat_detail(core.atlas.resolution), ()
    skin = core.model.skin.stop
    resolvable = resolvable_size(picture.pixels, landmarks.mesh_px, fit, core.atlas.triangles, skin)
    inputs = detail_inputs(unwrapped, light, transfer, fit.vertices[:skin], resolvable, core.detail_space, core.atlas)
    maps = make_detail(inputs, core.detail_net, fit.vertices_neutral, core.model, core.atlas)
    return maps, detail_notices(inputs)


@contextmanager
def _stage(
    progress: Callable[[str, float], None], seconds: dict[str, float], name: str, text: str, done: float
) -> Iterator[None]:
    """Tell what begins, and note how long it took."""
    progress(text, done)
    start = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - start


def _choose_face(faces: tuple[FaceLandmarks, ...], photo: Photo, wanted: int | None) -> FaceLandmarks:
    if not faces:
        raise NoFaceError(
            f"No face was found in {photo.path}.",
            "Use a photo where one face is sharp, well lit, mostly turned to the camera and at least 60 pixels wide.",
        )
    index = wanted or 0
    if index >= len(faces):
        raise NoFaceError(
            f"Face {index + 1} was asked for, but {photo.path} shows {len(faces)}.",
            f"Choose a face from 1 (the largest) to {len(faces)}.",
        )
    return faces[index]


def _several_faces(faces: tuple[FaceLandmarks, ...], wanted: int | None) -> tuple[Notice, ...]:
    if wanted is not None or len(faces) == 1:
        return ()
    return (Notice("several_faces", f"The photo shows {len(faces)} faces; the largest was taken."),)
