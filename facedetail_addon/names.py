# SPDX-License-Identifier: GPL-3.0-or-later
"""Identifiers and labels in one place."""

LABEL = "FaceDetail"
COMMAND = "facedetail"
"""``blender --command facedetail``."""

OP_RECONSTRUCT = "facedetail.reconstruct"
RECONSTRUCT_LABEL = "Reconstruct Face"
IMPORT_LABEL = "Face from Photo (FaceDetail)"
PANEL_CATEGORY = "FaceDetail"
STATE_PROPERTY = "facedetail_state"
"""On the window manager: what is under way."""
SETTINGS_PROPERTY = "facedetail"
"""On the scene: what the artist chose."""

COLLECTION_PREFIX = "FaceDetail"
HEAD_SUFFIX = "head"
CAMERA_SUFFIX = "camera"

EMOTION_PROPERTY = "facedetail_emotion"
"""On a head's empty: the emotion of the photo's face, a word."""
EMOTION_PROBABILITY_PROPERTY = "facedetail_emotion_probability"
"""On a head's empty: its probability, 0 to 1."""

PHOTO_FILTER = "*.jpg;*.jpeg;*.png;*.tif;*.tiff;*.webp;*.avif;*.jp2;*.bmp;*.tga;*.psd;*.ppm;*.gif"
RESOLUTIONS = (512, 1024, 2048, 4096)
DEFAULT_RESOLUTION = 2048
