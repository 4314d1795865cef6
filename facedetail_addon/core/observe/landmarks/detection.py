# SPDX-License-Identifier: GPL-3.0-or-later
"""Find faces: four rotations, a pyramid of tiles for small faces, weighted non-maximum suppression, a second look."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from ..region import Region, shrink
from .networks import DETECTOR_INPUT, FaceDetector

MIN_SCORE = 0.5
_OVERLAP = 0.3  # boxes with a larger intersection over union are the same face
_REGION_SCALE = 1.5  # the mesh network looks at the detector's box enlarged by this
_SECOND_LOOK_SCALE = 2.5  # the second look's picture is the box enlarged by this
_FIRST_LOOK_SCALE = 1.5
_CLEAR_LEAD = 0.15  # of a score over another at the same place
_SAME_TILT = np.radians(45)  # two detections of a face that differ less lead to the same second look
SURE_SCORE = 0.85
_UPRIGHT_LEAD = 0.12  # 100 turned portraits, a third of them relit: an upright rival never led by more than 0.105
_TURNED_AGAINST = np.radians(60)
_SMALL_FACE = 0.2  # where the surest face is below this part of a tile, smaller tiles are searched too
_MIN_TILE = 200  # px; faces of a smaller tile are too small to be of use
_TURNED_LEVELS = 3  # deeper levels, of very many tiles, look at the upright photo only
_MAX_WORKING = 6000  # px; larger photos are searched in a smaller copy
_MAX_LEVELS = 6
_BATCH = 64
_SUSPECT_SCORE = 0.2
_SUSPECT_TILES = (1.5, 1.0, 0.75, 0.5)  # of the photo's longer side


@dataclass(frozen=True)
class Detection:
    """One face of the detector, photo px.

    Attributes:
        box: (4,) float64 x0, y0, x1, y1. keypoints: (6, 2) float64 right eye, left eye, nose, mouth, right ear, left
            ear. score: 0..1.
    """

    box: np.ndarray
    keypoints: np.ndarray
    score: float

    @property
    def side(self) -> float:
        """The box's longer side in px."""
        return float(max(self.box[2] - self.box[0], self.box[3] - self.box[1]))

    def scaled(self, factor: float) -> "Detection":
        """The same face in a photo resized by a factor."""
        return Detection(self.box * factor, self.keypoints * factor, self.score)

    @property
    def angle(self) -> float:
        """How far the eyes' line is turned clockwise, radians."""
        across = self.keypoints[1] - self.keypoints[0]
        return float(np.arctan2(across[1], across[0]))

    @property
    def rotation(self) -> int:
        """Quarter turns counter-clockwise that bring the face closest to upright, 0..3."""
        return round(self.angle / (np.pi / 2)) % 4

    def region(self, scale: float = _REGION_SCALE) -> Region:
        """A square around the box, aligned to the eyes."""
        return Region((self.box[:2] + self.box[2:]) / 2, self.side * scale, self.angle)


def _anchors() -> np.ndarray:
    """(896, 2) centres of the anchors in the unit square: two per cell of 16², six per cell of 8²."""
    rows = []
    for grid, count in ((16, 2), (8, 6)):
        y, x = np.mgrid[:grid, :grid]
        centers = (np.stack([x, y], 2).reshape(-1, 2) + 0.5) / grid
        rows.append(np.repeat(centers, count, axis=0))
    return np.concatenate(rows)


def _raw_candidates(
    network: FaceDetector, pictures: np.ndarray, min_score: float = MIN_SCORE
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(B, 128, 128, 3) uint8 to, per picture, points (N, 8, 2) in the unit square and scores (N,).

    The points are the box's two corners and the six keypoints.
    """
    anchors = _anchors()
    results = []
    for start in range(0, len(pictures), _BATCH):
        batch = torch.from_numpy(pictures[start : start + _BATCH]).permute(0, 3, 1, 2)
        boxes, logits = network(batch.float() / 127.5 - 1)
        scores = torch.sigmoid(logits.clamp(-100, 100)).numpy().astype(np.float64)
        values = boxes.numpy().astype(np.float64).reshape(len(batch), -1, 8, 2) / DETECTOR_INPUT
        for picture_values, picture_scores in zip(values, scores, strict=True):
            keep = picture_scores >= min_score
            center, half = picture_values[keep, 0] + anchors[keep], picture_values[keep, 1] / 2
            keypoints = picture_values[keep, 2:] + anchors[keep, None]
            points = np.concatenate([np.stack([center - half, center + half], 1), keypoints], 1)
            results.append((points, picture_scores[keep]))
    return results


def _turn_back(points: np.ndarray, quarter_turns: int) -> np.ndarray:
    """Points (..., 2) of a unit square turned by ``np.rot90(…, quarter_turns)`` to the square before the turn."""
    for _ in range(quarter_turns):
        points = np.stack([1 - points[..., 1], points[..., 0]], -1)
    return points


def overlap(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of a box (4,) with boxes (N, 4)."""
    size = np.clip(np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2]), 0, None)
    common = size.prod(1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return common / np.maximum(areas + (box[2:] - box[:2]).prod() - common, 1e-12)


def weighted_suppression(points: np.ndarray, scores: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Merge candidates of the same face by their score-weighted mean (BlazeFace, section 3.4).

    Args:
        points: (N, 8, 2), box corners first. scores: (N,).

    Returns:
        Merged points (8, 2) and the best score of each face, best first.
    """
    order = np.argsort(-scores, kind="stable")
    points, scores = points[order], scores[order]
    faces = []
    while len(points):
        boxes = points[:, :2].reshape(-1, 4)
        same = overlap(boxes[0], boxes) > _OVERLAP
        same[0] = True
        faces.append((np.average(points[same], axis=0, weights=scores[same]), float(scores[0])))
        points, scores = points[~same], scores[~same]
    return faces


def look(
    network: FaceDetector,
    image: np.ndarray,
    regions: list[Region],
    rotations: tuple[int, ...],
    half_pixel: bool = True,
    min_score: float = MIN_SCORE,
) -> list[Detection]:
    """Detect in squares of a photo, each turned by several quarter turns; zeros outside the photo.

    Returns:
        Detections, merged over the squares but not over the rotations.
    """
    crops = [region.crop(image, DETECTOR_INPUT, cv2.BORDER_CONSTANT, half_pixel) for region in regions]
    pictures = np.stack([np.rot90(crop, turns) for turns in rotations for crop in crops])
    candidates = iter(_raw_candidates(network, pictures, min_score))
    detections = []
    for turns in rotations:
        points, scores = [], []
        for region in regions:
            found, found_scores = next(candidates)
            points.append(region.to_photo(_turn_back(found, turns)))
            scores.append(found_scores)
        all_points = np.concatenate(points)
        all_points[:, :2] = np.sort(all_points[:, :2], axis=1)  # a turn swaps the box's corners
        for merged, score in weighted_suppression(all_points, np.concatenate(scores)):
            detections.append(Detection(merged[:2].ravel(), merged[2:], score))
    return detections


def redetect(network: FaceDetector, image: np.ndarray, detections: list[Detection]) -> list[Detection]:
    """Detect once more in an upright crop around each face, where the detector is most exact.

    Returns:
        Second detections of the faces that the detector sees again, the right way up.
    """
    regions = [detection.region(_SECOND_LOOK_SCALE) for detection in detections]
    crops = np.stack([region.crop(image, DETECTOR_INPUT, cv2.BORDER_CONSTANT) for region in regions])
    confirmed = [second for second in _seen_again(network, crops, regions, detections) if second is not None]
    return [_right_way_up(network, image, detection) for detection in confirmed]


def _seen_again(
    network: FaceDetector, crops: np.ndarray, regions: list[Region], detections: list[Detection]
) -> list[Detection | None]:
    """What the detector finds in crops of regions at the places of detections."""
    found: list[Detection | None] = []
    for detection, region, (points, scores) in zip(detections, regions, _raw_candidates(network, crops), strict=True):
        second = None
        for merged, score in weighted_suppression(points, scores):
            middle = region.to_photo(merged[:2].mean(0))
            half = float(np.ptp(merged[:2], axis=0).max()) * region.side / 2
            box = np.concatenate([middle - half, middle + half])
            if overlap(detection.box, box[None])[0] > _OVERLAP:
                second = Detection(box, region.to_photo(merged[2:]), score)
                break
        found.append(second)
    return found


def _right_way_up(network: FaceDetector, image: np.ndarray, detection: Detection) -> Detection:
    """A turned detection, or the upright one that is surer at its place once coloured light is taken away.

    Photos are rarely turned, but in red or blue light the detector takes upright faces for turned ones, with scores up
    to 0.86. Without colours and with full contrast it does not: faces that are truly turned lead then, or nearly.
    """
    if detection.rotation == 0:
        return detection
    turned = detection.region(_SECOND_LOOK_SCALE)
    upright = Region(turned.center, turned.side, turned.angle - detection.rotation * np.pi / 2)
    regions = [turned, upright]
    crops = np.stack([_evenly_lit(region.crop(image, DETECTOR_INPUT, cv2.BORDER_CONSTANT)) for region in regions])
    as_found, rival = _seen_again(network, crops, regions, [detection, detection])
    least = (as_found.score if as_found else MIN_SCORE) + _UPRIGHT_LEAD
    return rival if rival and rival.score > least else detection


def _evenly_lit(picture: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 by its brightest channel alone, between its darkest and brightest parts."""
    bright = picture.max(2).astype(np.float32)
    low, high = np.percentile(bright, (2, 98))
    even = np.clip((bright - low) / max(high - low, 1), 0, 1) * 220 + 20
    return np.repeat(even.astype(np.uint8)[..., None], 3, axis=2)


def search(network: FaceDetector, image: np.ndarray) -> list[Detection]:
    """All faces of a photo: the whole picture first, then ever smaller overlapping tiles.

    The first look has a margin around the picture, as the detector needs to see more than the face. The search ends
    with tiles in which the surest face so far is not small, so faces much smaller than that one may be left out.

    Args:
        image: (H, W, 3) uint8 RGB.

    Returns:
        Detections in photo px, best score first, one per face.
    """
    photo_side = max(image.shape[:2])
    image = shrink(image, _MAX_WORKING)
    longest = max(image.shape[:2])
    found: list[Detection] = []
    for level in range(_MAX_LEVELS):
        side = _FIRST_LOOK_SCALE * longest / 2**level
        if level and side < _MIN_TILE:
            break
        rotations = (0, 1, 2, 3) if level < _TURNED_LEVELS else (0,)
        if found:  # people of one photo are the same way up
            rotations = (found[0].rotation,)
        seen = look(network, image, _tiles(image, side), rotations)
        promising = _promising(seen, found)
        if promising:
            found = _one_per_face(found + redetect(network, image, promising))
        if found and found[0].side > _SMALL_FACE * side:
            break
    return [d.scaled(photo_side / longest) for d in _same_way_up(found)]


def suspects(network: FaceDetector, image: np.ndarray) -> list[Detection]:
    """What may be a face in an upright photo, best first: few of these are, and each wants to be proved.

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    longest = max(image.shape[:2])
    small = shrink(image, _MAX_WORKING)
    side = max(small.shape[:2])
    found = [
        detection
        for share in _SUSPECT_TILES
        for detection in look(network, small, _tiles(small, share * side), (0,), min_score=_SUSPECT_SCORE)
    ]
    return [detection.scaled(longest / side) for detection in _one_per_face(found)]


def _same_way_up(detections: list[Detection]) -> list[Detection]:
    """Drop doubtful detections that are turned against the best one: people of one photo are rarely so."""
    return [
        d for d in detections if d.score > SURE_SCORE or np.cos(d.angle - detections[0].angle) > np.cos(_TURNED_AGAINST)
    ]


def _promising(detections: list[Detection], known: list[Detection]) -> list[Detection]:
    """The detections worth a second look: not of a known face, not beaten clearly or told again by a better one."""
    kept: list[Detection] = []
    for detection in sorted(detections, key=lambda d: -d.score):
        rivals = [k for k in kept if overlap(detection.box, k.box[None])[0] > _OVERLAP]
        beaten = any(
            detection.score < k.score - _CLEAR_LEAD or np.cos(detection.angle - k.angle) > np.cos(_SAME_TILT)
            for k in rivals
        )
        if not beaten and not any(overlap(detection.box, k.box[None])[0] > _OVERLAP for k in known):
            kept.append(detection)
    return kept


def _one_per_face(detections: list[Detection]) -> list[Detection]:
    """Keep the best score where boxes overlap or where a smaller one (an eye, a mouth) lies inside a better one."""
    kept: list[Detection] = []
    for detection in sorted(detections, key=lambda d: -d.score):
        center = (detection.box[:2] + detection.box[2:]) / 2
        inside = any((center > k.box[:2]).all() and (center < k.box[2:]).all() for k in kept)
        if not inside and not (kept and overlap(detection.box, np.stack([k.box for k in kept])).max() > _OVERLAP):
            kept.append(detection)
    return kept


def _tiles(image: np.ndarray, side: float) -> list[Region]:
    """Squares of a side that cover a picture and overlap by a third; one around the middle where it is smaller."""
    height, width = image.shape[:2]

    def middles(length: int) -> np.ndarray:
        if length <= side:
            return np.array([length / 2])
        count = int(np.ceil(1.5 * (length - side) / side)) + 1
        return np.linspace(side / 2, length - side / 2, count)

    return [Region(np.array([x, y]), side) for y in middles(height) for x in middles(width)]
