# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the converted networks with the originals (called by ``--verify``).

1. Every part of both networks without custom operators, in the TFLite interpreter (ai-edge-litert), on the same input.
2. With mediapipe installed: the whole attention mesh, custom operators included, in MediaPipe's own interpreter.
3. With mediapipe installed: the whole pipeline on photos.

Both sides hold the same half-precision weights (the originals are stored so) and compute in single precision.
"""

import importlib.util
import os
from pathlib import Path

import cv2
import numpy as np
import torch

from facedetail_addon.core.observe.landmarks.landmarker import MEDIAPIPE, MeshLandmarker
from facedetail_addon.core.observe.landmarks.mesh_points import EYE_CORNERS, LEFT_EYE, LIPS, MOUTH_CORNERS, RIGHT_EYE
from facedetail_addon.core.observe.landmarks.networks import attention_window, look
from facedetail_addon.core.observe.region import shrink
from scripts.training.tflite import interpret, read_graph
from scripts.training.verification_pictures import verification_pictures

RAW_LIMIT = 1e-3
PHOTO_LIMIT_PX = 0.3
LONGEST_PHOTO = 900
OUTPUTS = {  # ours: (MediaPipe's name, which says what is left in the picture, and number of points)
    "mesh": ("output_mesh_identity", 468),
    "lips": ("output_lips", 80),
    "right_eye": ("output_left_eye", 71),
    "left_eye": ("output_right_eye", 71),
    "right_iris": ("output_left_iris", 5),
    "left_iris": ("output_right_iris", 5),
}


def verify(detector_path: Path, mesh_path: Path, photos: list[Path]) -> int:
    """Print a table of the largest differences; 1 when one exceeds its limit, else 0."""
    pictures = [shrink(picture, LONGEST_PHOTO) for picture in verification_pictures(photos)]
    landmarker = MeshLandmarker.load(MEDIAPIPE)
    crops = _face_crops(landmarker, pictures)
    torch.set_num_threads(1)
    with torch.inference_mode():
        rows = _compare_detector(landmarker, detector_path, pictures)
        rows += _compare_mesh_parts(landmarker, mesh_path, crops)
        if importlib.util.find_spec("mediapipe"):
            rows += _compare_attention(landmarker, crops)
            rows += _compare_photos(landmarker, pictures)
    print("| what | largest difference | limit |\n|---|---|---|")
    for name, difference, limit in rows:
        print(f"| {name} | {difference:.2g} | {limit:g} |")
    return int(any(difference > limit for _name, difference, limit in rows))


def _face_crops(landmarker: MeshLandmarker, pictures: list[np.ndarray]) -> np.ndarray:
    """(N, 192, 192, 3) uint8: up to 20 faces as the mesh network sees them, and the first one shifted to the border."""
    crops = []
    for picture in pictures[:20]:
        for face in landmarker.find(picture)[:1]:
            low, high = face.mesh_px[:, :2].min(0), face.mesh_px[:, :2].max(0)
            side = int(1.5 * (high - low).max())
            corner = ((low + high - side) / 2).astype(int)
            padded = cv2.copyMakeBorder(picture, side, side, side, side, cv2.BORDER_REPLICATE)
            crop = padded[corner[1] + side : corner[1] + 2 * side, corner[0] + side : corner[0] + 2 * side]
            crops.append(cv2.resize(crop, (192, 192)))
    return np.stack([*crops, np.roll(crops[0], (70, -60), (0, 1))])


def _cut(path: Path, inputs: list[int], outputs: list[int]) -> bytes:
    """The TFLite model reduced to what leads from some tensors to others."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    graph = model.subgraphs[0]
    wanted, kept = set(outputs), []
    for operator in reversed(graph.operators):
        if set(operator.outputs) & (wanted - set(inputs)):
            kept.append(operator)
            wanted |= set(operator.inputs)
    graph.operators, graph.inputs, graph.outputs = kept[::-1], inputs, outputs
    model.signatureDefs = None
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _compare_detector(landmarker: MeshLandmarker, path: Path, pictures: list[np.ndarray]) -> list[tuple]:
    graph = read_graph(path)
    model = _cut(path, [0], [graph.output_names["regressors"], graph.output_names["classificators"]])
    worst = np.zeros(2)
    for picture in pictures:
        value = cv2.resize(picture, (128, 128)).astype(np.float32)[None] / 127.5 - 1
        boxes, scores = landmarker.detector(torch.from_numpy(value).permute(0, 3, 1, 2))
        theirs = interpret(model, [value])
        worst = np.maximum(worst, [np.abs(boxes - theirs[0]).max(), np.abs(scores - theirs[1][..., 0]).max()])
    return [("detector boxes, px of 128", worst[0], RAW_LIMIT), ("detector scores, logits", worst[1], RAW_LIMIT)]


def _compare_mesh_parts(landmarker: MeshLandmarker, path: Path, crops: np.ndarray) -> list[tuple]:
    graph, network = read_graph(path), landmarker.mesh
    windows = [o for o in graph.operators if o.kind == "TransformTensorBilinear"]
    mesh_and_flag = [graph.output_names["output_mesh_identity"], graph.output_names["conv_faceflag"]]
    trunk_model = _cut(path, [0], [*mesh_and_flag, windows[0].inputs[0]])
    heads = [  # in the order of the windows: lips, picture-left eye, picture-right eye
        (LIPS, MOUTH_CORNERS, network.lips_trunk, {"lips": network.lips}),
        (RIGHT_EYE, EYE_CORNERS[0], network.right_eye_trunk,
         {"right_eye": network.right_eye, "right_iris": network.right_iris}),
        (LEFT_EYE, EYE_CORNERS[1], network.left_eye_trunk,
         {"left_eye": network.left_eye, "left_iris": network.left_iris}),
    ]  # fmt: skip
    worst = dict.fromkeys((*OUTPUTS, "face_flag", "features"), 0.0)
    head_models = {}
    for window, (*_look, parts) in zip(windows, heads, strict=True):
        for name in parts:
            moved = graph.producer(graph.producer(graph.output_names[OUTPUTS[name][0]]).inputs[0])
            head_models[name] = _cut(path, [window.outputs[0]], [moved.inputs[0]])
    for crop in crops:
        value = crop[None].astype(np.float32) / 255
        mesh, flag, early = network.outline(torch.from_numpy(value).permute(0, 3, 1, 2))
        theirs = interpret(trunk_model, [value])
        ours = [mesh.flatten(), flag, early.permute(0, 2, 3, 1).flatten()]
        for name, a, b in zip(("mesh", "face_flag", "features"), ours, theirs, strict=True):
            worst[name] = max(worst[name], np.abs(a.numpy() - b.ravel()).max())
        for subset, corners, trunk, parts in heads:
            seen = look(early, attention_window(mesh[..., :2], subset, corners))
            for name, head in parts.items():
                theirs = interpret(head_models[name], [seen.permute(0, 2, 3, 1).numpy()])[0]
                worst[name] = max(worst[name], np.abs(head(trunk(seen)).numpy().ravel() - theirs.ravel()).max())
    return [(f"mesh network, {name}, interpreter", value, RAW_LIMIT) for name, value in worst.items()]


def _compare_attention(landmarker: MeshLandmarker, crops: np.ndarray) -> list[tuple]:
    worst = dict.fromkeys(OUTPUTS, 0.0)
    for crop in crops:
        ours = landmarker.mesh(torch.from_numpy(crop[None]).permute(0, 3, 1, 2).float() / 255)
        theirs = _mediapipe_raw(crop)
        for name in OUTPUTS:
            a = ours[name][0].numpy()
            worst[name] = max(worst[name], np.abs(a - theirs[name][:, : a.shape[1]]).max())
    return [(f"mesh network, {name}, MediaPipe with custom operators", v, RAW_LIMIT) for name, v in worst.items()]


def _mediapipe_raw(crop: np.ndarray) -> dict[str, np.ndarray]:
    """MediaPipe's raw outputs for a 192² crop, by a graph of its own calculators."""
    import mediapipe
    from google.protobuf import text_format
    from mediapipe.framework import calculator_pb2
    from mediapipe.python import packet_creator, packet_getter
    from mediapipe.python._framework_bindings import calculator_graph

    order = ["mesh", "lips", "right_eye", "left_eye", "right_iris", "left_iris"]
    splits = " ".join(f'output_stream: "t{i}"' for i in range(7))
    ranges = " ".join(f"ranges {{ begin: {i} end: {i + 1} }}" for i in range(7))
    text = f"""input_stream: "image"
    node {{ calculator: "TfLiteCustomOpResolverCalculator" output_side_packet: "OP_RESOLVER:op" }}
    node {{ calculator: "ImageToTensorCalculator" input_stream: "IMAGE:image" output_stream: "TENSORS:in"
      options {{ [mediapipe.ImageToTensorCalculatorOptions.ext] {{
        output_tensor_width: 192 output_tensor_height: 192 output_tensor_float_range {{ min: 0 max: 1 }} }} }} }}
    node {{ calculator: "InferenceCalculatorCpu" input_stream: "TENSORS:in" output_stream: "TENSORS:out"
      input_side_packet: "OP_RESOLVER:op" options {{ [mediapipe.InferenceCalculatorOptions.ext] {{
        model_path: "mediapipe/modules/face_landmark/face_landmark_with_attention.tflite"
        delegate {{ xnnpack {{ }} }} }} }} }}
    node {{ calculator: "SplitTensorVectorCalculator" input_stream: "out" {splits}
      options {{ [mediapipe.SplitVectorCalculatorOptions.ext] {{ {ranges} }} }} }}"""
    for i, name in enumerate(order):
        text += f"""
    node {{ calculator: "TensorsToLandmarksCalculator" input_stream: "TENSORS:t{i}"
      output_stream: "NORM_LANDMARKS:{name}" options {{ [mediapipe.TensorsToLandmarksCalculatorOptions.ext] {{
        num_landmarks: {OUTPUTS[name][1]} input_image_width: 192 input_image_height: 192 }} }} }}
    output_stream: "{name}\""""
    found: dict[str, np.ndarray] = {}

    def receive(name: str, packet) -> None:
        found[name] = np.array([[p.x, p.y, p.z] for p in packet_getter.get_proto(packet).landmark]) * 192

    config = text_format.Parse(text, calculator_pb2.CalculatorGraphConfig())
    previous = Path.cwd()
    os.chdir(Path(mediapipe.__file__).parents[1])  # MediaPipe looks for its model below the working folder
    try:
        graph = calculator_graph.CalculatorGraph(graph_config=config)
        for name in order:
            graph.observe_output_stream(name, lambda _stream, packet, name=name: receive(name, packet))
        graph.start_run()
        frame = packet_creator.create_image_frame(data=crop, image_format=mediapipe.ImageFormat.SRGB)
        graph.add_packet_to_input_stream("image", frame.at(1))
        graph.close_all_packet_sources()
        graph.wait_until_done()
    finally:
        os.chdir(previous)
    return found


def _compare_photos(landmarker: MeshLandmarker, pictures: list[np.ndarray]) -> list[tuple]:
    from mediapipe.python.solutions.face_mesh import FaceMesh

    differences, missing = [], 0
    with FaceMesh(static_image_mode=True, max_num_faces=1, refine_landmarks=True) as reference:
        for picture in pictures:
            theirs = reference.process(picture).multi_face_landmarks
            size = np.array(picture.shape[1::-1])
            ours = landmarker.find(picture)
            if not theirs or not ours:
                missing += bool(theirs) != bool(ours)
                continue
            points = np.array([[p.x, p.y] for p in theirs[0].landmark]) * size
            differences.append(min(np.abs(face.mesh_px[:, :2] - points).max() for face in ours))
    return [
        (f"whole pipeline on {len(differences)} photos, px", max(differences), PHOTO_LIMIT_PX),
        ("photos where only one of both finds a face", missing, 0),
    ]
