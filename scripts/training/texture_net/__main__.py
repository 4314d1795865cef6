# SPDX-License-Identifier: GPL-3.0-or-later
"""Learn to complete skin from the cache's skins (``scripts.training.delit_skins``), and ship; what was stopped goes on.

    FACEDETAIL_DATA=… python -m scripts.training.texture_net [--network texels] [--steps 1600]
    python -m scripts.training.texture_net --network latent --steps 1200   that with a code that is fitted
    python -m scripts.training.texture_net --network graph --steps 300     that on the graph, which stays here
    python -m scripts.training.texture_net --network linear                principal components alone, measured beside
    python -m scripts.training.texture_net --begin shipped                 from the network that ships, not from nothing
    python -m scripts.training.texture_net --only ship                     the cache's network as it is now

Checkpoints and networks lie in the cache. One thread; a second and a half a step, twice that of the graph, less of
the latent one, which grows.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from facedetail_addon.core.assets.shipped import WEIGHTS_DIR
from facedetail_addon.core.errors import AssetError
from facedetail_addon.core.face_model.library import BUILTIN, load_named_model
from facedetail_addon.core.skin import texture_latent, texture_net
from facedetail_addon.core.skin.texture_latent import TextureLatent
from facedetail_addon.core.skin.texture_net import LARGE, SIDE, TextureNet
from facedetail_addon.core.uv.atlas import make_atlas
from scripts.harness import CACHE, description, errors_told, progress, whole_file
from scripts.training.albedo_basis.people import read_excluded
from scripts.training.delit_skins.store import FOLDER
from scripts.training.texture_net.graph import TextureGraph
from scripts.training.texture_net.learning import AT_ONCE, Growth, held_out_errors, train
from scripts.training.texture_net.linear import LinearSkin, begin_as_components, learn_components
from scripts.training.texture_net.losses import IdentityLoss, gradient_penalty
from scripts.training.texture_net.skins import Skins
from scripts.training.weights import save_network

ROOT = CACHE / "texture_net"
STAGES = ("learn", "ship")
TEXELS, LATENT, GRAPH, LINEAR = NETWORKS = ("texels", "latent", "graph", "linear")
RANDOM, SHIPPED = BEGINNINGS = ("random", "shipped")
FILES = {
    TEXELS: (TextureNet, texture_net.load_texture_net, texture_net.WEIGHTS),
    LATENT: (TextureLatent, texture_latent.load_texture_latent, texture_latent.WEIGHTS),
}
"""Networks that ship: how they are made, how they are loaded, and the names of their files."""
GROWTH = {LATENT: Growth(((0.0, 128), (0.3, 256), (0.6, LARGE)), 0.6)}
COMPONENTS = 96


@errors_told()
def main() -> None:
    parser = description(__doc__)
    parser.add_argument("--network", choices=NETWORKS, default=TEXELS)
    parser.add_argument("--steps", type=int, default=1600)
    parser.add_argument("--begin", choices=BEGINNINGS, default=RANDOM, help="weights to begin with")
    parser.add_argument("--only", choices=STAGES, help="one stage alone")
    options = parser.parse_args()
    if options.begin == SHIPPED and options.network not in FILES:
        parser.error(f"Only {' and '.join(FILES)} ship.")
    torch.set_num_threads(1)
    ROOT.mkdir(parents=True, exist_ok=True)
    if options.only != "ship":
        _learn(options.network, options.steps, options.begin)
    if options.only != "learn" and options.network in FILES:
        _ship(options.network)


def _learn(kind: str, steps: int, begin: str) -> None:
    skins = Skins(FOLDER, frozenset(row["skin"] for row in read_excluded()))
    if not skins.shown:
        raise AssetError(f"There are no skins in {FOLDER}.", "python -m scripts.training.delit_skins makes them.")
    if kind == LINEAR:
        progress(f"held out: {held_out_errors(LinearSkin(*learn_components(skins, SIDE, COMPONENTS)), skins)}")
        return
    network = FILES[kind][1]().requires_grad_(True).train() if begin == SHIPPED else untrained(kind)
    network.pattern.copy_(torch.from_numpy(mean_pattern(skins)))
    if kind == LATENT and begin == RANDOM:
        begin_as_components(network, skins)
    identity = IdentityLoss.on(load_named_model(BUILTIN))
    how = gradient_penalty if kind == GRAPH else None, GROWTH.get(kind, AT_ONCE)
    average = train(network, skins, identity, ROOT / f"run_{kind}_{begin}_{steps}.pt", steps, *how)
    with whole_file(_trained(kind)) as unfinished:
        torch.save(average.state_dict(), unfinished)


def untrained(kind: str) -> nn.Module:
    """One of NETWORKS that learns in steps, with random weights."""
    if kind in FILES:
        return FILES[kind][0]()
    model = load_named_model(BUILTIN)
    return TextureGraph(model, make_atlas(model, LARGE))


def _trained(kind: str) -> Path:
    return ROOT / f"{kind}.pt"


def mean_pattern(skins: Skins) -> np.ndarray:
    """(3, 256, 256) float32 mean of log albedo beside the tone of the shown skins and their mirror images."""
    total, weights = np.zeros((3, SIDE, SIDE)), np.full((1, SIDE, SIDE), 1e-3)
    for name in skins.shown:
        log, weight, _ = skins.skin(name)
        part = torch.from_numpy(np.concatenate([(log * weight[..., None]).transpose(2, 0, 1), weight[None]]))
        small = F.interpolate(part[None], (SIDE, SIDE), mode="area")[0].numpy()
        total += small[:3] + small[:3, :, ::-1]
        weights += small[3:] + small[3:, :, ::-1]
    return (total / weights).astype(np.float32)


def _ship(kind: str) -> None:
    make, _, name = FILES[kind]
    network = make()
    try:
        network.load_state_dict(torch.load(_trained(kind), weights_only=True, map_location="cpu"))
    except (OSError, RuntimeError) as error:
        raise AssetError(f"{ROOT} holds no network that can ship: {error}.", "Train it first.") from error
    save_network(network, WEIGHTS_DIR / name)


if __name__ == "__main__":
    main()
