# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stages need of a face model alone, whatever photo comes: made once, and kept in the user's folder.

Second-long work at large textures. Files are told apart by the geometry and layout of the model's skin, by the code of
the core and by the versions of the libraries that compute with it, so that what is read is what would be made, bit for
bit. They are read as a whole, not mapped: a mapped file that a disk no longer gives ends the process.
"""

import hashlib
import platform
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import scipy
from scipy.sparse import csc_matrix

from .detail.space import DetailSpace, make_detail_space
from .face_model.model import FaceModel, PointEmbedding
from .io.array_cache import CACHE, ArrayCache, Arrays
from .refine.prior import FormPrior, form_prior
from .rendering.types import SkinGloss
from .skin.gloss import skin_gloss
from .uv.atlas import atlas_with
from .uv.raster import rasterise_uv
from .uv.types import Atlas, UVRaster

COARSE_TEXELS, SMALL_TEXELS = 128, 512
_SKIN_FIELDS = {
    "areas": np.float64, "order": np.int64, "roughness": np.float32, "specular": np.float32,
    "form_sigma_mm": np.float64, "allowed": np.float32, "lined": np.float32, "brows": np.float32, "beard": np.float32,
}  # fmt: skip


@dataclass(frozen=True)
class ModelParts:
    """Of one model.

    Attributes:
        atlas: at the texture's resolution. coarse_atlas, small_atlas: with 128 and 512 texels per side.
    """

    atlas: Atlas
    coarse_atlas: Atlas
    small_atlas: Atlas
    gloss: SkinGloss
    form_prior: FormPrior
    detail_space: DetailSpace


def model_parts(model: FaceModel, resolution: int, user_folder: Path | None = None) -> ModelParts:
    """Of a model, for textures with so many texels per side; ``user_folder``: None where nothing is to be kept."""
    cache = cache_of(model, user_folder)
    rasters = [_raster(model, side, cache) for side in (resolution, COARSE_TEXELS, SMALL_TEXELS)]
    skin = cache.arrays("skin", partial(_make_skin, model, rasters[1]), partial(_check_skin, model))
    count = model.skin.stop
    atlas = Atlas(
        raster=rasters[0],
        triangles=model.skin.triangles(),
        mirror=PointEmbedding(skin["mirror_vertices"], skin["mirror_weights"]),
        laplacian=csc_matrix(tuple(skin[f"laplacian_{part}"] for part in ("data", "rows", "starts")), (count, count)),
        areas=skin["areas"],
        order=skin["order"],
    )
    atlas.surroundings  # noqa: B018  made while memory is free, for it needs much of it
    return ModelParts(
        atlas,
        *(replace(atlas, raster=raster) for raster in rasters[1:]),
        SkinGloss(skin["roughness"], skin["specular"]),
        FormPrior(skin["form_sigma_mm"]),
        DetailSpace(*(skin[name] for name in ("allowed", "lined", "brows", "beard")), model.skin, skin["uv_areas"]),
    )


def cache_of(model: FaceModel, user_folder: Path | None) -> ArrayCache:
    """Where what is made from a model's skin is kept; nowhere if there is no folder, or no source code to tell by."""
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    if user_folder is None or not sources:
        return ArrayCache(None, "")
    digest, skin = hashlib.sha256(), model.skin
    marks = model.landmarks68
    for array in (model.mean, skin.faces, skin.uv, skin.face_uv, model.region, marks.vertices, marks.weights):
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array))
    versions = np.__version__, scipy.__version__, cv2.__version__, platform.machine(), platform.system()
    digest.update(repr((model.region_names, skin.start, skin.stop, versions)).encode())
    for path in sources:
        digest.update(path.read_bytes())
    return ArrayCache(user_folder / CACHE, digest.hexdigest())


def _make_skin(model: FaceModel, raster: UVRaster) -> Arrays:
    atlas, gloss, space = atlas_with(raster, model), skin_gloss(model), make_detail_space(model)
    laplacian = atlas.laplacian
    return {
        "mirror_vertices": atlas.mirror.vertices,
        "mirror_weights": atlas.mirror.weights,
        "laplacian_data": laplacian.data,
        "laplacian_rows": laplacian.indices,
        "laplacian_starts": laplacian.indptr,
        "areas": atlas.areas,
        "order": atlas.order,
        "roughness": gloss.roughness,
        "specular": gloss.specular,
        "form_sigma_mm": form_prior(model, atlas).sigma_mm,
        "uv_areas": space.uv_areas,
        **{name: getattr(space, name) for name in ("allowed", "lined", "brows", "beard")},
    }


def _check_skin(model: FaceModel, arrays: Arrays) -> None:
    count, entries = model.skin.stop, len(arrays["laplacian_data"])
    for name, dtype in _SKIN_FIELDS.items():
        _require(arrays[name], (count,), dtype)
    _require(arrays["uv_areas"], (len(model.skin.triangles()),), np.float64)
    _require(arrays["mirror_vertices"], (count, 3), np.int32, count)
    _require(arrays["mirror_weights"], (count, 3), np.float32)
    _require(arrays["laplacian_data"], (entries,), np.float64)
    _require(arrays["laplacian_rows"], (entries,), np.int32, count)
    _require(arrays["laplacian_starts"], (count + 1,), np.int32, entries + 1)
    if (np.diff(arrays["laplacian_starts"]) < 0).any() or arrays["laplacian_starts"][[0, -1]].tolist() != [0, entries]:
        raise ValueError("its Laplacian is none")
    if not np.array_equal(np.sort(arrays["order"]), np.arange(count)):
        raise ValueError("its order is none")


def _raster(model: FaceModel, side: int, cache: ArrayCache) -> UVRaster:
    def make() -> Arrays:
        raster = rasterise_uv(model.skin, side)
        return {"covered": np.packbits(raster.covered), "index": raster.index, "weights": raster.weights}

    arrays = cache.arrays(f"raster{side}", make, partial(_check_raster, len(model.skin.triangles()), side))
    covered = np.unpackbits(arrays["covered"], count=side * side).view(bool).reshape(side, side)
    return UVRaster(covered, arrays["index"], arrays["weights"])


def _check_raster(triangles: int, side: int, arrays: Arrays) -> None:
    covered, index, weights = arrays["covered"], arrays["index"], arrays["weights"]
    _require(covered, (-(-side * side // 8),), np.uint8)
    count = int(np.unpackbits(covered, count=side * side).sum())
    _require(index, (count,), np.uint16 if index.dtype == np.uint16 else np.int32, triangles)
    _require(weights, (count, 2), np.uint16)
    if not UVRaster.whole(weights):
        raise ValueError("its weights are more than the whole")


def _require(array: np.ndarray, shape: tuple[int, ...], dtype: type, below: int | None = None) -> None:
    """Raises ValueError where it is not of that shape and type, not finite, or an index that is not below a count."""
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(f"it holds {array.dtype} {array.shape} for {np.dtype(dtype)} {shape}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError("it holds values that are not finite")
    if below is not None and array.size and not 0 <= array.min() <= array.max() < below:
        raise ValueError("it holds indices of nothing")
