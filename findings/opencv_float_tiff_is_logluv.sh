#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# OpenCV's TIFF writer stores float32 colour pictures as LogLuv (SGILOG, compression 34676), which is lossy: what is
# read back is float32 again and looks exact, but differs by some per cent. A picture of one channel stays exact, and
# so does a colour picture that is asked for without compression. Expected from "float32 in, float32 out": equality.
# Seen: opencv-python-headless 4.11.0.86, Python 3.11: compression 34676, photometric 32845, largest difference 0.03
# of values up to 2; one channel: compression 1, difference 0; IMWRITE_TIFF_COMPRESSION 1: difference 0.
# Matters: float displacement, normal or light maps written as TIFF with OpenCV's defaults.
set -eu

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --target "$folder/packages" \
    opencv-python-headless==4.11.0.86 numpy==1.26.4 tifffile==2026.3.3
cd "$folder"
PYTHONPATH="$folder/packages" python3 - <<'PY'
import cv2
import numpy as np
import tifffile

colour = (np.random.default_rng(0).random((32, 24, 3)) * 2).astype(np.float32)


def written(name, picture, *options):
    assert cv2.imwrite(name, picture, list(options))
    with tifffile.TiffFile(name) as file:
        compression = int(file.pages[0].tags["Compression"].value)
    back = cv2.imread(name, cv2.IMREAD_UNCHANGED)
    assert back.dtype == np.float32
    return compression, float(np.abs(back - picture).max())


print("OpenCV", cv2.__version__)
default = written("colour.tif", colour)
single = written("single.tif", colour[..., 0].copy())
plain = written("plain.tif", colour, cv2.IMWRITE_TIFF_COMPRESSION, 1)
print("colour, defaults: compression %d, largest difference %.4f" % default)
print("one channel:      compression %d, largest difference %.4f" % single)
print("colour, plain:    compression %d, largest difference %.4f" % plain)
assert default[0] == 34676 and 0.005 < default[1] < 0.1, "float colour is not LogLuv any more"
assert single == (1, 0.0), "one channel is not exact any more"
assert plain == (1, 0.0), "without compression it is not exact any more"
PY
