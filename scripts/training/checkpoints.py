# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that were stopped go on: the state of all their parts after so many steps, in one file."""

from pathlib import Path
from typing import Any

import torch

from scripts.harness import whole_file


def resume(checkpoint: Path, parts: dict[str, Any]) -> int:
    """Give each part its state in the file; returns how many steps were done, 0 where there is no file."""
    if not checkpoint.exists():
        return 0
    saved = torch.load(checkpoint, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(saved[name])
    return saved["step"]


def keep(checkpoint: Path, parts: dict[str, Any], step: int) -> None:
    """Write the state of each part after so many steps."""
    states = {name: part.state_dict() for name, part in parts.items()}
    with whole_file(checkpoint) as unfinished:
        torch.save({**states, "step": step}, unfinished)
