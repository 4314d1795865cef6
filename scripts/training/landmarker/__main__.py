# SPDX-License-Identifier: GPL-3.0-or-later
"""Convert MediaPipe's face detector and attention face mesh to the safetensors that ship with FaceDetail.

    python -m scripts.training.landmarker                    download the mediapipe 0.10.21 wheel and convert
    python -m scripts.training.landmarker --wheel FILE       convert from a wheel already at hand
    python -m scripts.training.landmarker --verify [PHOTO …] compare the shipped weights with the originals

Verification needs ``pip install ai-edge-litert`` (TFLite interpreter); with ``mediapipe==0.10.21`` installed as well it
compares the whole pipeline on the photos given (scikit-image's astronaut is always included). The wheel's licence is
Apache-2.0 (``LICENSES/Apache-2.0.txt``).
"""

import sys
import tempfile
from pathlib import Path

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR
from scripts.harness import description
from scripts.training.landmarker.conversion import convert_detector, convert_mesh
from scripts.training.landmarker.verification import verify
from scripts.training.mediapipe_wheel import SOURCE, unpack
from scripts.training.weights import save_network

DETECTOR_FILE = "mediapipe/modules/face_detection/face_detection_short_range.tflite"
MESH_FILE = "mediapipe/modules/face_landmark/face_landmark_with_attention.tflite"


def main() -> int:
    parser = description(__doc__)
    parser.add_argument("--wheel", type=Path, help="a mediapipe 0.10.21 wheel; downloaded when not given")
    parser.add_argument("--verify", nargs="*", type=Path, metavar="PHOTO", help="compare, do not convert")
    parser.add_argument("--output", type=Path, default=WEIGHTS_DIR, help="folder for the weights")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        detector_path, mesh_path = unpack((DETECTOR_FILE, MESH_FILE), arguments.wheel, Path(scratch))
        if arguments.verify is not None:
            return verify(detector_path, mesh_path, arguments.verify)
        save_network(
            convert_detector(detector_path), arguments.output / "face_detector.safetensors", SOURCE, exact=True
        )
        save_network(convert_mesh(mesh_path), arguments.output / "face_mesh.safetensors", SOURCE, exact=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
