# SPDX-License-Identifier: GPL-3.0-or-later
"""The sheet of people in clay."""

import cv2
import numpy as np
import pytest

from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.observe.landmarks.landmarker import MeshLandmarker
from scripts.benchmark.clay_sheet import CELL, YAWS, camera_at, in_clay, sheet, write_sheet

NOSE_TIP, CHIN = 30, 8


def test_neutral_heads_turn_towards_the_lamp(model):
    marks = model.landmarks68.points(model.mean).astype(np.float64)
    front, aside, profile = (camera_at(yaw).project(marks) for yaw in YAWS)
    assert abs(front[NOSE_TIP, 0] - CELL / 2) < 3
    assert profile[NOSE_TIP, 0] < aside[NOSE_TIP, 0] - 10 < front[NOSE_TIP, 0] - 20
    for px in (front, aside, profile):
        assert (px > 0).all() and (px < CELL).all() and px[NOSE_TIP, 1] < px[CHIN, 1]


def test_relief_is_seen_in_the_clay_only_where_it_is(model):
    rough = np.full((256, 256, 3), 32768, np.uint16)
    rough[..., 2] = 65535
    flat = rough.copy()
    rough[..., 0] += np.random.default_rng(1).integers(0, 20000, (256, 256)).astype(np.uint16)
    smooth, as_smooth, rougher = (in_clay(model.mean, model, camera_at(0), normal) for normal in (None, flat, rough))
    assert np.abs(smooth.astype(int) - as_smooth).max() <= 2
    assert np.abs(smooth.astype(int) - rougher).mean() > 2
    assert (smooth[..., :1] == smooth).all()


def test_people_stand_in_two_columns_and_nobody_is_lost():
    rows = [np.full((CELL, 5 * CELL, 3), shade, np.uint8) for shade in (10, 20, 30)]
    picture = sheet(rows)
    assert picture.shape[0] == 2 * CELL and picture.shape[1] > 10 * CELL
    corners = picture[[5, CELL + 5, 5, CELL + 5], [5, 5, -5, -5], 0]
    assert corners.tolist() == [10, 20, 30, 255]


def test_a_face_is_where_its_clay_is(data_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("FACEDETAIL_DATA", str(data_dir))
    write_sheet(tmp_path / "one.jpg", ("male-7",), relief=False)
    picture = cv2.imread(str(tmp_path / "one.jpg"))[..., ::-1]
    photo, posed, front = (np.ascontiguousarray(picture[:CELL, i * CELL :][:, :CELL]) for i in range(3))
    (face, *_), (same, *_), (neutral, *_) = (MeshLandmarker.load().find(cell) for cell in (photo, posed, front))
    assert np.linalg.norm(face.mesh_px[:468, :2] - same.mesh_px[:468, :2], axis=1).mean() < 6
    assert abs(neutral.yaw_deg) < 5
    colour = [np.ptp(cell[:, 16:].astype(int), axis=2).max() for cell in (photo, posed)]  # JPEG's runs over the border
    assert colour[1] <= 6 < colour[0]


def test_a_portrait_that_is_not_there_is_named(data_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("FACEDETAIL_DATA", str(data_dir))
    with pytest.raises(AssetError, match="nobody-1"):
        write_sheet(tmp_path / "one.jpg", ("nobody-1",), relief=False)
    with pytest.raises(AssetError, match=r"one\.png"):
        write_sheet(tmp_path / "one.png", ("male-7",), relief=False)
