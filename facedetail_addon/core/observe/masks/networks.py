# SPDX-License-Identifier: GPL-3.0-or-later
"""The segmentation networks, loaded once for many photos."""

from dataclasses import dataclass
from pathlib import Path

from ...assets.shipped import WEIGHTS_DIR, find_weights
from ...io.networks import load_network
from .glasses_net import GlassesNet
from .hair_net import HairNet
from .person_net import PersonNet

PERSON_WEIGHTS = "person_segmentation.safetensors"
HAIR_WEIGHTS = "hair_segmentation.safetensors"
GLASSES_WEIGHTS = "glasses_net.safetensors"


@dataclass(frozen=True)
class MaskNetworks:
    """Which pixels show a person, which show hair, and which glasses."""

    person: PersonNet
    hair: HairNet
    glasses: GlassesNet

    @classmethod
    def load(cls, directory: Path = WEIGHTS_DIR) -> "MaskNetworks":
        """The shipped weights.

        Raises:
            AssetError: a weight file is missing or damaged.
        """
        return cls(
            load_network(PersonNet(), find_weights(PERSON_WEIGHTS, directory)),
            load_network(HairNet(), find_weights(HAIR_WEIGHTS, directory)),
            load_network(GlassesNet(), find_weights(GLASSES_WEIGHTS, directory)),
        )
