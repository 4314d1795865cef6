# SPDX-License-Identifier: GPL-3.0-or-later
"""From a photo to a reconstruction: the whole story, top to bottom.

Every stage can be called alone, from the middle, or again with an earlier result as its start; none reaches back.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..settings import FINE, Settings
from .detail.expression_shares import expression_shares, share_maps
from .detail.inputs import DetailInputs, detail_inputs
from .detail.normal_map import flat_detail
from .detail.resolvable_size import resolvable_size
from .detail.synthesis import detail_maps, relief_heights
from .detail.synthesis import notices as detail_notices
from .detail.types import EXPRESSION_GROUPS
from .eyes.estimate import estimate_eyes
from .eyes.sampling import EyeSample, sample_eye
from .face_model.eyeball import fit_eyeball, seen_front
from .fit.dense import fit_dense
from .fit.lids import with_lids_in_place
from .fit.photometric.term import Photometry
from .fit.pinned import PinnedFit, prepare_pins, refit
from .fit.pins import NO_PINS, PinnedEdit
from .fit.prepared import prepare
from .fit.refine import refine_dense
from .fit.sparse import fit_sparse
from .fit.stereo import stereo_term
from .fit.types import HeadFit, PoseFit, SkinMatches
from .lighting.estimate import estimate_light, prior_direction_of, relit
from .lighting.stage import estimate_stage
from .lighting.types import LightEstimate
from .models import Models
from .observe.choice import choose_face, several_faces
from .observe.correspondence.profile import find_faces
from .observe.expression.reader import notices as expression_notices
from .observe.landmarks.landmarker import notices as landmark_notices
from .observe.landmarks.mesh_points import EYES
from .observe.landmarks.types import FaceLandmarks
from .observe.masks.find import find_masks
from .observe.masks.glasses import find_glasses
from .observe.masks.types import MASKS
from .observe.photo import Photo, read_photo
from .observe.picture_quality import notices as quality_notices
from .observe.picture_quality import picture_quality
from .observe.types import CameraPrior, Observation
from .on_skin import bare_of, brows_of, frames_of, haired, masks_of
from .photo_notices import head_notices, is_refined, photo_notices
from .refine.form import find_form, with_form
from .refine.reflectance import SIDE as REFLECTANCE_SIDE
from .refine.reflectance import find_reflectance, with_reflectance
from .refine.types import ALL_TERMS, ReflectanceTerms
from .rendering.normals import vertex_normals
from .rendering.rays import RayScene
from .rendering.transfer import diffuse_light, light_transfer, with_normals
from .rendering.types import Transfer
from .result.record import HeadRecord, Reconstruction
from .seen import Appearance, FittedHead, Illumination, Relief, SeenSkin
from .skin.hair_map import hair_map
from .skin.texture import bare_skin, make_skin_maps
from .skin.types import SkinMaps
from .stages import Stages
from .uv.atlas import coarser
from .uv.frames import without_frames
from .uv.types import Atlas, UnwrappedPhoto
from .uv.unwrap import unwrap

_FIRST_BANDS, _FIRST_DIRECTIONS = 3, 128  # of the light that the head is refined in


def reconstruct(
    photo: Path,
    models: Models,
    settings: Settings,
    progress: Callable[[str, float], None],
    edit: PinnedEdit = NO_PINS,
) -> Reconstruction:
    """Reconstruct one face of one photo.

    Args:
        photo: an image file.
        models: what :meth:`Models.load` gave for the same settings.
        settings: which face, how large a texture, what the expression is taken from, how fine the light.
        progress: as of :class:`Stages`, and once more at the end.
        edit: pins that the head is to follow.

    Raises:
        PhotoError: the photo cannot be read. NoFaceError: it shows no face, or not the asked-for one.
        PinError: the pins are none of this photo or head.
    """
    stage = Stages(progress)
    with stage("photo", "Reading the photo", 0.0):
        picture = read_photo(photo)
    observation = observe(picture, models, settings, stage)
    by_landmarks = fit((observation,), models, settings, stage=stage)
    automatic = refine((observation,), by_landmarks, models, settings, stage)
    pinned = follow_pins((observation,), automatic, models, settings, edit, stage)
    return completed(observation, FittedHead(automatic, by_landmarks, pinned, edit), models, settings, stage)


def completed(
    observation: Observation, fitted: FittedHead, models: Models, settings: Settings, stage: Stages
) -> Reconstruction:
    """The reconstruction of one photo whose head is known."""
    head = fitted.head
    seen = read_skin(observation, head, models, settings, stage)
    record = HeadRecord(
        face_model=settings.face_model,
        landmarker=settings.landmarker,
        expression_source=settings.expression,
        expression_names=models.model.expression_names,
        observations=(observation,),
        fit=head,
        lights=(seen.photo_light,),
        eyes=seen.appearance.eyes,
        stage_seconds=stage.seconds,
        notices=(
            *photo_notices(observation, head, seen, models),
            *head_notices(fitted, models, settings),
        ),
        by_hand=fitted.by_hand,
    )
    stage.progress("Reconstructed", 1.0)
    maps = result_maps(observation.pixels, seen.appearance.skin, seen.relief, seen.hair)
    return Reconstruction(record, maps, seen.skin_light)


def observe(
    photo: Photo,
    models: Models,
    settings: Settings,
    stage: Stages | None = None,
    faces: tuple[FaceLandmarks, ...] | None = None,
) -> Observation:
    """What a photo says of one of its faces; ``faces``: where they have been found already.

    Raises:
        NoFaceError: it shows no face, or not the asked-for one.
    """
    stage = stage or Stages()
    height, width = photo.pixels.shape[:2]
    with stage("landmarks", "Finding the face", 0.15):
        faces = find_faces(photo.pixels, models.landmarker, models.finder) if faces is None else faces
        landmarks = choose_face(faces, photo, settings.face)
        landmarks = models.fan.refine(photo.pixels, landmarks) if models.fan else landmarks
    with stage("expression", "Reading the expression", 0.3):  # the emotion is told whatever the source is
        emotion, prior = models.expression_reader.read(photo.pixels, landmarks)
    with stage("masks", "Finding hair and skin", 0.33):
        masks = find_masks(photo.pixels, landmarks, models.mask_networks)
        glasses = find_glasses(photo.pixels, landmarks, models.mask_networks.glasses)
    with stage("correspondence", "Finding points of the head", 0.34):
        correspondences = models.finder.find(photo.pixels, landmarks)
    with stage("identity", "Looking for people like this", 0.345):
        reader = models.identity_reader
        alpha_prior = reader.alpha_prior(photo.pixels, landmarks) if reader else None
    return Observation(
        landmarks=landmarks,
        camera_prior=CameraPrior.centred((width, height), photo.focal_px),
        emotion=emotion,
        expression_prior=prior,
        masks=masks,
        glasses=glasses,
        correspondences=correspondences,
        alpha_prior=alpha_prior,
        photo_name=photo.path.name,
        pixels=photo.pixels,
        notices=(
            *photo.notices,
            *several_faces(faces, settings.face),
            *landmark_notices(landmarks, (width, height)),
            *quality_notices(picture_quality(photo.pixels, landmarks.mesh_px)),
            *expression_notices(prior, settings.expression),
        ),
    )


def fit(
    observations: Sequence[Observation],
    models: Models,
    settings: Settings,
    start: HeadFit | None = None,
    stage: Stages | None = None,
    matches: Sequence[SkinMatches] = (),
) -> HeadFit:
    """The head of a person, and its pose in each of their photos.

    Args:
        start: an earlier fit to begin from. matches: places of the skin that two photos show; they need a start.

    Raises:
        FaceDetailError: the landmarks of a photo are not usable.
    """
    stage = stage or Stages()
    with stage("proxy", "Fitting the head", 0.35):
        how = {"expression": settings.expression, "start": start}
        if models.prepared is not None:
            extra = [stereo_term(pair, start, models.prepared) for pair in matches]
            return fit_dense(
                observations, models.model, models.calibration, prepared=models.prepared, extra=extra, **how
            )
        return fit_sparse(observations, models.model, outline=models.outline, offset=models.offset, **how)


def refine(
    observations: Sequence[Observation],
    head: HeadFit,
    models: Models,
    settings: Settings,
    stage: Stages | None = None,
    matches: Sequence[SkinMatches] = (),
) -> HeadFit:
    """The head that explains its photos' light and shade, too: identity and pose, then mid-scale form, then the lids.

    ``head`` itself with drafts, the sparse fit and imported models. Photos without pixels do not count; form is that
    of the first with pixels.

    Args:
        observations: those that ``head`` was fitted to, in the same order. matches: as of :func:`fit`.
    """
    if not is_refined(models, settings):
        return head
    stage = stage or Stages()
    with stage("refine", "Matching light and shade", 0.4):
        looks = [
            None if observation.pixels is None else first_look(observation, pose, models)
            for observation, pose in zip(observations, head.poses, strict=True)
        ]
        stereo = [stereo_term(pair, head, models.prepared) for pair in matches]
        refined = refine_dense(observations, looks, head, models.prepared, settings.expression, stereo)
    with stage("form", "Shaping folds and cheeks", 0.45):
        formed = _formed(observations, looks, refined, models)
        return with_lids_in_place(formed, observations, models.model, models.calibration)


def follow_pins(
    observations: Sequence[Observation],
    automatic: HeadFit,
    models: Models,
    settings: Settings,
    edit: PinnedEdit,
    stage: Stages | None = None,
) -> PinnedFit | None:
    """What an artist's pins make of the automatic fit; None where they leave it as it is.

    Raises:
        PinError: they are none of these photos or of this head.
    """
    if edit.is_automatic:
        return None
    stage = stage or Stages()
    with stage("pins", "Following the pins", 0.48):
        prepared = models.prepared or prepare(models.model, models.calibration)
        start = prepare_pins(observations, automatic, prepared, settings.expression, edit.settings)
        return refit(start, edit)


def illuminate(
    observation: Observation,
    pose: PoseFit,
    models: Models,
    settings: Settings,
    stage: Stages | None = None,
    transfer: Transfer | None = None,
) -> Illumination:
    """The light of a photo, apart from the skin's colours; ``transfer``: where that of the posed head is known."""
    stage = stage or Stages()
    with stage("unwrap", "Unwrapping the photo", 0.5):
        unwrapped = unwrap(observation.pixels, pose, models.model, models.atlas)
    with stage("light", "Separating light from skin", 0.55):
        triangles = models.model.solid_triangles()
        scene = RayScene(pose.vertices, triangles)
        transfer = transfer or transfer_of(pose, models, settings.light_bands, scene=scene)
        bare = bare_of(observation, pose, models, models.atlas)
        estimate = light_of(unwrapped, transfer, pose, models, models.atlas, bare)
    with stage("light_stage", "Setting up the lamps", 0.68):
        known = transfer, models.basis, models.atlas
        lamps = estimate_stage(unwrapped, estimate, *known, pose.vertices, triangles, scene, bare)
    return Illumination(unwrapped, transfer, estimate, lamps, scene)


def read_skin(
    observation: Observation,
    head: HeadFit,
    models: Models,
    settings: Settings,
    stage: Stages | None = None,
    tell_known: bool = False,
) -> SeenSkin:
    """Light, relief and colours of one photo; ``head``: with its pose first. ``tell_known``: of :func:`paint`."""
    light = illuminate(observation, head.pose, models, settings, stage)
    relief = detail(observation, head, light, models, stage)
    painted = paint(observation, head.pose, light, models, stage, relief, tell_known)
    appearance = reflect(observation, head.pose, light, relief, painted, models, settings, stage)
    hair = masks_of(observation, head.pose, models)[:, MASKS.index("hair")]
    hair = hair_map(hair, light.unwrapped.vertex_confidence, models.small_atlas)
    return SeenSkin(light, relief, appearance, hair)


def detail(
    observation: Observation, head: HeadFit, light: Illumination, models: Models, stage: Stages | None = None
) -> Relief:
    """Wrinkles and pores; ``observation`` is the head's first, and so is its light."""
    stage = stage or Stages()
    with stage("detail", "Finding wrinkles and pores", 0.7):
        if models.detail_net is None:
            shares = np.zeros((1, 1, len(EXPRESSION_GROUPS)), np.uint8)
            return Relief(flat_detail(models.atlas.resolution), shares, ())
        inputs = inputs_of_detail(observation, head.pose, light, models)
        told, heights = detail_notices(inputs), relief_heights(inputs, models.detail_net, models.atlas)
        del inputs  # many maps, which nobody needs any more
        maps = detail_maps(heights, head.vertices_neutral, models.model, models.atlas)
        shares = expression_shares(models.model, head.pose.beta)
        shares = share_maps(shares, maps.medium + maps.unseen, models.coarse_atlas)
        return Relief(maps, shares, told)


def paint(
    observation: Observation,
    pose: PoseFit,
    light: Illumination,
    models: Models,
    stage: Stages | None = None,
    relief: Relief | None = None,
    tell_known: bool = False,
) -> Appearance:
    """The colours of skin and eyes without the photo's light, complete.

    Args:
        relief: what is not painted, either. tell_known: whether the skin tells where the photo shows it.
    """
    stage = stage or Stages()
    shading = relief.maps.shading if relief else None
    known = models.basis, models.gloss, models.model, models.atlas
    with stage("albedo", "Painting the skin", 0.82):
        masks, frames = masks_of(observation, pose, models), frames_of(observation, pose, models)
        free = light.unwrapped
        if frames is not None:
            free = without_frames(free, frames, models.model.skin.vertex_uv())
        brows = brows_of(observation, pose, models)
        skin = make_skin_maps(
            free, light.estimate, *known, shading, masks, models.texture_generator, tell_known, brows,
            haired(observation),
        )  # fmt: skip
    with stage("eyes", "Finding the eyes' colours", 0.95):
        samples = eye_samples(observation.pixels, observation.landmarks, pose, light.estimate, models, light.scene)
        eyes = estimate_eyes(samples, light.estimate.monochrome)
    return Appearance(skin, eyes)


def reflect(
    observation: Observation,
    pose: PoseFit,
    light: Illumination,
    relief: Relief,
    appearance: Appearance,
    models: Models,
    settings: Settings,
    stage: Stages | None = None,
    terms: ReflectanceTerms = ALL_TERMS,
) -> Appearance:
    """What was painted with pigment, specular level and roughness that explain the photo, texel by texel.

    ``appearance`` itself where the settings do not ask for it. Progress is told every few hundredths of a second.
    """
    if settings.quality != FINE:
        return appearance
    stage, start, text = stage or Stages(), 0.96, "Finding where skin shines"

    def going_on(done: float) -> None:
        stage.progress(text, start + (1 - start) * done)

    with stage("reflectance", text, start):
        atlas = coarser(models.atlas, models.model, REFLECTANCE_SIDE)
        bare = bare_skin(masks_of(observation, pose, models), models.basis, models.model)
        seen = light.unwrapped, light.transfer, light.estimate, light.stage
        found = find_reflectance(
            pose, *seen, appearance.skin, models.gloss, bare, models.model, atlas, relief.maps.shading,
            terms, lambda done: going_on(0.7 * done),
        )  # fmt: skip
        skin = with_reflectance(appearance.skin, found, models.atlas, lambda done: going_on(0.7 + 0.3 * done))
    return replace(appearance, skin=skin)


def inputs_of_detail(observation: Observation, pose: PoseFit, light: Illumination, models: Models) -> DetailInputs:
    """What the detail networks see of a photo."""
    skin, atlas = models.model.skin.stop, models.atlas
    size = resolvable_size(observation.pixels, observation.landmarks.mesh_px, pose, atlas.triangles, skin)
    size = size * np.float32(picture_quality(observation.pixels, observation.landmarks.mesh_px).coarser)
    vertices = pose.vertices[:skin]
    hair = np.nan_to_num(masks_of(observation, pose, models)[:, MASKS.index("hair")])
    found = light.unwrapped, light.estimate, light.transfer
    frames = frames_of(observation, pose, models)
    brows = brows_of(observation, pose, models)
    return detail_inputs(*found, vertices, size, hair, models.detail_space, atlas, frames, brows)


def transfer_of(pose: PoseFit, models: Models, light_bands: int, **how: int | RayScene) -> Transfer:
    """How light reaches the skin of the posed head, and its photo's camera; ``how``: of :func:`light_transfer`."""
    model, camera = models.model, pose.perspective.position()
    triangles = model.solid_triangles()
    return light_transfer(pose.vertices, triangles, model.skin.stop, camera, models.gloss, light_bands, **how)


def eye_samples(
    pixels: np.ndarray,
    landmarks: FaceLandmarks,
    pose: PoseFit,
    light: LightEstimate,
    models: Models,
    scene: RayScene | None = None,
) -> list[EyeSample]:
    """What a photo, (H, W, 3) uint8 sRGB, shows of each eye; nothing of eyes that the model does not have.

    ``scene``: the posed head for rays, where there is one already.
    """
    triangles = models.model.solid_triangles()
    skin_light = light.shading * models.basis.albedo(light.gamma)
    eyes = models.model.eyes
    samples = []
    for side, eye_points in EYES.items():
        if side not in eyes:
            continue
        vertices = eyes[side].of(pose.vertices)
        eye = fit_eyeball(eyes[side], vertices)
        points, normals = seen_front(eye, vertices)
        lit = diffuse_light(points, normals, pose.vertices, triangles, light.radiance, skin_light, scene=scene)
        lids, iris = (landmarks.mesh_px[list(which), :2] for which in eye_points)
        samples.append(sample_eye(pixels, lids, iris, eye, pose.perspective, points, lit))
    return [sample for sample in samples if sample is not None]


def _formed(
    observations: Sequence[Observation], looks: Sequence[Photometry | None], head: HeadFit, models: Models
) -> HeadFit:
    """The head with what the shading of its first photo tells of mid-scale form; shadows are those of the look."""
    for observation, look, pose in zip(observations, looks, head.poses, strict=True):
        if look is not None:
            seen = unwrap(look.pixels, pose, models.model, models.coarse_atlas)
            skin = models.model.skin
            normals = vertex_normals(skin.of(pose.vertices), skin.triangles())
            transfer = with_normals(look.transfer, normals)
            light = relit(look.light, transfer, models.basis)
            masks, atlas, prior = observation.masks, models.coarse_atlas, models.form_prior
            form = find_form(pose, seen, transfer, light, models.basis, masks, models.model, atlas, prior)
            return with_form(head, form, models.model)
    return head


def first_look(observation: Observation, pose: PoseFit, models: Models) -> Photometry:
    """A photo's light and skin, coarse, for the vertices alone."""
    unwrapped = unwrap(observation.pixels, pose, models.model, models.coarse_atlas)
    transfer = transfer_of(pose, models, _FIRST_BANDS, directions=_FIRST_DIRECTIONS)
    bare = bare_of(observation, pose, models, models.coarse_atlas)
    light = light_of(unwrapped, transfer, pose, models, models.coarse_atlas, bare)
    return Photometry(observation.pixels, unwrapped, transfer, light, models.basis)


def light_of(
    unwrapped: UnwrappedPhoto, transfer: Transfer, pose: PoseFit, models: Models, atlas: Atlas, bare: np.ndarray
) -> LightEstimate:
    """Light and skin of an unwrapped photo; ``bare``: of :func:`.on_skin.bare_of`."""
    above = prior_direction_of(pose.perspective.rotation)
    return estimate_light(unwrapped, transfer, models.basis, atlas, above, bare)


def result_maps(pixels: np.ndarray, skin: SkinMaps, relief: Relief, hair: np.ndarray) -> dict[str, np.ndarray]:
    """What :data:`~.result.maps.MAPS` lists."""
    return {
        "photo": pixels,
        "albedo": skin.albedo,
        "roughness": skin.roughness,
        "specular": skin.specular,
        "displacement_medium": relief.maps.medium,
        "displacement_fine": relief.maps.fine,
        "normal": relief.maps.normal,
        "normal_fine": relief.maps.normal_fine,
        "displacement_unseen": relief.maps.unseen,
        "normal_unseen": relief.maps.normal_unseen,
        "confidence": skin.confidence,
        "hair": hair,
        **{
            f"expression_{name}": np.ascontiguousarray(relief.shares[..., index])
            for index, name in enumerate(EXPRESSION_GROUPS)
        },
    }
