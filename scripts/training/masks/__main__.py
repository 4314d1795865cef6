# SPDX-License-Identifier: GPL-3.0-or-later
"""Convert MediaPipe's segmentation of people and of hair to the safetensors that ship with FaceDetail.

    python -m scripts.training.masks                    download the mediapipe 0.10.21 wheel and convert
    python -m scripts.training.masks --wheel FILE       convert from a wheel already at hand
    python -m scripts.training.masks --verify [PHOTO …] compare the shipped weights with the originals

The wheel holds the network for people; the one for hair is read from ``$FACEDETAIL_DATA/networks``, or from ``--hair``.
Verification needs ``pip install ai-edge-litert`` (TFLite interpreter). The licence of both networks is Apache-2.0
(``LICENSES/Apache-2.0.txt``).
"""

import sys
import tempfile
from pathlib import Path

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR
from facedetail_addon.core.observe.masks.hair_net import HairNet
from facedetail_addon.core.observe.masks.networks import HAIR_WEIGHTS, PERSON_WEIGHTS
from facedetail_addon.core.observe.masks.person_net import PersonNet
from scripts.harness import data_folder, description, errors_told
from scripts.training.masks.conversion import convert
from scripts.training.masks.verification import verify
from scripts.training.mediapipe_wheel import SOURCE, unpack
from scripts.training.weights import save_network

PERSON_FILE = "mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite"
HAIR_FILE = "hair_segmentation.tflite"


def main() -> int:
    parser = description(__doc__)
    parser.add_argument("--wheel", type=Path, help="a mediapipe 0.10.21 wheel; downloaded when not given")
    parser.add_argument("--hair", type=Path, help=f"MediaPipe's {HAIR_FILE}")
    parser.add_argument("--verify", nargs="*", type=Path, metavar="PHOTO", help="compare, do not convert")
    parser.add_argument("--output", type=Path, default=WEIGHTS_DIR, help="folder for the weights")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, errors_told():
        hair_path = arguments.hair or data_folder(HAIR_FILE) / "networks" / HAIR_FILE
        (person_path,) = unpack((PERSON_FILE,), arguments.wheel, Path(scratch))
        if arguments.verify is not None:
            return verify(person_path, hair_path, arguments.verify)
        save_network(convert(person_path, PersonNet()), arguments.output / PERSON_WEIGHTS, SOURCE, exact=True)
        source = {"source": f"{HAIR_FILE} of MediaPipe, Apache-2.0"}
        save_network(convert(hair_path, HairNet()), arguments.output / HAIR_WEIGHTS, source, exact=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
