#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# OpenCV turns TIFFs by their Orientation tag whatever the flags say: IMREAD_UNCHANGED and IMREAD_IGNORE_ORIENTATION,
# which are documented to leave the orientation alone (and do so for JPEG), have no effect on TIFF.
# Expected: the first stored pixel first. Seen: opencv-python-headless 4.11.0.86, Python 3.11: with Orientation 3 (turned by 180
# degrees) the last stored pixel comes first with every flag; the same picture as JPEG with EXIF orientation 3 stays as stored.
# Matters: whoever turns a photo by EXIF after reading it with IMREAD_UNCHANGED turns TIFFs twice.
set -eu

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --target "$folder/packages" \
    opencv-python-headless==4.11.0.86 numpy==1.26.4 tifffile==2026.3.3 pillow==12.0.0
cd "$folder"
PYTHONPATH="$folder/packages" python3 - <<'PY'
import cv2
import numpy as np
import tifffile
from PIL import Image

stored = np.zeros((32, 32), np.uint8)
stored[:16] = 200  # bright above
tifffile.imwrite("turned.tif", stored, extratags=[(274, "H", 1, 3, True)])
exif = Image.Exif()
exif[274] = 3
Image.fromarray(stored).save("turned.jpg", exif=exif, quality=95)

flags = {
    "IMREAD_UNCHANGED": cv2.IMREAD_UNCHANGED,
    "IMREAD_GRAYSCALE | IMREAD_IGNORE_ORIENTATION": cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION,
}
print("OpenCV", cv2.__version__)
for name, flag in flags.items():
    tops = {file: int(cv2.imread(file, flag)[:8].mean()) for file in ("turned.tif", "turned.jpg")}
    print(f"{name}: mean of the upper rows: TIFF {tops['turned.tif']}, JPEG {tops['turned.jpg']} (stored: 200)")
    assert tops["turned.tif"] < 20, "TIFF is not turned any more"
    assert tops["turned.jpg"] > 180, "JPEG is turned, too"
PY
