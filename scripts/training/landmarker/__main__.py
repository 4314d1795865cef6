# SPDX-License-Identifier: GPL-3.0-or-later
"""Convert MediaPipe's face detector and attention face mesh to the safetensors that ship with FaceDetail.

    python -m scripts.training.landmarker                    download the mediapipe 0.10.21 wheel and convert
    python -m scripts.training.landmarker --wheel FILE       convert from a wheel already at hand
    python -m scripts.training.landmarker --verify [PHOTO …] compare the shipped weights with the originals

Verification needs ``pip install ai-edge-litert`` (TFLite interpreter); with ``mediapipe==0.10.21`` installed as well it
compares the whole pipeline on the photos given (scikit-image's astronaut is always included). The wheel's licence is
Apache-2.0 (``LICENSES/Apache-2.0.txt``).
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR
from scripts.harness import description
from scripts.training.landmarker.conversion import convert_detector, convert_mesh
from scripts.training.landmarker.verification import verify
from scripts.training.weights import save_network

PACKAGE = "mediapipe==0.10.21"
DETECTOR_FILE = "mediapipe/modules/face_detection/face_detection_short_range.tflite"
MESH_FILE = "mediapipe/modules/face_landmark/face_landmark_with_attention.tflite"


def download_wheel(folder: Path) -> Path:
    """Fetch the wheel from the Python package index (any platform's holds the same networks)."""
    command = [sys.executable, "-m", "pip", "download", PACKAGE, "--no-deps", "--dest", str(folder)]
    subprocess.run(
        command + ["--only-binary=:all:", "--python-version=3.11", "--platform=manylinux_2_28_x86_64"], check=True
    )
    return next(folder.glob("mediapipe-*.whl"))


def unpack_networks(wheel: Path, folder: Path) -> tuple[Path, Path]:
    """Take the two .tflite files out of the wheel: (detector, mesh)."""
    with zipfile.ZipFile(wheel) as archive:
        return tuple(Path(archive.extract(name, folder)) for name in (DETECTOR_FILE, MESH_FILE))


def write(network: torch.nn.Module, path: Path) -> None:
    """Write half-precision weights (the originals are half precision, so nothing is lost) and register the file."""
    if any(not torch.equal(value.half().float(), value) for value in network.state_dict().values()):
        raise ValueError(f"{path.name} would lose precision")
    save_network(network, path, {"source": f"{PACKAGE}, Apache-2.0"})


def main() -> int:
    parser = description(__doc__)
    parser.add_argument("--wheel", type=Path, help="a mediapipe 0.10.21 wheel; downloaded when not given")
    parser.add_argument("--verify", nargs="*", type=Path, metavar="PHOTO", help="compare, do not convert")
    parser.add_argument("--output", type=Path, default=WEIGHTS_DIR, help="folder for the weights")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        wheel = arguments.wheel or download_wheel(Path(scratch))
        detector_path, mesh_path = unpack_networks(wheel, Path(scratch))
        if arguments.verify is not None:
            return verify(detector_path, mesh_path, arguments.verify)
        write(convert_detector(detector_path), arguments.output / "face_detector.safetensors")
        write(convert_mesh(mesh_path), arguments.output / "face_mesh.safetensors")
    return 0


if __name__ == "__main__":
    sys.exit(main())
