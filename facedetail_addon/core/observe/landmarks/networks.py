# SPDX-License-Identifier: GPL-3.0-or-later
"""The two networks of the landmarker as plain torch modules: a face detector and a face mesh with attention.

Both are stacks of one block (depthwise 3×3, pointwise 1×1, residual). The layer sizes are those of MediaPipe's
``face_detection_short_range`` and ``face_landmark_with_attention`` (Apache-2.0), whose weights they load.
Papers: Bazarevsky et al., BlazeFace (2019); Grishchenko et al., Attention Mesh (2020).
"""

import torch
from torch import nn
from torch.nn import functional as F

from ...io.networks import pad_same
from .mesh_points import EYE_CORNERS, LEFT_EYE, LIPS, MOUTH_CORNERS, RIGHT_EYE

DETECTOR_INPUT = 128
MESH_INPUT = 192
_ATTENTION_GRID = 16
_CROP_PIXELS_PER_CELL = 4  # of the 48 × 48 features the attention heads sample


class Stem(nn.Module):
    """First convolution, stride 2."""

    def __init__(self, out_channels: int, kernel: int, activation: nn.Module):
        super().__init__()
        self.kernel = kernel
        self.convolution = nn.Conv2d(3, out_channels, kernel, stride=2)
        self.activation = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.activation(self.convolution(pad_same(x, self.kernel, 2)))


class Block(nn.Module):
    """activation(skip + pointwise(depthwise(x))); the skip is max-pooled and zero-padded in channels as needed."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, activation: nn.Module):
        super().__init__()
        self.stride = stride
        self.extra_channels = out_channels - in_channels
        self.depthwise = nn.Conv2d(in_channels, in_channels, 3, stride, padding=stride % 2, groups=in_channels)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)
        self.activation = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skip, padded = (F.max_pool2d(x, 2), pad_same(x, 3, 2)) if self.stride == 2 else (x, x)
        if self.extra_channels:
            skip = F.pad(skip, (0, 0, 0, 0, 0, self.extra_channels))
        return self.activation(skip + self.pointwise(self.depthwise(padded)))


def _relu(_channels: int) -> nn.Module:
    return nn.ReLU()


def blocks_of(in_channels: int, plan: str, activation=nn.PReLU) -> nn.Sequential:
    """Blocks by a plan such as ``"16 32/2 32"``: output channels, ``/2`` halves the resolution."""
    blocks = []
    for item in plan.split():
        channels, _, stride = item.partition("/")
        blocks.append(Block(in_channels, int(channels), int(stride or 1), activation(int(channels))))
        in_channels = int(channels)
    return nn.Sequential(*blocks)


class FaceDetector(nn.Module):
    """Short-range BlazeFace: 128² picture to 896 anchors, each a box with six keypoints and a score."""

    def __init__(self):
        super().__init__()
        self.stem = Stem(24, 5, nn.ReLU())
        self.fine = blocks_of(24, "24 28 32/2 36 42 48/2 56 64 72 80 88", _relu)
        self.coarse = blocks_of(88, "96/2 96 96 96 96", _relu)
        self.fine_scores = nn.Conv2d(88, 2, 1)
        self.coarse_scores = nn.Conv2d(96, 6, 1)
        self.fine_boxes = nn.Conv2d(88, 2 * 16, 1)
        self.coarse_boxes = nn.Conv2d(96, 6 * 16, 1)

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, 3, 128, 128) in −1..1 to boxes (B, 896, 16) in pixels relative to anchors and scores (B, 896), logits."""
        fine = self.fine(self.stem(pictures))  # (B, 88, 16, 16)
        coarse = self.coarse(fine)  # (B, 96, 8, 8)
        batch = len(pictures)
        boxes = [_channels_last(t).reshape(batch, -1, 16) for t in (self.fine_boxes(fine), self.coarse_boxes(coarse))]
        scores = [_channels_last(t).reshape(batch, -1) for t in (self.fine_scores(fine), self.coarse_scores(coarse))]
        return torch.cat(boxes, 1), torch.cat(scores, 1)


def _channels_last(x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, 2, 3, 1)


class Points(nn.Module):
    """Blocks, a squeeze to 32 channels, one more block, and one convolution over the whole remaining grid."""

    def __init__(self, in_channels: int, plan: str, grid: int, outputs: int):
        super().__init__()
        self.blocks = blocks_of(in_channels, plan)
        self.squeeze = nn.Sequential(nn.Conv2d(128, 32, 1), nn.PReLU(32))
        self.last_block = Block(32, 32, 1, nn.PReLU(32))
        self.points = nn.Conv2d(32, outputs, grid)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self.last_block(self.squeeze(self.blocks(x)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.points(self.features(x)).flatten(1)


def attention_window(mesh: torch.Tensor, subset: tuple[int, ...], corners: tuple[int, int]) -> torch.Tensor:
    """Where an attention head looks: (B, 2, 3) affine map from crop px seen by the head to crop px.

    A box around ``subset``, turned so that the line between ``corners`` is level, 1.5 times enlarged, is what the
    head sees as 64 × 64 pixels (its 16 × 16 grid).
    """
    across = mesh[:, corners[1]] - mesh[:, corners[0]]
    angle = torch.atan2(across[:, 1], across[:, 0])
    cos, sin = torch.cos(angle), torch.sin(angle)
    turn = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)  # (B, 2, 2)
    level = mesh[:, list(subset)] @ turn  # (B, N, 2), turned by -angle
    low, high = level.amin(1), level.amax(1)
    side = _CROP_PIXELS_PER_CELL * _ATTENTION_GRID
    linear = turn * (1.5 * (high - low) / side)[:, None, :]
    center = (turn @ ((low + high) / 2)[:, :, None])[:, :, 0]
    return torch.cat([linear, (center - linear.sum(2) * side / 2)[:, :, None]], 2)


def look(features: torch.Tensor, window: torch.Tensor) -> torch.Tensor:
    """Sample features (B, C, 48, 48) bilinearly in a window to (B, C, 16, 16), zeros outside."""
    steps = torch.arange(_ATTENTION_GRID, dtype=features.dtype, device=features.device) + 0.5
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    cells = torch.stack([x, y], 2).reshape(1, -1, 2) * _CROP_PIXELS_PER_CELL
    places = to_crop(cells, window) / MESH_INPUT * 2 - 1
    return F.grid_sample(features, places.reshape(-1, _ATTENTION_GRID, _ATTENTION_GRID, 2), align_corners=False)


def to_crop(points: torch.Tensor, window: torch.Tensor) -> torch.Tensor:
    """Points (B, N, 2) of an attention head to crop px."""
    return points @ window[:, :, :2].transpose(1, 2) + window[:, None, :, 2]


class FaceMesh(nn.Module):
    """Attention mesh: 192² face crop to 468 points in 3D, finer lips, eyes and irises in 2D, and a face flag."""

    def __init__(self):
        super().__init__()
        self.stem = Stem(16, 3, nn.PReLU(16))
        self.early = blocks_of(16, "16 16 32/2")  # its 48² output also feeds the three attention heads
        self.mesh = Points(32, "32 32 64/2 64 64 128/2 128 128 128/2 128 128 128/2 128 128", 3, 468 * 3)
        self.face_flag = nn.Conv2d(32, 1, 3)
        self.lips_trunk, self.right_eye_trunk, self.left_eye_trunk = (
            blocks_of(32, "32 32 64/2 64 64 128/2") for _ in range(3)
        )
        branch = "128 128 128/2 128 128"
        self.lips = Points(128, branch, 2, len(LIPS) * 2)
        self.right_eye, self.left_eye = (Points(128, branch, 2, len(RIGHT_EYE) * 2) for _ in range(2))
        self.right_iris, self.left_iris = (Points(128, branch, 2, 5 * 2) for _ in range(2))

    def outline(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The mesh alone: points (B, 468, 3), face flag (B,) and the features for the attention heads."""
        early = self.early(self.stem(crops))  # (B, 32, 48, 48)
        features = self.mesh.features(early)  # (B, 32, 3, 3)
        return self.mesh.points(features).reshape(-1, 468, 3), self.face_flag(features).flatten(), early

    def forward(self, crops: torch.Tensor) -> dict[str, torch.Tensor]:
        """(B, 3, 192, 192) in 0..1 to points in crop pixels.

        Returns:
            ``mesh`` (B, 468, 3); ``lips`` (B, 80, 2); ``right_eye``, ``left_eye`` (B, 71, 2); ``right_iris``,
            ``left_iris`` (B, 5, 2), all in crop pixels, the subject's right and left; ``face_flag`` (B,) logit.
        """
        mesh, flag, early = self.outline(crops)
        result = {"mesh": mesh, "face_flag": flag}
        right_eye = {"right_eye": self.right_eye, "right_iris": self.right_iris}
        left_eye = {"left_eye": self.left_eye, "left_iris": self.left_iris}
        for subset, corners, trunk, heads in (
            (LIPS, MOUTH_CORNERS, self.lips_trunk, {"lips": self.lips}),
            (RIGHT_EYE, EYE_CORNERS[0], self.right_eye_trunk, right_eye),
            (LEFT_EYE, EYE_CORNERS[1], self.left_eye_trunk, left_eye),
        ):
            window = attention_window(mesh[..., :2], subset, corners)
            shared = trunk(look(early, window))  # (B, 128, 4, 4)
            for name, head in heads.items():
                result[name] = to_crop(head(shared).reshape(len(crops), -1, 2), window)
        return result
