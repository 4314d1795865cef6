#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# One photo to a Blender file: bash scripts/demo.sh [PHOTO] (without one: scikit-image's astronaut, NASA, public domain).
# The result goes to out/; OUTPUT names another folder.
set -eu

photo="${1:-}"
if [ -n "$photo" ] && [ -e "$photo" ]; then
    photo="$(realpath "$photo")"
fi
output="$(realpath -m "${OUTPUT:-$(dirname "${BASH_SOURCE[0]}")/../out}")"
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

if [ -z "$photo" ]; then
    photo="$("$VENV_PYTHON" -c 'import pathlib, skimage; print(pathlib.Path(skimage.__file__).parent / "data" / "astronaut.png")')"
fi
folder="$("$VENV_PYTHON" -m facedetail_addon scene "$photo" --output "$output" --render)"
echo "result folder: $folder"
echo "scene:         $folder/scene.blend"
echo "preview:       $folder/preview.png"
