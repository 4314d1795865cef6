# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos against Cycles' pictures of what was made of them, beside the same skin in even light and without light."""

import tempfile
from pathlib import Path

import bpy
import cv2
import numpy as np
from scipy.optimize import minimize_scalar

from facedetail_addon.core.colour import to_linear, to_srgb8
from facedetail_addon.core.errors import NoFaceError, PhotoError
from facedetail_addon.core.face_model.model import FACE_REGIONS, FaceModel
from facedetail_addon.core.pipeline import reconstruct
from facedetail_addon.core.rendering.primary_rays import trace_image
from facedetail_addon.core.result.record import Reconstruction
from facedetail_addon.scene.build.scene import build_scene
from facedetail_addon.scene.render import render_scene
from scripts.benchmark.appearance.measure import PhotoErrors, psnr, ssim
from scripts.benchmark.appearance.settings import SETTINGS, load_models

RENDER, FLAT, UNLIT = "photo's light", "even light", "no light"
LOOKS = (RENDER, FLAT, UNLIT)
SKIN, WITH_EYES = "skin", "with eyes and mouth"
MASKS = (SKIN, WITH_EYES)
_LONGEST_PX = 540
_SAMPLES = {RENDER: 24, FLAT: 12, UNLIT: 4}
_BRIGHTNESS = (0.02, 20.0)


def measure_photo(photo: tuple[str, Path], threads: int, keep: Path | None = None) -> PhotoErrors | None:
    """Reconstruct, build the scene, render through the photo's camera; None where no face is found.

    Args:
        photo: (group, file). threads: of Cycles. keep: a folder for a strip of pictures per photo.
    """
    group, path = photo
    models = load_models()
    try:
        found = reconstruct(path, models, SETTINGS, lambda _text, _done: None)
    except (NoFaceError, PhotoError):
        return None
    looks, target = render_looks(found, models.model, threads)
    region = region_image(models.model, found, target.shape[1::-1])
    masks = {name: eroded(mask) for name, mask in face_masks(models.model, region).items()}
    if keep is not None:
        strip = np.hstack([target, *looks.values()])
        cv2.imwrite(str(keep / f"{group}_{path.parent.name}_{path.stem}.png"), strip[..., ::-1])
    return PhotoErrors(
        group=group,
        name=f"{path.parent.name}/{path.stem}",
        psnr={look: {m: psnr(image, target, masks[m]) for m in MASKS} for look, image in looks.items()},
        ssim={look: {m: ssim(image, target, masks[m]) for m in MASKS} for look, image in looks.items()},
        regions_db={
            name: psnr(looks[RENDER], target, own)
            for place, name in enumerate(models.model.region_names)
            if name in FACE_REGIONS and (own := eroded(region == place)).any()
        },
        radiance=found.record.light.radiance,
        codes=tuple(notice.code for notice in found.record.notices),
    )


def render_looks(found: Reconstruction, model: FaceModel, threads: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Pictures by look, brightness of the baselines fitted to the photo, and the photo, all (h, w, 3) uint8.

    Where the head is not, they show the photo.
    """
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    scene.render.threads_mode, scene.render.threads = "FIXED", threads
    head = build_scene(found, model, scene=scene)
    percentage = min(100, max(1, int(100 * _LONGEST_PX / max(found.maps["photo"].shape[:2]))))
    prepare = {RENDER: lambda: None, FLAT: lambda: _even_light(scene), UNLIT: lambda: _no_light(scene)}
    rendered = {}
    with tempfile.TemporaryDirectory() as folder:
        for look in LOOKS:
            prepare[look]()
            path = Path(folder) / f"{LOOKS.index(look)}.png"
            render_scene(path, head, scene=scene, samples=_SAMPLES[look], percentage=percentage)
            rendered[look] = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., [2, 1, 0, 3]]
    height, width = rendered[RENDER].shape[:2]
    target = cv2.resize(found.maps["photo"], (width, height), interpolation=cv2.INTER_AREA)
    mask = eroded(face_masks(model, region_image(model, found, (width, height)))[SKIN])
    out = {}
    for look, picture in rendered.items():
        color = picture[..., :3]
        if look != RENDER:
            color = best_brightness(color, target, mask)
        alpha = picture[..., 3:].astype(np.float32) / 255
        out[look] = (color * alpha + target * (1 - alpha) + 0.5).astype(np.uint8)
    return out, target


def best_brightness(picture: np.ndarray, target: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture with its light made stronger or weaker, as near to the target as that alone can bring it.

    Args:
        picture, target: (H, W, 3) uint8 sRGB. mask: (H, W) bool, where to look.
    """
    linear, wanted = to_linear(picture[mask]), target[mask].astype(np.float64)

    def error(exponent: float) -> float:
        return float(np.mean((to_srgb8(linear * np.exp(exponent)) - wanted) ** 2))

    found = minimize_scalar(error, bounds=tuple(np.log(_BRIGHTNESS)), method="bounded", options={"xatol": 1e-3})
    return to_srgb8(to_linear(picture) * np.float32(np.exp(found.x)))


def region_image(model: FaceModel, found: Reconstruction, size: tuple[int, int]) -> np.ndarray:
    """(h, w) int: region of the skin that each pixel sees, −1 other parts and sockets, −2 nothing of the head."""
    kinds = []
    for part in model.parts:
        triangles = part.triangles()
        kind = np.full(len(triangles), -1)
        if part is model.skin:
            socket = model.in_region("socket")[triangles].any(axis=1)
            kind = np.where(socket, -1, model.region[triangles[:, 0]].astype(int))
        kinds.append(kind)
    triangles = model.triangles()
    hits = trace_image(found.record.pose.vertices, triangles, found.record.pose.perspective, size)
    kind = np.append(np.concatenate(kinds), -2)  # a miss is the last
    return kind[hits.triangle].reshape(size[1], size[0])


def face_masks(model: FaceModel, region: np.ndarray) -> dict[str, np.ndarray]:
    """(h, w) bool by name of mask, from :func:`region_image`: the face's skin, and with what lies in its openings."""
    skin = np.isin(region, [model.region_names.index(name) for name in FACE_REGIONS])
    return {SKIN: skin, WITH_EYES: skin | (region == -1)}


def eroded(mask: np.ndarray) -> np.ndarray:
    """Without the pixels at its border, which may show two things."""
    return cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0


def _even_light(scene: bpy.types.Scene) -> None:
    world = bpy.data.worlds.new("even")
    world.use_nodes = True
    background = next(node for node in world.node_tree.nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    background.inputs["Strength"].default_value = 1.0
    scene.world = world
    for item in scene.objects:
        item.hide_render |= item.type == "LIGHT"


def _no_light(scene: bpy.types.Scene) -> None:
    """Every material shines in its own base colour."""
    for item in scene.objects:
        if item.type == "MESH":
            for slot in item.material_slots:
                # Nothing reflects: a tree of all triangles as lamps would take long and light nothing.
                slot.material.cycles.emission_sampling = "NONE"
                _shine(slot.material.node_tree)


def _shine(tree: bpy.types.NodeTree) -> None:
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    emission = tree.nodes.new("ShaderNodeEmission")
    color = shader.inputs["Base Color"]
    emission.inputs["Color"].default_value = color.default_value
    for link in color.links:
        tree.links.new(link.from_socket, emission.inputs["Color"])
    output = next(node for node in tree.nodes if node.type == "OUTPUT_MATERIAL")
    tree.links.new(emission.outputs["Emission"], output.inputs["Surface"])
