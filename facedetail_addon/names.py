# SPDX-License-Identifier: GPL-3.0-or-later
"""Identifiers and labels in one place."""

ADDON = __package__
"""Under this name Blender knows the add-on."""
LABEL = "FaceDetail"
COMMAND = "facedetail"
"""``blender --command facedetail``."""

OP_RECONSTRUCT = "facedetail.reconstruct"
OP_IMPORT_MODEL = "facedetail.import_model"
OP_REMOVE = "facedetail.remove"
OP_DOWNLOAD = "facedetail.download"
OP_INSTALL = "facedetail.install"
OP_EXPORT = "facedetail.export"
OFFLINE_TEXT = "Blender may not use the network: see Preferences, System, Network, Allow Online Access."
OP_COPY_COMMAND = "facedetail.copy_command"
RECONSTRUCT_LABEL = "Reconstruct from Photo"
OP_EXPRESSION = "facedetail.expression"
AS_IN_THE_PHOTO, NEUTRAL = "PHOTO", "NEUTRAL"
EXPRESSION_CHOICES = ((AS_IN_THE_PHOTO, "As in the Photo"), (NEUTRAL, "Neutral"))
OP_LIGHT = "facedetail.light"
OP_VIEW = "facedetail.view"
CLAY, SKIN, RENDERED = "CLAY", "SKIN", "RENDERED"
VIEW_CHOICES = ((CLAY, "Clay"), (SKIN, "Skin"), (RENDERED, "Rendered"))
OP_LOOKDEV = "facedetail.lookdev"
LOOKDEV_LABEL = "Contact Sheet"
OP_TURNTABLE = "facedetail.turntable"
TURNTABLE_LABEL = "Turntable"
MIN_FRAMES, MAX_FRAMES = 2, 1000
"""Of a turntable."""
EXPORT_LABEL = "Export Head"
IMPORT_LABEL = "Face from Photo (FaceDetail)"
PANEL_CATEGORY = "FaceDetail"
STATE_PROPERTY = "facedetail_state"
"""On the window manager: what is under way."""
SETTINGS_PROPERTY = "facedetail"
"""On the scene: what the artist chose."""

COLLECTION_PREFIX = "FaceDetail"
LIGHT_SUFFIX = "light"
LOOKDEV_SUFFIX = "lookdev"

HEAD_ID_PROPERTY = "facedetail_head_id"
"""On every object of a head: the same text on all of them, another for every head that is built."""
PART_PROPERTY = "facedetail_part"
"""On every object of a head: which part it is, a part of the face model or one of the following."""
ROOT_PART, SKIN_PART, CAMERA_PART, SUN_PART, STAGE_PART = "head", "skin", "camera", "sun", "light stage"
"""The empty that carries all others, and what the objects' names end with."""

EMOTION_PROPERTY = "facedetail_emotion"
"""On a head's empty: the emotion of the photo's face, a word."""
EMOTION_PROBABILITY_PROPERTY = "facedetail_emotion_probability"
"""On a head's empty: its probability, 0 to 1."""

UNITS_PROPERTY = "facedetail_units_per_metre"
"""On a head's empty: how many units of its scene were a metre when it was built."""

HEAD_LIGHT_PROPERTY = "facedetail_head_light"
"""On a head's empty: its photo's light, spherical harmonics of the radiance in the head frame, three for each."""

HEAD_STAGE_PROPERTY = "facedetail_head_stage"
"""On a head's empty: the same light as lamps of a light stage, three numbers for each, and the even light's three."""

PHOTO_EXPRESSION_PROPERTY = "facedetail_photo_expression"
"""On the shape keys of a head's skin: the photo's values by their names."""

SOCKET_ATTRIBUTE = "facedetail_socket"
"""Point attribute of the skin, 1 inside the mouth bag and the eye sockets, where no photo looks."""
SCATTER_ATTRIBUTE = "facedetail_scatter"
"""Point attribute of the skin, 0 at its openings, 1 where light scatters under it undisturbed."""
IRIS_ATTRIBUTE = "facedetail_iris"
"""Point attribute of the eyes: position around the pupil, in radii of the iris of ``DEFAULT_EYES``."""

RELIEF_PROPERTY = "facedetail_relief"
"""On a head's empty: the sliders of its relief."""
FINE_LEVEL_PROPERTY = "facedetail_fine_level"
"""On a head's skin: the Subdivision level from which on its mesh can carry the fine relief."""
EXPERIMENTAL_PROPERTY = "facedetail_experimental"
"""On a scene: we have switched Cycles' experimental features on."""
DISPLACE, ADAPTIVE, NORMAL_MAP = "DISPLACE", "ADAPTIVE", "NORMAL_MAP"
"""Ways of showing relief."""
MEDIUM_MODIFIER = "FaceDetail medium"
FINE_MODIFIER = "FaceDetail fine"

LIGHT_PROPERTY = "facedetail_light"
"""On a world: it was made from a photo, and has the nodes below. On a lamp: the world of such a light that
it is part of; true in older files."""
LIGHT_KIND_PROPERTY = "facedetail_light_kind"
"""On such a world, beside the head's id: which of the kinds below it is; older ones do not tell."""
WORLD_LIGHT, SUN_LIGHT, STAGE_LIGHT = "world", "sun", "stage"
"""Kinds of a photo's light in a scene."""
STUDIO_NODE = "Photo or Studio"
"""A colour mix: at factor 0 the photo's light, at 1 the studio's."""
ROTATION_NODE = "Rotation"
"""A mapping: its third angle turns the light about the vertical axis."""
STRENGTH_NODE = "Strength"
"""A background: how strong the light is, 1 as in the photo."""

PHOTO_FILTER = (
    "*.jpg;*.jpeg;*.jpe;*.jfif;*.jif;*.mpo;*.png;*.apng;*.tif;*.tiff;*.webp;*.avif;*.avifs;*.heic;*.heics;*.heif;*.heifs;"
    "*.hif;*.jp2;*.j2k;*.jpc;*.jpf;*.jpx;*.j2c;*.bmp;*.dib;*.tga;*.icb;*.vda;*.vst;*.psd;*.ppm;*.pbm;*.pgm;*.pnm;*.pfm;*.gif"
)
MODEL_FILTER = "*.h5;*.mat;*.npz;generic_neutral_mesh.obj"
WEIGHTS_FILTER = "*.tar;*.pth"
