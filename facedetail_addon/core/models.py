# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is loaded once for many photos: networks, the face model, and what depends on it alone."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from ..settings import AUTO_FIT, FAN_LANDMARKER, GENERATOR, LATENT, NO_DETAIL, SPARSE_FIT, Settings
from .detail.space import DetailSpace
from .detail.synthesis import DetailNet, load_detail_net
from .face_model.calibration import LandmarkCalibration
from .face_model.library import load_named_calibration, load_named_model, named_dictionary
from .face_model.model import FaceModel, PointEmbedding
from .face_model.outline import mesh_offset, outline_paths
from .fit.prepared import PreparedModel, prepare
from .model_parts import model_parts
from .observe.correspondence.finder import CorrespondenceFinder
from .observe.expression.reader import ExpressionReader
from .observe.identity.prior import IdentityReader
from .observe.landmarks.fan import FanLandmarker
from .observe.landmarks.landmarker import MeshLandmarker
from .observe.masks.networks import MaskNetworks
from .parallel import limit_opencv
from .refine.prior import FormPrior
from .rendering.types import SkinGloss
from .skin.native_basis import albedo_basis
from .skin.texture_latent import load_texture_latent
from .skin.texture_net import load_texture_net
from .skin.types import AlbedoBasis
from .uv.types import Atlas

_GENERATORS = {GENERATOR: load_texture_net, LATENT: load_texture_latent}


@dataclass(frozen=True)
class Models:
    """Networks and models in memory.

    ``fan`` is None with the other landmarker, ``prepared`` with the sparse fit, ``outline`` with the dense one,
    ``detail_net`` without relief, ``texture_generator`` where statistics fill in skin. ``offset`` is how far, (68, 3)
    mm, beside the model's 68 landmarks the landmarker in use puts them; None for not at all. ``coarse_atlas`` (128
    texels per side) is for what only vertices are asked of, ``small_atlas`` (512) for what is no finer; ``form_prior``
    is None where heads are never refined, ``identity_reader`` with imported face models.
    """

    landmarker: MeshLandmarker
    fan: FanLandmarker | None
    model: FaceModel
    calibration: LandmarkCalibration
    prepared: PreparedModel | None
    outline: PointEmbedding | None
    offset: np.ndarray | None
    expression_reader: ExpressionReader
    mask_networks: MaskNetworks
    finder: CorrespondenceFinder
    identity_reader: IdentityReader | None
    atlas: Atlas
    coarse_atlas: Atlas
    small_atlas: Atlas
    basis: AlbedoBasis
    gloss: SkinGloss
    form_prior: FormPrior | None
    detail_space: DetailSpace
    detail_net: DetailNet | None
    texture_generator: nn.Module | None

    @classmethod
    def load(cls, settings: Settings, assets: Path | None = None) -> "Models":
        """Load what the settings ask for.

        Args:
            assets: the user's folder with imported face models, FAN's weights and what is kept of a model across
                sessions (:mod:`.model_parts`); None where there is none.

        Raises:
            AssetError: a weight file is missing, damaged or made for another face model.
            FaceModelError: the face model is not installed, is out of date, or is not what it should be.
        """
        limit_opencv()
        landmarker = MeshLandmarker.load()
        fan = FanLandmarker.load(assets) if settings.landmarker == FAN_LANDMARKER else None
        model = load_named_model(settings.face_model, assets)
        calibration = load_named_calibration(settings.face_model, assets)
        dictionary = named_dictionary(settings.face_model, assets)
        parts = model_parts(model, settings.resolution, assets)
        identity = None if _is_sparse(settings) else IdentityReader.load(model)
        smile = identity.regression.smile if identity else None
        prepared = None if _is_sparse(settings) else prepare(model, calibration, smile)
        return cls(
            landmarker=landmarker,
            fan=fan,
            model=model,
            calibration=calibration,
            prepared=prepared,
            outline=outline_paths(model) if _is_sparse(settings) else None,
            offset=None if fan else mesh_offset(model, calibration),
            expression_reader=ExpressionReader.load(model, calibration, dictionary),
            mask_networks=MaskNetworks.load(),
            finder=CorrespondenceFinder.load(),
            identity_reader=identity,
            atlas=parts.atlas,
            coarse_atlas=parts.coarse_atlas,
            small_atlas=parts.small_atlas,
            basis=albedo_basis(model, parts.atlas),
            gloss=parts.gloss,
            form_prior=parts.form_prior if prepared and prepared.photometric else None,
            detail_space=parts.detail_space,
            detail_net=None if settings.detail == NO_DETAIL else load_detail_net(),
            texture_generator=texture_generator(settings.texture),
        )


def texture_generator(texture: str) -> nn.Module | None:
    """What makes skin that the photo does not show, as the setting of that name says; None: statistics do.

    Raises:
        AssetError: a weight file is missing or damaged.
    """
    return _GENERATORS[texture]() if texture in _GENERATORS else None


def _is_sparse(settings: Settings) -> bool:
    return settings.fit == SPARSE_FIT or (settings.fit == AUTO_FIT and settings.landmarker == FAN_LANDMARKER)
