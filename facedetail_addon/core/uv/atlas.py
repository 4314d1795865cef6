# SPDX-License-Identifier: GPL-3.0-or-later
"""What texture work needs of a face model, made once for many photos."""

from ..face_model.model import FaceModel
from ..geometry.mesh_fields import mesh_laplacian, vertex_areas
from .mirror import mirror_embedding
from .raster import rasterise_uv
from .types import Atlas


def make_atlas(model: FaceModel, resolution: int) -> Atlas:
    """The canonical UV of a model with R = ``resolution`` texels per side (half a second at 2048)."""
    triangles = model.skin.triangles()
    rest = model.skin.of(model.mean)
    return Atlas(
        raster=rasterise_uv(model.skin, resolution),
        triangles=triangles,
        mirror=mirror_embedding(model),
        laplacian=mesh_laplacian(rest, triangles),
        areas=vertex_areas(rest, triangles),
    )
