# SPDX-License-Identifier: GPL-3.0-or-later
"""What generators of skin are asked for: the true colours where these are known, edges as sharp as skin has, a picture
that no discriminator tells from real skin, and the same person (Gecer et al. 2019, sections 3.1 and 3.3)."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.interpolate import LinearNDInterpolator
from torch import Tensor, nn
from torch.nn import functional as F

from facedetail_addon.core.face_model.model import FaceModel
from facedetail_addon.core.observe.identity.recognition import Recognition, five_points
from facedetail_addon.core.rendering.normals import vertex_normals

_ROBUST = 0.1  # of log albedo, beyond which errors count less
_PICTURE_PX, _PICTURE_MM = 192, 230.0  # of the face that is looked at for who it is
_PENALTY = 10.0
_FACING = 0.15  # cosine from which on skin is seen from the front


class Discriminator(nn.Module):
    """(B, 5, 512, 512) log albedo beside the tone, where it is true, and what is known, to (B, 1, 16, 16) logits."""

    def __init__(self) -> None:
        super().__init__()
        widths = (5, 16, 32, 48, 64, 64)
        layers: list[nn.Module] = []
        for before, after in zip(widths[:-1], widths[1:], strict=True):
            layers += [nn.utils.spectral_norm(nn.Conv2d(before, after, 4, 2, 1)), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.utils.spectral_norm(nn.Conv2d(widths[-1], 1, 3, padding=1)))

    def forward(self, picture: Tensor) -> Tensor:
        return self.layers(picture)


def pixel_loss(found: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Robust difference (Charbonnier) of (B, 3, h, w), by (B, 1, h, w) weights, and a half of that of its gradients."""
    apart = found - target
    loss = (torch.sqrt(apart**2 + _ROBUST**2) - _ROBUST) * weight
    total = weight.sum().clamp_min(1) * 3
    across, down = apart[..., 1:] - apart[..., :-1], apart[..., 1:, :] - apart[..., :-1, :]
    across = across.abs() * torch.minimum(weight[..., 1:], weight[..., :-1])
    down = down.abs() * torch.minimum(weight[..., 1:, :], weight[..., :-1, :])
    return (loss.sum() + 0.5 * (across.sum() + down.sum())) / total


def shown(picture: Tensor, weight: Tensor, known: Tensor) -> Tensor:
    """What a discriminator sees of (B, 3, 512, 512) log albedo: nothing where nobody knows the truth."""
    return torch.cat([picture * weight, weight, known], dim=1)


def augmented(pictures: tuple[Tensor, ...], generator: torch.Generator) -> tuple[Tensor, ...]:
    """The same change of colour and place for all (Zhao et al. 2020, differentiable augmentation), for data are few."""
    gain = 1 + 0.1 * torch.randn(3, 1, 1, generator=generator)
    offset = 0.1 * torch.randn(3, 1, 1, generator=generator)
    down, across = torch.randint(-24, 25, (2,), generator=generator).tolist()
    flipped = bool(torch.rand(1, generator=generator) < 0.5)
    out = []
    for picture in pictures:
        colour, rest = picture[:, :3], picture[:, 3:]
        changed = torch.cat([(colour * gain + offset) * rest[:, :1], rest], dim=1)
        changed = torch.roll(changed, (down, across), (2, 3))
        out.append(changed.flip(3) if flipped else changed)
    return tuple(out)


def gradient_penalty(real: Tensor, made: Tensor, discriminator: nn.Module) -> Tensor:
    """That of Gulrajani et al. (2017), as Lin et al. (2020) have it, at one random mixture of each pair."""
    share = torch.rand(len(real), 1, 1, 1)
    mixed = (share * real + (1 - share) * made).requires_grad_(True)
    (slope,) = torch.autograd.grad(discriminator(mixed).mean(dim=(1, 2, 3)).sum(), mixed, create_graph=True)
    return _PENALTY * ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()


@dataclass(frozen=True)
class IdentityLoss:
    """Difference of what face recognition sees of two textures on the mean head, from the front and without light.

    Attributes:
        recognition: the network. grid: (1, h, w, 2) places in the texture, −1 to 1. cover: (h, w), where there is
            skin. points_px: (5, 2) of the face in the picture.
    """

    recognition: Recognition
    grid: Tensor
    cover: Tensor
    points_px: Tensor

    @classmethod
    def on(cls, model: FaceModel) -> "IdentityLoss":
        """For textures of the model."""
        rest, triangles = model.skin.of(model.mean), model.skin.triangles()
        front = (vertex_normals(rest, triangles)[:, 2] > _FACING) & ~model.in_region("socket")
        marks = model.landmarks68.points(model.mean)
        middle, scale = marks[:, :2].mean(axis=0), _PICTURE_PX / _PICTURE_MM

        def to_px(points: np.ndarray) -> np.ndarray:
            return ((points[:, :2] - middle) * [1, -1]) * scale + _PICTURE_PX / 2

        steps = np.arange(_PICTURE_PX) + 0.5
        at = np.stack(np.meshgrid(steps, steps), axis=-1)
        uv = LinearNDInterpolator(to_px(rest[front]), model.skin.vertex_uv()[front])(at)
        cover = np.isfinite(uv).all(axis=-1)
        grid = np.where(cover[..., None], np.stack([2 * uv[..., 0] - 1, 1 - 2 * uv[..., 1]], axis=-1), 0)
        return cls(
            Recognition.load(),
            torch.from_numpy(grid.astype(np.float32))[None],
            torch.from_numpy(cover.astype(np.float32)),
            torch.from_numpy(five_points(to_px(marks))),
        )

    def __call__(self, found: Tensor, true: Tensor, tone: Tensor) -> Tensor:
        """Content and descriptor's distance of (B, 3, 512, 512) log albedo beside the tone, (B, 3); of one picture."""
        chips = [self._picture(one + tone[:, :, None, None]) for one in (found, true)]
        points = self.points_px.expand(len(found), -1, -1)
        with torch.no_grad():
            aim, content = self.recognition.embed(chips[1], points), self.recognition.content(chips[1], points)
        embedded, seen = self.recognition.embed(chips[0], points), self.recognition.content(chips[0], points)
        apart = (embedded - aim).norm(dim=1).mean()
        return apart + sum(F.l1_loss(one, other) for one, other in zip(seen, content, strict=True))

    def _picture(self, log_albedo: Tensor) -> Tensor:
        linear = log_albedo.clamp(-6, 0).exp()
        grid = self.grid.expand(len(linear), -1, -1, -1)
        face = F.grid_sample(linear, grid, mode="bilinear", align_corners=False) * self.cover
        return face.clamp_min(1e-4) ** (1 / 2.2)
