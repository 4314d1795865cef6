# SPDX-License-Identifier: GPL-3.0-or-later
"""Convert dlib's face recognition network to the safetensors that ship with FaceDetail.

    FACEDETAIL_DATA=… python -m scripts.training.recognition [--arrays FILE.npz]

The network (``dlib_face_recognition_resnet_model_v1`` of davisking/dlib-models, CC0) is read as arrays from
``$FACEDETAIL_DATA/networks``, or from ``--arrays``. Affine layers become part of the convolutions before them.
"""

import sys
from pathlib import Path

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR
from facedetail_addon.core.observe.identity.recognition import RECOGNITION_WEIGHTS
from scripts.harness import data_folder, description, errors_told
from scripts.training.recognition.conversion import convert
from scripts.training.weights import save_network

ARRAYS = "identity_dlib.npz"
SOURCE = {"source": "dlib_face_recognition_resnet_model_v1 of davisking/dlib-models, CC0"}


def main() -> int:
    parser = description(__doc__)
    parser.add_argument("--arrays", type=Path, help="the network's arrays")
    parser.add_argument("--output", type=Path, default=WEIGHTS_DIR, help="folder for the weights")
    arguments = parser.parse_args()
    with errors_told():
        path = arguments.arrays or data_folder(ARRAYS) / "networks" / ARRAYS
        save_network(convert(path), arguments.output / RECOGNITION_WEIGHTS, SOURCE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
