# SPDX-License-Identifier: GPL-3.0-or-later
"""From several photos of one person to one head.

One identity, and an expression, a camera and a light for each photo; then one skin and one relief. Photos that do not
belong to the others are named and left out, never averaged in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..settings import Settings
from .alignment import is_mirrored
from .detail.expression_shares import expression_shares, share_maps
from .detail.merge import ReliefLayer, joined_relief, relief_maps, shares_by_photos
from .detail.resolvable_size import resolvable_size
from .errors import PhotoError
from .fit.pins import NO_PINS, PinError, PinnedEdit
from .fit.types import HeadFit, SkinMatches
from .matching import matches_between, seen_luminance
from .models import Models
from .notices import Notice
from .observe.correspondence.profile import find_faces
from .observe.identity.recognition import Recognition
from .observe.person import faces_of, strangers
from .observe.photo import Photo, read_photo
from .observe.types import Observation
from .photo_notices import head_notices, photo_notices
from .pipeline import fit, follow_pins, observe, read_skin, reconstruct, refine, result_maps
from .result.record import MOST_PHOTOS, HeadRecord, Reconstruction
from .seen import FittedHead, Relief, SeenSkin
from .skin.merge import Joint, SkinLayer, joined, skin_layer
from .stages import Stages

_ROUGHER, _ROUGH = 2.5, 0.02  # than the other photos' median residual, and in all: median distance over face height
_PARALLAX_ROUNDS = 2  # the nearer the head, the surer the places
_OBSERVED, _FITTED, _SEEN = 0.2, 0.35, 0.95  # where these parts of the work end


@dataclass(frozen=True)
class PersonPhotos:
    """Photos of one person, and what each says.

    Attributes:
        photos, observations: in the same order; the first is that of the scene. notices: of those left out.
    """

    photos: tuple[Photo, ...]
    observations: tuple[Observation, ...]
    notices: tuple[Notice, ...]

    def without(self, which: Sequence[int], notices: tuple[Notice, ...]) -> "PersonPhotos":
        """Some left out, and why."""
        kept = [number for number in range(len(self.photos)) if number not in which]
        photos, observations = (tuple(own[number] for number in kept) for own in (self.photos, self.observations))
        return PersonPhotos(photos, observations, self.notices + notices)


def reconstruct_person(
    photos: Sequence[Path],
    models: Models,
    settings: Settings,
    progress: Callable[[str, float], None],
    earlier: HeadRecord | None = None,
    edit: PinnedEdit = NO_PINS,
) -> Reconstruction:
    """Reconstruct one person from one or several photos.

    Args:
        photos: image files, the first that whose camera and expression the scene takes; ``settings.face`` is which of
            its faces it is. In the others it is the face that is most like it.
        models, settings, progress: as of :func:`.pipeline.reconstruct`.
        earlier: a result of the first of these photos; the fit to all begins with its head, and follows its pins where
            there are no others.
        edit: pins that the head is to follow.

    Raises:
        PhotoError: a photo cannot be read, shows no face, or most photos show somebody else than the first.
    """
    if len(photos) == 1:
        return reconstruct(photos[0], models, settings, progress, edit)
    if len(photos) > MOST_PHOTOS:
        raise PhotoError(
            f"{len(photos)} photos of one person were named; at most {MOST_PHOTOS} can be used.",
            "Choose sharp ones from different sides.",
        )
    stage = Stages(progress)
    person = observe_person(photos, models, settings, stage)
    part = stage.part(_OBSERVED, _FITTED, f"{len(person.photos)} photos", 0.34, 0.5)
    start = _start(earlier, person, settings)
    fitted = fit(person.observations, models, settings, start=start and start.automatic, stage=part)
    odd, notices = disagreeing(person, fitted, models)
    if odd:
        person = person.without(odd, notices)
        fitted = fit(person.observations, models, settings, stage=part)
    fitted, matches = by_parallax(person.observations, fitted, models, settings, part)
    head = refine(person.observations, fitted, models, settings, part, matches)
    if not edit.pins and start is not None:
        edit = start.edit  # of the first photos, which are all there
    elif edit.pins and len(person.photos) < len(photos):
        raise PinError(
            f"The pins count {len(photos)} photos, and {len(photos) - len(person.photos)} of these were left out: "
            + " ".join(notice.message for notice in person.notices),
            "Leave these photos out yourself, and their pins.",
        )
    pinned = follow_pins(person.observations, head, models, settings, edit, part)
    return completed_person(person, FittedHead(head, fitted, pinned, edit), models, settings, stage)


def completed_person(
    person: PersonPhotos, fitted: FittedHead, models: Models, settings: Settings, stage: Stages
) -> Reconstruction:
    """The reconstruction of several photos whose head is known."""
    head = fitted.head
    seen = [_seen(number, person, head, models, settings, stage) for number in range(len(person.photos))]
    with stage("merge", "Joining the photos", _SEEN):
        layers = skin_layers(person, head, seen, models)
        skin, joints = join_skin(layers, models)
        relief = seen[0].relief if models.detail_net is None else join_relief(head, seen, layers, joints, models)
    eyes = max((one.appearance.eyes for one in seen), key=lambda eyes: eyes.confidence)
    record = HeadRecord(
        face_model=settings.face_model,
        landmarker=settings.landmarker,
        expression_source=settings.expression,
        expression_names=models.model.expression_names,
        observations=person.observations,
        fit=head,
        lights=tuple(one.photo_light for one in seen),
        eyes=eyes,
        stage_seconds=stage.seconds,
        notices=(
            *person.notices,
            *_notices(person, head, seen, models),
            *head_notices(fitted, models, settings),
        ),
        by_hand=fitted.by_hand,
    )
    stage.progress("Reconstructed", 1.0)
    hair = np.max([one.hair for one in seen], axis=0)
    maps = result_maps(person.photos[0].pixels, skin.maps, relief, hair)
    return Reconstruction(record, maps, seen[0].skin_light)


def observe_person(photos: Sequence[Path], models: Models, settings: Settings, stage: Stages) -> PersonPhotos:
    """Read the photos, and find the person in each.

    Raises:
        PhotoError: as of :func:`reconstruct_person`.
    """
    with stage("photo", "Reading the photos", 0.0):
        read, notices = _different([read_photo(path) for path in photos])
    with stage("person", "Looking for the same person", 0.05):
        recognition = models.identity_reader.recognition if models.identity_reader else Recognition.load()
        faces = [find_faces(photo.pixels, models.landmarker, models.finder) for photo in read]
        missing = [photo.path.name for photo, found in zip(read, faces, strict=True) if not found]
        if missing:
            raise PhotoError(
                f"No face was found in {', '.join(missing)}.", "Leave out photos where the face is small or hidden."
            )
        descriptors = [
            np.array([recognition.describe(photo.pixels, face.sparse_px) for face in found])
            for photo, found in zip(read, faces, strict=True)
        ]
        heights = [np.array([np.ptp(face.sparse_px[:, 1]) for face in found]) for found in faces]
        chosen = faces_of(descriptors, heights, min(settings.face or 0, len(faces[0]) - 1))
        own = np.array([found[index] for found, index in zip(descriptors, chosen, strict=True)])
        yaws = np.array([found[index].yaw_deg for found, index in zip(faces, chosen, strict=True)])
    others = strangers(own, yaws)
    if 0 in others:
        raise PhotoError(
            f"{read[0].path.name} shows somebody else than most of the other photos.",
            "Leave it out, or put a photo of the person first.",
        )
    notices += tuple(
        Notice("another_person", f"{read[number].path.name} was left out: it seems to show somebody else.")
        for number in others
    )
    kept = [number for number in range(len(read)) if number not in others]
    observations = []
    for place, number in enumerate(kept):
        share = (_OBSERVED - 0.1) / len(kept)
        part = stage.part(0.1 + place * share, 0.1 + (place + 1) * share, _of(place, kept), 0.15, 0.35)
        face = settings.face if number == 0 else chosen[number]
        observations.append(observe(read[number], models, replace(settings, face=face), part, faces[number]))
    return PersonPhotos(tuple(read[number] for number in kept), tuple(observations), notices)


def by_parallax(
    observations: Sequence[Observation], head: HeadFit, models: Models, settings: Settings, stage: Stages | None = None
) -> tuple[HeadFit, tuple[SkinMatches, ...]]:
    """The head on which places of the skin that two photos show fall together, and these places.

    The head itself and nothing where it is not the built-in one, or the photos are hardly turned to each other.

    Args:
        head: fitted to the observations.
    """
    stage, matches = stage or Stages(), ()
    if models.prepared is None or models.prepared.photometric is None:
        return head, matches
    with stage("parallax", "Comparing the photos", 0.37):
        for _ in range(_PARALLAX_ROUNDS):
            matches = matches_between(observations, head, models.model, models.small_atlas)
            if not matches:
                break
            head = fit(observations, models, settings, start=head, matches=matches)
    return head, matches


def disagreeing(person: PersonPhotos, head: HeadFit, models: Models) -> tuple[list[int], tuple[Notice, ...]]:
    """Photos beside the first that the joint head does not fit, or that are mirror images; and notices of them."""
    heights = np.array([np.ptp(one.landmarks.mesh_px[:, 1]) for one in person.observations])
    rough = np.array([pose.residual_px for pose in head.poses]) / heights
    looks = [
        seen_luminance(observation.pixels, pose, models.model, models.small_atlas)
        for observation, pose in zip(person.observations, head.poses, strict=True)
    ]
    luminance, seen = zip(*looks, strict=True)
    out, notices = [], []
    for number, photo in enumerate(person.photos[1:], 1):
        usual = float(np.median(np.delete(rough, number)))
        if rough[number] > max(_ROUGH, _ROUGHER * usual):
            out.append(number)
            text = "the head that the other photos agree on does not lie on it. Its crop or its lens may be unusual"
            notices.append(Notice("disagreeing_photo", f"{photo.path.name} was left out: {text}."))
        elif is_mirrored(luminance[0], luminance[number], seen[0], seen[number]):
            out.append(number)
            text = "it is a mirror image, as selfies of some phones are. Flip it and add it again"
            notices.append(Notice("mirrored_photo", f"{photo.path.name} was left out: {text}."))
    return out, tuple(notices)


def _start(earlier: HeadRecord | None, person: PersonPhotos, settings: Settings) -> HeadRecord | None:
    """An earlier result, where it is of the first of these photos and of the same face model."""
    if earlier is None or earlier.face_model != settings.face_model:
        return None
    names = [observation.photo_name for observation in person.observations]
    known = [observation.photo_name for observation in earlier.observations]
    return earlier if known == names[: len(known)] else None


def _different(photos: list[Photo]) -> tuple[list[Photo], tuple[Notice, ...]]:
    """Each picture once."""
    kept, notices = [], []
    for photo in photos:
        twin = next((one for one in kept if np.array_equal(one.pixels, photo.pixels)), None)
        if twin is None:
            kept.append(photo)
        else:
            text = f"{photo.path.name} was left out: it is the same picture as {twin.path.name}."
            notices.append(Notice("same_photo", text))
    return kept, tuple(notices)


def _seen(
    number: int, person: PersonPhotos, head: HeadFit, models: Models, settings: Settings, stage: Stages
) -> SeenSkin:
    """Light, relief and colours of one of the photos."""
    share = (_SEEN - _FITTED) / len(person.photos)
    start = _FITTED + number * share
    part = stage.part(start, start + share, _of(number, person.photos), 0.5, 1.0)
    observation, alone = person.observations[number], replace(head, poses=(head.poses[number],))
    return read_skin(observation, alone, models, settings, part, tell_known=True)


def skin_layers(person: PersonPhotos, head: HeadFit, seen: Sequence[SeenSkin], models: Models) -> tuple[SkinLayer, ...]:
    """What each photo tells of the skin."""
    return tuple(_layer(number, person, head, one, models) for number, one in enumerate(seen))


def join_skin(layers: Sequence[SkinLayer], models: Models) -> tuple[SkinLayer, tuple[Joint, ...]]:
    """One skin of all photos, and how each but the first was joined."""
    skin, joints = layers[0], []
    for layer in layers[1:]:
        skin, joint = joined(skin, layer, models.model, models.atlas)
        joints.append(joint)
    return skin, tuple(joints)


def join_relief(
    head: HeadFit, seen: Sequence[SeenSkin], layers: Sequence[SkinLayer], joints: Sequence[Joint], models: Models
) -> Relief:
    """One relief of all photos, moved as their skins."""
    model, first = models.model, seen[0].relief
    reliefs = [_relief(*both) for both in zip(seen, layers, strict=True)]
    reliefs[1:] = [layer.moved(joint.flow) for layer, joint in zip(reliefs[1:], joints, strict=True)]
    relief = reliefs[0]
    for number, layer in enumerate(reliefs[1:], 1):
        relief = joined_relief(relief, layer, first=number == 1)
    maps = relief_maps(relief, first.maps, head.vertices_neutral, model, models.atlas)
    betas = [pose.beta for pose in head.poses]
    shares = shares_by_photos(expression_shares(model, betas[0]), reliefs, betas, model)
    return Relief(maps, share_maps(shares, maps.medium + maps.unseen, models.coarse_atlas), ())


def _layer(number: int, person: PersonPhotos, head: HeadFit, seen: SeenSkin, models: Models) -> SkinLayer:
    observation, atlas = person.observations[number], models.atlas
    points, skin = observation.landmarks.mesh_px, models.model.skin.stop
    size = resolvable_size(observation.pixels, points, head.poses[number], atlas.triangles, skin)
    return skin_layer(seen.appearance.skin, size, atlas)


def _relief(seen: SeenSkin, layer: SkinLayer) -> ReliefLayer:
    maps = seen.relief.maps
    return ReliefLayer(maps.medium, maps.fine, maps.unseen, layer.weight)


def _notices(person: PersonPhotos, head: HeadFit, seen: Sequence[SeenSkin], models: Models) -> tuple[Notice, ...]:
    """Of each photo, with its name."""
    out = []
    for number, (observation, one) in enumerate(zip(person.observations, seen, strict=True)):
        alone = replace(head, poses=(head.poses[number],))
        name = person.photos[number].path.name
        out += [
            Notice(notice.code, f"{name}: {notice.message}")
            for notice in photo_notices(observation, alone, one, models)
        ]
    return tuple(out)


def _of(number: int, every: Sequence[object]) -> str:
    return f"photo {number + 1} of {len(every)}"
