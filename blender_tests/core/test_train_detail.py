# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the detail networks: patches in few bytes, their symmetries, losses, the basis, held-out heads."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from facedetail_addon.core.detail.dfdn import BASIS_SIDE, COEFFICIENTS, DFDN, PATCH, shading_change
from facedetail_addon.core.detail.inputs import DetailInputs
from scripts.training.detail_net import basis as basis_module
from scripts.training.detail_net.basis import begin_with_projection, pca_basis
from scripts.training.detail_net.batches import Batch, Patches, _turned, make_batch
from scripts.training.detail_net.losses import HEIGHT_MM, hint_loss, reconstruction_loss, supervised_loss
from scripts.training.detail_net.make_set import _windows
from scripts.training.detail_net.patches import HELD_OUT, LIMIT, MEDIUM, SMOOTH, STEP_MM, encode
from scripts.training.detail_net.patches import PATCH as STORED
from scripts.training.detail_net.validation import calibrate

WHOLE = (slice(0, PATCH), slice(0, PATCH))


def soft_noise(rng: np.random.Generator, sigma: float, spread: float, side: int = PATCH) -> np.ndarray:
    noise = cv2.GaussianBlur(rng.normal(size=(side, side)).astype(np.float32), (0, 0), sigma)
    return (noise - noise.mean()) * np.float32(spread / noise.std())


def example(seed: int = 0, side: int = PATCH) -> tuple[DetailInputs, np.ndarray, np.ndarray]:
    """Inputs whose value is what the relief does to the shading, medium and fine relief in mm."""
    rng = np.random.default_rng(seed)
    medium, fine = soft_noise(rng, 14.0, 0.15, side), soft_noise(rng, 1.5, 0.01, side)
    light_x, light_y = 0.3 + soft_noise(rng, 50.0, 0.3, side), -0.5 + soft_noise(rng, 50.0, 0.3, side)
    change = shading_change(as_tensor(medium + fine), as_tensor(light_x, light_y))[0, 0].numpy()
    inputs = DetailInputs(
        value=change.clip(-LIMIT, LIMIT), chroma=soft_noise(rng, 4.0, 1.0, side).clip(-LIMIT, LIMIT),
        light_x=light_x, light_y=light_y, direct_fraction=soft_noise(rng, 60.0, 0.2, side).clip(0, 1),
        mask=np.ones((side, side), np.float32), level=rng.uniform(size=(side, side)).astype(np.float32),
        resolvable_mm=np.full((side, side), 0.2, np.float32),
        lined=np.zeros((side, side), np.float32), beard=np.zeros((side, side), np.float32),
        shading=np.zeros((side, side), np.float32), metric=np.ones((side, side, 3), np.float32),
        unseen=np.zeros((side, side), np.float32),
    )  # fmt: skip
    return inputs, medium, fine


def as_tensor(*channels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.stack(channels)[None])


def encoded(seeds: range, mask: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Stacked arrays of several patches."""
    parts = []
    for seed in seeds:
        inputs, medium, fine = example(seed)
        parts.append(encode(inputs, inputs.mask if mask is None else mask, medium, fine, WHOLE))
    return {key: np.stack([part[key] for part in parts]) for key in parts[0]}


def test_patches_come_back_as_they_were():
    """Within the steps in which they are kept; what is smooth is kept on fewer samples."""
    inputs, medium, fine = example(3)
    batch = make_batch(encoded(range(3, 4)), None)
    assert STORED == PATCH and MEDIUM == BASIS_SIDE
    assert batch.photo.shape == (1, 6, PATCH, PATCH) and batch.medium.shape == (1, 1, BASIS_SIDE, BASIS_SIDE)
    value, chroma, light_x, light_y, direct_fraction, mask = batch.photo[0].numpy()
    np.testing.assert_allclose(value, inputs.value, atol=0.51 * LIMIT / 127)
    np.testing.assert_allclose(chroma, inputs.chroma, atol=0.51 * LIMIT / 127)
    inner = (slice(8, -8), slice(8, -8))
    for found, wanted in (
        (light_x, inputs.light_x),
        (light_y, inputs.light_y),
        (direct_fraction, inputs.direct_fraction),
    ):
        np.testing.assert_allclose(found[inner], wanted[inner], atol=0.03)
    assert (mask == 1).all() and torch.equal(batch.mask[0, 0], batch.photo[0, 5])
    np.testing.assert_allclose(batch.level[0, 0].numpy(), inputs.level, atol=0.51 / 255)
    np.testing.assert_allclose(batch.total[0, 0].numpy()[inner], (medium + fine)[inner], atol=0.003)
    small = cv2.resize(medium, (BASIS_SIDE, BASIS_SIDE), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(batch.medium[0, 0].numpy(), small, atol=0.51 * STEP_MM)


def test_patches_are_cut_where_they_are_told():
    inputs, medium, fine = example(1, side=400)
    window = (slice(100, 100 + PATCH), slice(40, 40 + PATCH))
    batch = make_batch({k: v[None] for k, v in encode(inputs, inputs.mask, medium, fine, window).items()}, None)
    np.testing.assert_allclose(batch.photo[0, 0].numpy(), inputs.value[window], atol=0.51 * LIMIT / 127)
    inner = (slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(batch.total[0, 0].numpy()[inner], (medium + fine)[window][inner], atol=0.003)


def test_patches_are_small_and_what_is_too_much_is_clipped():
    inputs, medium, fine = example()
    arrays = encode(inputs, inputs.mask, 50 * medium, 500 * fine, WHOLE)
    assert sum(array.nbytes for array in arrays.values()) < 350_000
    assert arrays["light"].shape == (3, SMOOTH, SMOOTH) and arrays["fine"].dtype == np.int16
    most = 32767 * STEP_MM
    decoded = arrays["fine"] * STEP_MM
    assert np.abs(decoded).max() <= most
    np.testing.assert_allclose(decoded, (500 * fine).clip(-most, most), atol=STEP_MM)


def turned(count: int, seed: int) -> tuple[list[Tensor], list[Tensor]]:
    """One patch many times: photo, and relief; as it was and turned."""
    inputs, medium, fine = example(2, side=32)
    photo = as_tensor(inputs.value, inputs.chroma, inputs.light_x, inputs.light_y, inputs.direct_fraction, inputs.mask)
    relief = as_tensor(medium + fine)
    photo[:, :1] = shading_change(relief, photo[:, 2:4])
    pieces = [piece.expand(count, -1, -1, -1) for piece in (photo, relief)]
    return pieces, _turned(pieces, np.random.default_rng(seed))


def test_turning_a_patch_turns_its_light_with_it():
    """The change of shading by the turned relief in the turned light is the turned change: a value channel."""
    before, (photo, relief) = turned(64, 0)
    torch.testing.assert_close(shading_change(relief, photo[:, 2:4]), photo[:, :1], atol=2e-5, rtol=1e-4)
    assert (photo[:, :1] - before[0][:, :1]).abs().max() > 0.1
    assert len({patch.numpy().tobytes() for patch in photo}) == 8, "all symmetries of the square"


def test_turning_leaves_everything_at_its_place():
    """Photo, light's strength and relief stay together, whatever the turn."""
    (photo, relief), (photo_after, relief_after) = turned(16, 1)
    strength, strength_after = photo[:, 2:4].norm(dim=1), photo_after[:, 2:4].norm(dim=1)
    stack = torch.cat([photo[:, [0, 1, 4]], strength[:, None], relief], dim=1)
    after = torch.cat([photo_after[:, [0, 1, 4]], strength_after[:, None], relief_after], dim=1)
    for one, other in zip(stack.flatten(2), after.flatten(2), strict=True):
        order, order_after = (torch.argsort(channels[4]) for channels in (one, other))
        torch.testing.assert_close(one[:, order], other[:, order_after], atol=1e-5, rtol=1e-5)


def test_drawn_batches_explain_their_photos_as_the_patches_do():
    arrays = encoded(range(4))
    plain, drawn = make_batch(arrays, None), make_batch(arrays, np.random.default_rng(0))
    for batch in (plain, drawn):
        left = batch.photo[:, :1] - shading_change(batch.total, batch.photo[:, 2:4])
        assert left[..., 8:-8, 8:-8].square().mean() < 0.01 * batch.photo[:, :1].square().mean()
    assert not torch.equal(plain.photo, drawn.photo)
    small = torch.nn.functional.adaptive_avg_pool2d(drawn.total, BASIS_SIDE)
    assert (small - drawn.medium).std() < 0.1 * drawn.medium.std(), "medium relief was turned with its patch"


def test_the_papers_variant_sees_the_value_less_its_mean_times_two():
    batch = make_batch(encoded(range(2)), None)
    seen = batch.channels("value")
    assert seen.shape == (2, 1, PATCH, PATCH)
    torch.testing.assert_close(seen.mean(dim=(1, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(seen - seen[..., :1, :1], 2 * (batch.level - batch.level[..., :1, :1]))
    assert batch.channels("light") is batch.photo


def masked_batch() -> Batch:
    """Half of each patch shows no skin."""
    mask = np.ones((PATCH, PATCH), np.float32)
    mask[:, PATCH // 2 :] = 0
    return make_batch(encoded(range(2), mask), None)


def grown(small: Tensor) -> Tensor:
    return torch.nn.functional.interpolate(small, size=(PATCH, PATCH), mode="nearest")


def test_truth_has_no_supervised_loss_and_any_error_has():
    batch = masked_batch()
    medium = grown(batch.medium)
    truth = float(supervised_loss(medium, batch.total, batch))
    assert truth == pytest.approx(0, abs=1e-5)
    height = float(supervised_loss(medium, batch.total + 0.02, batch))
    inferred = float(supervised_loss(medium + 0.02, batch.total, batch))
    inverted = float(supervised_loss(-medium, -batch.total, batch))
    nothing = float(supervised_loss(0 * medium, 0 * batch.total, batch))
    assert 0.01 < height < nothing < inverted and 0.01 < inferred < nothing


def test_pdim_begins_with_the_projection_of_its_first_feature_map():
    """Relief of the basis in the hint's unit comes out as its coefficients, whatever the other map holds."""
    rng = np.random.default_rng(5)
    basis = torch.from_numpy(np.stack([soft_noise(rng, 6.0, 0.1, BASIS_SIDE) for _ in range(COEFFICIENTS)]))
    network = DFDN()
    network.basis.copy_(basis)
    coefficients = torch.from_numpy(rng.normal(size=(6, COEFFICIENTS)).astype(np.float32))
    heights = torch.einsum("bk,khw->bhw", coefficients, basis)[:, None]
    heights = torch.nn.functional.interpolate(heights, size=(PATCH, PATCH), mode="nearest") / HEIGHT_MM
    features = torch.cat([heights, torch.zeros_like(heights)], dim=1)
    with torch.no_grad():
        before = network.patch(network.pdim.coefficients(features)) / HEIGHT_MM
        begin_with_projection(network.pdim, basis)
        after = network.patch(network.pdim.coefficients(features)) / HEIGHT_MM
    error_before, error = ((x - heights).square().mean().sqrt() / heights.std() for x in (before, after))
    assert float(error) < 0.2 < 0.9 < float(error_before)


def test_the_hint_is_the_medium_relief():
    """In the unit of the loss, in the first feature map only."""
    batch = masked_batch()
    first = grown(batch.medium) / HEIGHT_MM
    other = torch.full_like(first, 7.0)
    assert float(hint_loss(torch.cat([first, other], dim=1), batch)) == pytest.approx(0, abs=1e-5)
    assert float(hint_loss(torch.cat([0 * first, other], dim=1), batch)) > 0.3
    assert float(hint_loss(torch.cat([other, first], dim=1), batch)) > 1


def test_slopes_count_beside_heights():
    """An error of the same size costs more when it is rough: fine relief is what heights alone forget."""
    batch = masked_batch()
    rng = np.random.default_rng(0)
    rough, smooth = (torch.from_numpy(soft_noise(rng, sigma, 0.02))[None, None] for sigma in (1.0, 30.0))
    medium = grown(batch.medium)
    costs = [supervised_loss(medium, batch.total + error, batch) for error in (rough, smooth)]
    assert costs[0] > 2 * costs[1]


def test_what_shows_no_skin_costs_nothing():
    batch = masked_batch()
    beyond = (torch.nn.functional.max_pool2d(batch.mask, 21, 1, 10) == 0).float()
    assert beyond.mean() > 0.3
    medium, photo = grown(batch.medium) + 5 * beyond, batch.photo.clone()
    assert float(supervised_loss(medium, batch.total - 5 * beyond, batch)) == pytest.approx(0, abs=1e-5)
    before = reconstruction_loss(batch.total, batch)
    photo[:, :1] += 9 * beyond
    other = Batch(photo, batch.level, batch.mask, batch.medium, batch.total)
    assert float(reconstruction_loss(batch.total - 5 * beyond, other)) == pytest.approx(float(before), abs=1e-6)


def test_photos_are_explained_by_the_true_relief_best():
    batch = masked_batch()
    losses = [float(reconstruction_loss(share * batch.total, batch)) for share in (-1.0, 0.0, 0.5, 1.0, 1.5)]
    assert np.argmin(losses) == 3 and losses[3] < 0.2 * losses[1] and losses[0] > 1.5 * losses[1]


def test_losses_can_be_learned_from():
    """A step down each loss' gradient lowers it."""
    batch = masked_batch()
    for loss in (
        lambda relief: supervised_loss(relief, relief, batch),
        lambda relief: reconstruction_loss(relief, batch),
    ):
        relief = (0.5 * batch.total).requires_grad_()
        before = loss(relief)
        (gradient,) = torch.autograd.grad(before, relief)
        with torch.no_grad():
            assert loss(relief - 1e-3 * gradient / gradient.abs().max()) < before


def write_heads(folder: Path, numbers: list[int], patches: list[dict[str, np.ndarray]]) -> None:
    for number, arrays in zip(numbers, patches, strict=True):
        count = len(next(iter(arrays.values()))) if arrays else 0
        np.savez(folder / f"head_{number:05d}.npz", count=np.int32(count), **arrays)


def small_patches(heights: np.ndarray) -> dict[str, np.ndarray]:
    """Patches of a basis: (N, S, S) mm, all skin."""
    return {"medium": np.round(heights / STEP_MM).astype(np.int16), "mask": np.full(heights.shape, 255, np.uint8)}


def test_held_out_heads_are_never_trained_on(tmp_path):
    numbers = [0, 1, HELD_OUT - 1, HELD_OUT, 2 * HELD_OUT - 1]
    write_heads(tmp_path, numbers, [small_patches(np.full((2, 4, 4), 0.01 * number)) for number in numbers])
    training, validation = (Patches("head_*.npz", tmp_path, held_out) for held_out in (False, True))

    def heads(patches: Patches) -> set[int]:
        heights = patches.take(np.arange(len(patches)))["medium"][:, 0, 0] * STEP_MM
        return set(np.round(heights / 0.01).astype(int).tolist())

    assert heads(training) == {0, 1, HELD_OUT} and len(training) == 6
    assert heads(validation) == {HELD_OUT - 1, 2 * HELD_OUT - 1} and len(validation) == 4


def test_new_heads_are_taken_up_once_and_empty_ones_left_out(tmp_path):
    write_heads(tmp_path, [0], [small_patches(np.zeros((3, 4, 4)))])
    patches = Patches("head_*.npz", tmp_path, held_out=False)
    write_heads(tmp_path, [1, 2], [small_patches(np.ones((2, 4, 4))), {}])
    for _ in range(2):
        patches.refresh()
        assert len(patches) == 5
    assert patches.take(np.array([4, 0]))["medium"][:, 0, 0].tolist() == [round(1 / STEP_MM), 0]


def test_amplitude_makes_up_for_what_networks_say_too_faintly(tmp_path):
    """Networks that say the same waves in every patch, on skin whose waves are 1.7 times as high."""
    texel = (np.arange(BASIS_SIDE, dtype=np.float32) + 0.5) * PATCH / BASIS_SIDE
    wave = np.tile(0.1 * np.sin(2 * np.pi * texel / 64), (BASIS_SIDE, 1))
    network = DFDN()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.pdim.connected[-1].bias[0] = 1.0
        network.basis[0] = torch.from_numpy(wave)
        said = network.patch(torch.eye(1, COEFFICIENTS))[0, 0].numpy()
    inputs, _, _ = example()
    patches = [encode(inputs, inputs.mask, 1.7 * said, np.zeros_like(said), WHOLE)] * 3
    write_heads(tmp_path, [HELD_OUT - 1], [{key: np.stack([one[key] for one in patches]) for key in patches[0]}])
    factors = calibrate(network, Patches("head_*.npz", tmp_path, held_out=True), "light")
    np.testing.assert_allclose(factors, 1.7, atol=0.06)  # stored patches are a little smoother than the relief


@pytest.fixture
def wrinkled(tmp_path, monkeypatch) -> tuple[Patches, np.ndarray]:
    """Patches made of three waves, on fewer samples than training's so that the basis takes no time; their heights."""
    side = 16
    monkeypatch.setattr(basis_module, "BASIS_SIDE", side)
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    waves = np.stack([np.cos(2 * np.pi * x), np.sin(2 * np.pi * (x + 2 * y)), np.cos(np.pi * (3 * x - y))])
    amounts = np.random.default_rng(0).normal(size=(400, 3)) * [0.2, 0.1, 0.05]
    heights = np.einsum("nk,khw->nhw", amounts, waves)
    write_heads(tmp_path, [0, 1], [small_patches(heights[:200]), small_patches(heights[200:])])
    return Patches("head_*.npz", tmp_path, held_out=False), heights


def test_the_basis_draws_the_relief_it_is_made_from(wrinkled):
    patches, heights = wrinkled
    basis = pca_basis(patches, np.random.default_rng(1))
    assert basis.shape == (COEFFICIENTS, 16, 16) and basis.dtype == np.float32
    size = np.linalg.norm(basis.reshape(COEFFICIENTS, -1), axis=1)
    assert (np.diff(size) <= 1e-6).all() and size[0] > 0
    real = size > 1e-3 * size[0]
    flat = basis[real].reshape(real.sum(), -1).astype(np.float64)
    unit = flat / size[real, None]
    np.testing.assert_allclose(unit @ unit.T, np.eye(real.sum()), atol=1e-3)
    for given in (heights, -heights, heights[:, ::-1], np.rot90(heights, 1, (1, 2))):
        given = given.reshape(len(heights), -1)
        left = given - given @ unit.T @ unit
        assert np.sqrt((left**2).mean()) < 0.01 * np.sqrt((given**2).mean())


def test_coefficients_of_the_basis_are_about_one(wrinkled):
    """In standard deviations of the wrinkled patches, over all turns and signs."""
    patches, heights = wrinkled
    basis = pca_basis(patches, np.random.default_rng(1)).reshape(COEFFICIENTS, -1).astype(np.float64)
    strong = basis[:4]
    energy = (heights**2).mean(axis=(1, 2))
    picked = heights[energy >= np.quantile(energy, 1 - basis_module._WRINKLED)]
    turns = np.concatenate([np.rot90(part, k, (1, 2)) for part in (picked, picked[..., ::-1]) for k in range(4)])
    coefficients = turns.reshape(len(turns), -1) @ strong.T / (strong**2).sum(axis=1)
    np.testing.assert_allclose(np.sqrt((coefficients**2).mean(axis=0)), 1, atol=0.15)


def test_patches_of_the_set_show_skin():
    mask = np.zeros((600, 700), np.float32)
    mask[150:420, 200:480] = 1
    windows = _windows(mask, np.random.default_rng(0))
    for window in windows:
        assert mask[window].shape == (PATCH, PATCH) and mask[window].mean() > 0.4
    assert len({(rows.start, columns.start) for rows, columns in windows}) > 4
    assert _windows(np.zeros((600, 700), np.float32), np.random.default_rng(0)) == []
