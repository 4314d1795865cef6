# SPDX-License-Identifier: GPL-3.0-or-later
"""FER2013's pictures, cut anew by the face mesh's landmarks."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facedetail_addon.core.observe.expression.emotion_net import (
    INPUT,
)
from facedetail_addon.core.observe.expression.face_crop import crop_face
from facedetail_addon.core.observe.expression.types import EMOTIONS
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from scripts.harness import measured, processes, whole_file

# FER2013's pictures are enlarged so much before the mesh looks at them; fainter faces than this flag stay uncut.
ENLARGED = 4
MIN_FLAG = 0.5


@dataclass(frozen=True)
class Split:
    """crops (N, 48, 48) uint8, emotion (N,) int64 index into EMOTIONS, aligned (N,) bool."""

    crops: np.ndarray
    emotion: np.ndarray
    aligned: np.ndarray


def load_split(archive: Path, name: str, cache: Path, jobs: int, step: int = 1) -> Split:
    """One split of FER2013, or every so many of its pictures, cut by landmarks; kept in the cache."""
    whole, path = cache / f"fer2013_{name}.npz", cache / f"fer2013_{name}_{step}.npz"
    if step == 1 or whole.exists():
        path = whole
    if not path.exists():
        members = [entry.filename for entry in list_pictures(archive, name)[::step]]
        chunks = [(str(archive), members[start : start + 500]) for start in range(0, len(members), 500)]
        with processes(jobs) as pool:
            crops, aligned = zip(*measured(pool, cut_chunk, chunks), strict=True)
        emotion = np.array([EMOTIONS.index(member.split("/")[1]) for member in members])
        with whole_file(path) as unfinished:
            np.savez(unfinished, crops=np.concatenate(crops), emotion=emotion, aligned=np.concatenate(aligned))
    kept = slice(None, None, step if path == whole else 1)
    with np.load(path, allow_pickle=False) as arrays:
        return Split(arrays["crops"][kept], arrays["emotion"][kept], arrays["aligned"][kept])


def list_pictures(archive: Path, name: str) -> list[zipfile.ZipInfo]:
    """The archive's entries of one split's pictures, in the order of :class:`Split`."""
    with zipfile.ZipFile(archive) as files:
        entries = [entry for entry in files.infolist() if entry.filename.startswith(f"{name}/")]
    return sorted((e for e in entries if e.filename.endswith(".jpg")), key=lambda entry: entry.filename)


def cut_chunk(job: tuple[str, list[str]]) -> tuple[np.ndarray, np.ndarray]:
    """Crops (N, 48, 48) uint8 of members of the archive, and which of them were cut by landmarks."""
    archive, members = job
    landmarker, crops, aligned = MeshLandmarker.load(), [], []
    with zipfile.ZipFile(archive) as files:
        for member in members:
            picture = cv2.imdecode(np.frombuffer(files.read(member), np.uint8), cv2.IMREAD_GRAYSCALE)
            large = cv2.resize(picture, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
            mesh_px, flag = landmarker.find_in_square(cv2.cvtColor(large, cv2.COLOR_GRAY2RGB))
            aligned.append(flag >= MIN_FLAG)
            crops.append(crop_face(large, mesh_px, INPUT) if aligned[-1] else picture)
    return np.stack(crops), np.array(aligned)
