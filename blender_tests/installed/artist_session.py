# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist does with the zip, run by a Python that has Blender and nothing else. Prints one JSON object.

python artist_session.py ZIP PHOTO OUTPUT
"""

import contextlib
import importlib
import io
import json
import sys

import bpy

NAME = "bl_ext.user_default.facedetail"


def main(archive: str, photo: str, output: str) -> dict:
    bpy.ops.extensions.package_install_files(
        filepath=archive, repo="user_default", enable_on_install=True, overwrite=True
    )
    addon = importlib.import_module(NAME)
    facts = {
        "enabled": NAME in bpy.context.preferences.addons,
        "addon": addon.__file__,
        "torch": importlib.util.find_spec("torch").origin,
        "numpy": importlib.util.find_spec("numpy").origin,
        "results": str(sys.modules[NAME + ".preferences"].chosen_results_directory(bpy.context)),
    }
    for run in ("first", "second"):
        facts[run] = sorted(bpy.ops.facedetail.reconstruct(filepath=photo, output=output, resolution="512"))
        facts[run + "_pid"] = bpy.types.FACEDETAIL_OT_reconstruct.worker.pid
    facts["torch_in_blender"] = "torch" in sys.modules
    facts["heads"] = [item.name for item in bpy.data.collections if item.name.startswith("FaceDetail")]
    skin = next(item for item in bpy.data.objects if item.name.endswith("skin"))
    facts["keys"] = len(skin.data.shape_keys.key_blocks)
    facts["emotion"] = skin.parent[importlib.import_module(NAME + ".names").EMOTION_PROPERTY]
    facts["camera"] = bpy.context.scene.camera.name
    return facts


if __name__ == "__main__":
    # Blender prints its progress to standard output, which is for the answer.
    with contextlib.redirect_stdout(io.StringIO()):
        answer = main(*sys.argv[1:])
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
