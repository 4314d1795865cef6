# SPDX-License-Identifier: GPL-3.0-or-later
"""What usd-core finds in a USD file at its start time, as JSON: python usd_pxr.py FILE."""

import json
import sys

import numpy as np
from pxr import Gf, Usd, UsdGeom, UsdShade, UsdSkel, Vt


def main(path: str) -> dict[str, object]:
    stage = Usd.Stage.Open(path)
    time = stage.GetStartTimeCode()
    metres = UsdGeom.GetStageMetersPerUnit(stage)
    meshes = [prim for prim in stage.Traverse() if prim.IsA(UsdGeom.Mesh)]
    mesh = max(meshes, key=lambda prim: len(UsdGeom.Mesh(prim).GetPointsAttr().Get(time)))
    binding = UsdSkel.BindingAPI(mesh)
    targets = binding.GetBlendShapeTargetsRel().GetTargets()
    tokens = list(binding.GetBlendShapesAttr().Get() or [])
    shapes = {target.name: UsdSkel.BlendShape(stage.GetPrimAtPath(target)) for target in targets}
    channels = dict(zip(tokens, [target.name for target in targets], strict=True))
    skeleton = UsdSkel.Skeleton(stage.GetPrimAtPath(binding.GetSkeletonRel().GetTargets()[0]))
    animation = UsdSkel.Animation(
        stage.GetPrimAtPath(UsdSkel.BindingAPI(skeleton).GetAnimationSourceRel().GetTargets()[0])
    )
    given = animation.GetBlendShapeWeightsAttr().Get(time)
    values = {
        channels[token]: float(v)
        for token, v in zip(animation.GetBlendShapesAttr().Get(), given, strict=True)
        if token in channels
    }
    points = np.array(UsdGeom.Mesh(mesh).GetPointsAttr().Get(time), float)
    for name, value in values.items():
        if value:
            _add(points, shapes[name], value)
    jaw = np.zeros_like(points)
    if "jawOpen" in shapes:
        _add(jaw, shapes["jawOpen"], 1.0)
    joints = [str(joint).rpartition("/")[2] for joint in skeleton.GetJointsAttr().Get() or []]
    weights = None
    primvar = binding.GetJointWeightsPrimvar()
    if primvar and primvar.HasValue():
        weights = float(np.abs(np.array(primvar.Get()).reshape(-1, primvar.GetElementSize()).sum(axis=1) - 1).max())
        points = _skinned(skeleton, mesh, points)
    else:
        joints = []
    transform = np.array(UsdGeom.Xformable(mesh).ComputeLocalToWorldTransform(time))
    world = points @ transform[:3, :3] + transform[3, :3]
    names = UsdGeom.PrimvarsAPI(mesh)
    region = names.GetPrimvar("_region")
    pictures = {
        str(UsdShade.Shader(prim).GetInput("file").Get().path)
        for prim in stage.Traverse()
        if prim.IsA(UsdShade.Shader)
        and UsdShade.Shader(prim).GetInput("file").Get()
        and UsdShade.Shader(prim).GetInput("file").Get().resolvedPath
    }
    return {
        "meshes": len(meshes),
        "faces": len(UsdGeom.Mesh(mesh).GetFaceVertexCountsAttr().Get()),
        "keys": sorted(shapes),
        "values": {name: round(value, 4) for name, value in values.items() if abs(value) > 1e-4},
        "jaw_mm": float(np.linalg.norm(jaw @ transform[:3, :3], axis=1).max()) * metres * 1000,
        "joints": sorted(joints),
        "weights": None if weights is None else round(weights, 4),
        "regions": len(set(np.unique(region.Get()).tolist()) - {-1.0}) if region and region.HasValue() else 0,
        "pictures": sorted(pictures),
        "box_mm": sorted(np.round(np.ptp(world, axis=0) * metres * 1000, 1).tolist()),
    }


def _add(points: np.ndarray, shape: UsdSkel.BlendShape, value: float) -> None:
    offsets = np.array(shape.GetOffsetsAttr().Get(), float)
    indices = shape.GetPointIndicesAttr().Get()
    points[slice(None) if not indices else np.array(indices)] += value * offsets


def _skinned(skeleton: UsdSkel.Skeleton, mesh: Usd.Prim, points: np.ndarray) -> np.ndarray:
    """As the skeleton rests, which must not move the mesh."""
    cache = UsdSkel.Cache()
    root = UsdSkel.Root.Find(mesh)
    cache.Populate(root, Usd.PrimDefaultPredicate)
    query, skinning = cache.GetSkelQuery(skeleton), cache.GetSkinningQuery(mesh)
    transforms = query.ComputeSkinningTransforms(Usd.TimeCode.Default())
    moved = Vt.Vec3fArray([Gf.Vec3f(*point) for point in points.tolist()])
    skinning.ComputeSkinnedPoints(transforms, moved, Usd.TimeCode.Default())
    return np.array(moved, float)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
