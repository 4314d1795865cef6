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

PHOTO_FILTER = "*.jpg;*.jpeg;*.png;*.tif;*.tiff;*.webp;*.avif;*.jp2;*.bmp;*.tga;*.psd;*.ppm;*.gif"
RESOLUTIONS = (512, 1024, 2048, 4096)
DEFAULT_RESOLUTION = 2048
