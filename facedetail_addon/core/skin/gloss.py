# SPDX-License-Identifier: GPL-3.0-or-later
"""How skin reflects before any photo was looked at, by region of the face.

Roughness: d'Eon and Luebke (2007, GPU Gems 3, chapter 14) summarise the measurements of Weyrich et al. (2006) on 149
faces by a Beckmann slope m = 0.3 for the whole face. GGX with α = m has nearly the same core, and roughness is √α,
0.55. That nose, forehead and lips are smoother and ears and neck duller than cheeks is Weyrich's order of regions; how
much so here is a guess, as are the levels of lips and lids, which are wetter.
"""

import numpy as np

from ..face_model.model import FaceModel
from ..geometry.mesh_fields import mesh_laplacian, smooth_field, vertex_areas
from ..rendering.types import SkinGloss

_DEFAULT = (0.55, 0.5)  # roughness and Specular IOR Level, of cheeks and of regions without a name of ours
_REGIONS = {  # the same elsewhere
    "forehead": (0.52, 0.5),
    "nose": (0.48, 0.5),
    "chin": (0.53, 0.5),
    "mouth": (0.48, 0.5),
    "eyes": (0.50, 0.5),
    "ears": (0.58, 0.45),
    "neck": (0.58, 0.45),
    "scalp": (0.60, 0.35),
    "socket": (0.35, 0.5),
}
_BORDER_MM = 5.0  # over which regions go into each other


def skin_gloss(model: FaceModel) -> SkinGloss:
    """Roughness and specular level of every skin vertex, smooth across the borders of regions."""
    values = np.tile(np.float32(_DEFAULT), (model.skin.stop, 1))
    for name in model.region_names:
        values[model.in_region(name)] = _REGIONS.get(name, _DEFAULT)
    rest, triangles = model.skin.of(model.mean), model.skin.triangles()
    laplacian, areas = mesh_laplacian(rest, triangles), vertex_areas(rest, triangles)
    smooth = smooth_field(laplacian, areas, values, np.ones(len(values)), _BORDER_MM)
    return SkinGloss(smooth[:, 0], smooth[:, 1])
